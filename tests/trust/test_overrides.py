"""An override needs somebody who has looked, says until when, and stands in the way of nothing that is right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.writing import BYTES, decided, evaluated, promote, scanned, submitted, trained
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.ledger import Draft, LedgerState, admit
from noa_mlops.ledger.entry import timestamp
from noa_mlops.ledger.override_law import expiry_problem, override_scope
from trust.deciding import changing, new_key, with_key, without_key
from trust.test_incidents import enabled, hold, investigated, refused
from trust.test_proofs import rotate
from trust.test_rollback import replace_champion, rolling_back

PLAN = "a" * 64
DATA = "5" * 64


def within(**length):
    return timestamp(datetime.now(UTC) + timedelta(**length))


def again(version, *, verdict="pass", named=False, plan=PLAN, checksum=BYTES, **changes):
    """Compose EvaluationLogged of a version that was decided on; with ``named`` it says that it is in the store now."""
    predicate = {"verdict": {"plan": plan, "verdict": verdict}, "dataset": {"fingerprint": DATA}} | changes

    def compose(state):
        subject = [{"name": f"rain@{version}", "digest": {"sha256": checksum}}]
        if named:
            subject.append({"name": "manifest.json", "digest": {"sha256": "7" * 64}})
        return Draft("EvaluationLogged", "noa:lifecycle/v1", predicate, subject, "rain", version)

    return compose


def overriding(version, *keys, expires=None, scope=None, answers=None, checksum=BYTES):
    """Compose Overridden, for an hour unless it is said until when."""

    def compose(state):
        about = scope or override_scope("rain", version, BYTES, expires or within(hours=1))
        signed = SignedAct(Act(state.origin, "override", about, answers or state.lifecycle("rain").answerable))
        for key in keys:
            signed = signed.signed_by(key)
        subject = [{"name": f"rain@{version}", "digest": {"sha256": checksum}}]
        return Draft("Overridden", "noa:act/v1", {"act": signed.envelope()}, subject, "rain", version)

    return compose


@pytest.fixture
def operator(ledger):
    return ledger.keys.signing_key("operator")


@pytest.fixture
def rejected(ledger):
    """Version 1 is the champion; version 2 was rejected."""
    promote(ledger)
    assert hold(ledger, verdict="fail", reasons=("threshold",)) == 2
    return ledger


def rain(ledger):
    return ledger.state.lifecycle("rain")


def test_it_puts_a_version_in_force_until_it_expires_and_blocks_from_then_on(rejected, operator, layout):
    rejected.append(again(2, verdict="fail", named=True))
    ends = within(hours=1)
    entry = rejected.append(overriding(2, operator, expires=ends))
    assert (rain(rejected).champion, rain(rejected).crowned, rain(rejected).looks) == (2, entry.seq, 0)
    assert [version.status for version in rain(rejected).versions.values()] == ["former", "champion"]
    assert rain(rejected).rollout_at(entry.ts) == "ready"
    assert rain(rejected).rollout_at(ends) == "blocked"
    assert rejected.sealed_size == rejected.state.size
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
    assert state == rejected.state


def test_only_what_was_measured_again_beside_the_champion_of_now(rejected, operator):
    refused(rejected, overriding(2, operator), "was not measured again after its decision")
    rejected.append(again(2, verdict="fail", named=True))
    replace_champion(rejected)
    refused(rejected, overriding(2, operator), "beside the champion of now")


def test_the_scan_that_blocks_must_have_come_before_the_measurement(ledger, operator):
    promote(ledger)
    ledger.append(again(1, named=True))
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    refused(ledger, overriding(1, operator), "after the scan that blocks the rollout")
    ledger.append(again(1))
    entry = ledger.append(overriding(1, operator))
    assert rain(ledger).rollout_at(entry.ts) == "ready"
    assert rain(ledger).incident is not None
    assert rain(ledger).champion == 1


def test_an_incident_keeps_what_passes_waiting_although_an_override_holds(ledger, operator):
    promote(ledger)
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    ledger.append(again(1, named=True))
    ledger.append(overriding(1, operator))
    for compose in (submitted(), trained(2), evaluated(2)):
        ledger.append(compose)
    refused(ledger, decided(2, replaces=1), "the rollout is blocked")


def test_without_an_incident_what_passes_takes_its_place(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    rejected.append(overriding(2, operator))
    replace_champion(rejected)
    assert (rain(rejected).champion, rain(rejected).rollout, rain(rejected).override) == (3, "ready", None)


def test_an_incident_that_opens_later_ends_it(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    rejected.append(overriding(2, operator))
    entry = rejected.append(scanned(2, verdict="fail", certain=True, status="blocked"))
    assert (rain(rejected).rollout_at(entry.ts), rain(rejected).override) == ("blocked", None)


def test_going_back_ends_it_and_leaves_the_rollout_as_it_was_before(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    rejected.append(overriding(2, operator))
    rejected.append(rolling_back(1, operator))
    assert (rain(rejected).champion, rain(rejected).rollout, rain(rejected).override) == (1, "ready", None)


def test_it_can_be_made_longer_only_by_looking_once_more(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    rejected.append(overriding(2, operator))
    refused(rejected, overriding(2, operator, expires=within(days=2)), "was not measured again")
    rejected.append(again(2, verdict="fail"))
    longer = within(days=2)
    rejected.append(overriding(2, operator, expires=longer))
    assert rain(rejected).override.expires == longer
    rejected.append(rolling_back(1, operator))
    assert rain(rejected).rollout == "ready"


def test_a_key_that_is_revoked_takes_its_override_with_it(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    second = new_key()
    policy = with_key(rejected.state.policy, "operator", second)
    rejected.append(changing(policy, rejected.keys.signing_key("root"), second))
    entry = rejected.append(overriding(2, second))
    policy = without_key(rejected.state.policy, second.public.keyid, entry.seq - 1)
    changed = rejected.append(changing(policy, rejected.keys.signing_key("root")))
    assert (rain(rejected).rollout_at(changed.ts), rain(rejected).override) == ("blocked", None)


@pytest.mark.parametrize(
    ("expires", "match"),
    [
        (lambda: within(seconds=-1), "before it was recorded"),
        (lambda: within(days=91), "longer than 90 days"),
        (lambda: "2099-01-01T00:00:00Z", "another form"),
        (lambda: "2026-13-01T00:00:00.000Z", "a time that there is not"),
        (lambda: "tomorrow", "another form"),
    ],
)
def test_it_ends_at_a_time_within_reach(rejected, operator, expires, match):
    rejected.append(again(2, verdict="fail", named=True))
    refused(rejected, overriding(2, operator, expires=expires()), match)


def test_its_act_speaks_of_one_version_once_and_is_an_operators(rejected, operator):
    rejected.append(again(2, verdict="fail", named=True))
    scope = override_scope("rain", 2, BYTES, within(hours=1))
    refused(rejected, overriding(2), "wrong or of an unknown key")
    refused(rejected, overriding(2, rejected.keys.signing_key("root")), "without the quorum")
    refused(rejected, overriding(2, operator, answers="0" * 64), "answers another entry")
    refused(rejected, overriding(2, operator, checksum="c" * 64), "other bytes")
    refused(rejected, overriding(2, operator, scope={**scope, "version": 1}), "decides something else")
    refused(rejected, overriding(2, operator, scope={**scope, "expires": None}), "does not say until when")
    refused(rejected, overriding(9, operator), "that there is not")
    refused(rejected, overriding(1, operator), "nothing stands in its way")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"verdict": "maybe"}, "holds no verdict"),
        ({"plan": "e" * 64}, "another plan"),
        ({"checksum": "c" * 64}, "other bytes"),
        ({"dataset": {}}, "names no data"),
        ({"named": False}, "names none although no entry has"),
        ({"look": 7}, "is the look 7"),
    ],
)
def test_a_measurement_after_the_decision_says_what_it_must(rejected, changes, match):
    refused(rejected, again(2, **{"named": True, **changes}), match)


def test_a_measurement_names_the_manifest_once(rejected):
    rejected.append(again(2, named=True))
    refused(rejected, again(2, named=True), "although an entry has")
    rejected.append(again(2))


def test_after_a_false_alarm_the_champion_that_passes_once_more_is_enough(ledger, operator):
    promote(ledger)
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    refused(ledger, enabled(1, operator), "nobody has investigated")
    ledger.append(again(1, named=True))
    ledger.append(investigated(operator))
    refused(ledger, enabled(1, operator), "not measured again after the incident was investigated")
    ledger.append(again(1, verdict="inconclusive"))
    refused(ledger, enabled(1, operator), "whose new measurement came to: inconclusive")
    ledger.append(again(1))
    entry = ledger.append(enabled(1, operator))
    assert (rain(ledger).champion, rain(ledger).rollout_at(entry.ts), rain(ledger).incident) == (1, "ready", None)
    assert [version.status for version in rain(ledger).versions.values()] == ["champion"]


@pytest.mark.parametrize(("verdict", "reasons"), [("inconclusive", ("inconclusive",)), ("pass", ("approval",))])
def test_what_could_not_be_known_or_waits_can_be_put_in_force_too(ledger, operator, verdict, reasons):
    promote(ledger)
    version = hold(ledger, verdict=verdict, reasons=reasons)
    ledger.append(again(version, named=True))
    ledger.append(overriding(version, operator))
    assert rain(ledger).champion == version


def test_a_measurement_of_a_key_that_is_not_trusted_any_more_is_no_ground(rejected, operator):
    """The entry that is the last one trusted is trusted; one later is not."""
    measured = rejected.append(again(2, verdict="fail", named=True))
    rotate(rejected, rejected.keys.signing_key("root"), last=measured.seq)
    rejected.append(overriding(2, operator))
    version = hold(rejected, verdict="fail", reasons=("threshold",))
    measured = rejected.append(again(version, verdict="fail", named=True))
    rotate(rejected, rejected.keys.signing_key("root"), last=measured.seq - 1)
    refused(rejected, overriding(version, operator), "measured by a key that is not trusted any more")


def test_a_key_that_never_signed_measurements_takes_nothing_with_it(rejected, operator):
    second = new_key()
    policy = with_key(rejected.state.policy, "operator", second)
    rejected.append(changing(policy, rejected.keys.signing_key("root"), second))
    rejected.append(again(2, verdict="fail", named=True))
    policy = without_key(rejected.state.policy, second.public.keyid, 0)
    rejected.append(changing(policy, rejected.keys.signing_key("root")))
    rejected.append(overriding(2, operator))
    assert rain(rejected).champion == 2


def test_an_act_that_cannot_be_read_overrides_nothing(rejected):
    rejected.append(again(2, verdict="fail", named=True))
    subject = [{"name": "rain@2", "digest": {"sha256": BYTES}}]
    draft = Draft("Overridden", "noa:act/v1", {"act": {}}, subject, "rain", 2)
    refused(rejected, lambda _: draft, "carries an act that is no envelope")


def test_an_override_ends_at_the_moment_it_names_and_not_when_it_begins():
    since = "2026-11-28T07:00:00.000Z"
    assert expiry_problem(since, since) is not None
    assert expiry_problem("2026-11-28T07:00:00.001Z", since) is None
    assert expiry_problem("2027-02-26T07:00:00.000Z", since) is None
    assert expiry_problem("2027-02-26T07:00:00.001Z", since) == "lasts longer than 90 days"
