"""Every shortcut out of a blocked rollout, tried in every state on the way: each is refused, by the writer and by who reads.

What is tried are entries that are signed as they should be, written past every command: so it is the law that refuses, and
the table says which words it has for that.
"""

from __future__ import annotations

import pytest

from ledger.writing import decided, evaluated, scanned, submitted, trained
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import admit
from noa_mlops.ledger.entry import write_entry
from noa_mlops.ledger.version_law import Refusal
from trust.test_incidents import enabled, investigated
from trust.test_overrides import again, overriding
from trust.test_rollback import rolling_back

TS = "2026-11-28T12:00:00.000Z"
OLD, NEW, NEWER = "d" * 64, "e" * 64, "f" * 64
"""Fingerprints of data: what the first champion was measured on, and what came later."""


class Rollout:
    """A lifecycle with champion 1, and the steps that lead through an incident."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.operator = ledger.keys.signing_key("operator")
        self.kept = None
        self.make(OLD, status="ready")

    @property
    def rain(self):
        return self.ledger.state.lifecycle("rain")

    def make(self, data, **decision):
        """One version more, measured on ``data``, and its decision."""
        version, champion = self.rain.next_version, self.rain.champion
        measured = evaluated(version, predicate={"dataset": {"fingerprint": data}})
        for compose in (submitted(), trained(version), *([] if data is None else [measured])):
            self.ledger.append(compose)
        if decision:
            self.ledger.append(decided(version, replaces=champion, **decision))

    def block(self):
        self.ledger.append(scanned(self.rain.champion, verdict="fail", certain=True, status="blocked"))

    def look(self):
        self.ledger.append(investigated(self.operator, version=self.rain.champion))

    def hold(self, data=NEW):
        self.make(data, status="blocked", reasons=["drift"])

    def hold_on_old_data(self):
        self.hold(OLD)

    def hold_on_no_data(self):
        self.make(None, status="blocked", verdict="inconclusive", reasons=["no_gate", "drift"])

    def hold_without_a_gate(self):
        self.make(NEW, status="blocked", verdict="inconclusive", reasons=["no_gate", "drift"])

    def reject(self):
        self.make(NEW, status="blocked", verdict="fail", reasons=["threshold"])

    def cannot_tell(self):
        self.make(NEW, status="blocked", verdict="inconclusive", reasons=["inconclusive"])

    def measure(self):
        self.make(NEW)

    def fail_more(self):
        self.ledger.append(
            scanned(self.rain.champion, verdict="fail", current="9" * 64, certain=True, status="blocked")
        )

    def measure_the_champion(self, verdict="pass", data=NEW):
        champion = self.rain.champion
        named = self.rain.versions[champion].named is None
        dataset = {"fingerprint": data}
        self.ledger.append(again(champion, verdict=verdict, named=named, dataset=dataset))

    def measure_the_champion_badly(self):
        self.measure_the_champion(verdict="fail")

    def measure_the_champion_on_old_data(self):
        self.measure_the_champion(data=OLD)

    def promote(self):
        self.make(NEW, status="ready")

    def go_back(self):
        self.ledger.append(rolling_back(1, self.operator))

    def override_the_champion(self):
        self.ledger.append(overriding(self.rain.champion, self.operator))

    def sign_enabling_of_2(self):
        """Signed now, and kept for later."""
        self.kept = enabled(2, self.operator)(self.ledger.state)

    def sign_looking(self):
        self.kept = investigated(self.operator)(self.ledger.state)

    def enable(self):
        """The newest version that waits."""
        self.ledger.append(enabled(max(self.rain.waiting), self.operator))


def enable(version):
    return lambda rollout: enabled(version, rollout.operator)


def look(**changes):
    return lambda rollout: investigated(rollout.operator, **changes)


def promote(version):
    return lambda rollout: decided(version, replaces=rollout.rain.champion)


def override(version):
    return lambda rollout: overriding(version, rollout.operator)


def what_was_kept(rollout):
    return lambda _: rollout.kept


SHORTCUTS = [
    # nothing is blocked
    ("", look(incident=4), "investigates an incident that is not open"),
    ("", enable(1), "is champion and waits for nobody"),
    # blocked, and nobody has looked
    ("block", enable(1), "enables the champion although nobody has investigated the incident"),
    ("block measure_the_champion", enable(1), "although nobody has investigated the incident"),
    ("block hold", enable(2), "enables a version although nobody has investigated the incident"),
    ("block measure", promote(2), "promotes although the rollout is blocked"),
    ("block", override(1), "was not measured again after its decision"),
    ("measure_the_champion block", override(1), "was not measured again after the scan that blocks the rollout"),
    ("block", look(incident=2), "carries an act that decides something else"),
    ("block", look(report="7" * 64), "is about another report than that of the incident"),
    ("block", look(version=2), "investigates an incident that is not open"),
    # somebody has looked, and nothing was trained since
    ("block look", look(), "investigates what entry 6 has investigated"),
    ("block look", look(report="7" * 64), "investigates what entry 6 has investigated"),
    ("block look", enable(1), "which was not measured again after the incident was investigated"),
    ("block measure_the_champion look", enable(1), "which was not measured again after the incident was investigated"),
    ("block hold look", enable(2), "was submitted before the incident was investigated"),
    ("block measure look", promote(2), "promotes although the rollout is blocked"),
    ("block look measure_the_champion_badly", enable(1), "whose new measurement came to: fail"),
    ("block look measure_the_champion_on_old_data", enable(1), "measured on the data that @1 was measured on"),
    # something was trained since, which does not show that all is well
    ("block look measure", enable(2), "is evaluated and waits for nobody"),
    ("block look measure", promote(2), "promotes although the rollout is blocked"),
    ("block look reject", enable(2), "is rejected and waits for nobody"),
    ("block look cannot_tell", enable(2), "is inconclusive and waits for nobody"),
    ("block look hold_on_old_data", enable(2), "measured on the data that @1 was measured on"),
    ("block look hold_without_a_gate", enable(2), "passed no gate, in the place of a champion that had"),
    ("block look hold_on_no_data", enable(2), "passed no gate, in the place of a champion that had"),
    ("block look hold", enable(3), "that there is not"),
    ("block look hold", override(2), "was not measured again after its decision"),
    # acts that were signed for another moment
    ("block hold sign_enabling_of_2 look", what_was_kept, "was submitted before the incident was investigated"),
    ("block look hold sign_enabling_of_2 hold", what_was_kept, "answers another entry than the one in force"),
    ("block sign_looking look", what_was_kept, "investigates what entry 6 has investigated"),
    # another champion comes between
    ("promote block look hold go_back", enable(3), "was judged against another champion"),
    ("promote block look go_back hold_on_old_data", enable(3), "measured on the data that @1 was measured on"),
    ("promote block look go_back hold", enable(3), "measured on the data that @2 was measured on"),
    ("promote block go_back hold", enable(3), "although nobody has investigated the incident"),
    ("promote block go_back measure", promote(3), "promotes although the rollout is blocked"),
    # an override holds, and the incident is open all the same
    (
        "block measure_the_champion override_the_champion measure",
        promote(2),
        "promotes although the rollout is blocked",
    ),
    ("block measure_the_champion override_the_champion hold", enable(2), "nobody has investigated the incident"),
    # it is over, and the next one begins from the start
    ("block look hold enable", enable(2), "is champion and waits for nobody"),
    ("block look hold enable", look(incident=4), "investigates an incident that is not open"),
    ("block look hold hold enable block", enable(2), "waits for nobody"),
    ("block look hold enable block hold", enable(3), "nobody has investigated the incident"),
]


@pytest.mark.parametrize(("steps", "shortcut", "why"), SHORTCUTS)
def test_every_shortcut_is_refused_wherever_it_is_tried(ledger, steps, shortcut, why):
    rollout = Rollout(ledger)
    walk(rollout, steps)
    before, compose = ledger.state, shortcut(rollout)
    with pytest.raises(LedgerConflict) as refused:
        ledger.append(compose)
    assert why in str(refused.value)
    assert ledger.state == before
    line = write_entry(compose(before), before, TS, ledger.keys.signing_key("verifier")).line
    forged = admit(before, line)
    assert isinstance(forged, Refusal)
    assert why in forged.reason


WAYS = {
    "looked at, trained after that, on other data": "block look hold enable",
    "what failed meanwhile joins the incident and undoes no step": "block fail_more look fail_more hold fail_more enable",
    "a version that failed before the one that passes": "block look reject cannot_tell hold enable",
    "a version held too early, and a later one": "block hold look hold enable",
    "back to the champion before, and then the way out": "promote block go_back look hold_newer enable",
    "an override meanwhile": "block measure_the_champion override_the_champion look hold enable",
    "a second incident after the first": "block look hold enable block look hold_newer enable",
}


@pytest.mark.parametrize("steps", WAYS.values(), ids=list(WAYS))
def test_the_way_itself_leads_out(ledger, steps):
    rollout = Rollout(ledger)
    walk(rollout, steps)
    lifecycle = rollout.rain
    assert (lifecycle.champion, lifecycle.rollout) == (max(lifecycle.versions), "ready")
    assert (lifecycle.incident, lifecycle.override, lifecycle.suspicion) == (None, None, None)


def test_the_champion_that_passes_on_other_data_after_that_ends_a_false_alarm(ledger):
    rollout = Rollout(ledger)
    walk(rollout, "block look measure_the_champion")
    ledger.append(enabled(1, rollout.operator))
    assert (rollout.rain.champion, rollout.rain.rollout, rollout.rain.incident) == (1, "ready", None)


def test_going_back_keeps_the_block_and_the_incident_with_its_steps(ledger):
    rollout = Rollout(ledger)
    walk(rollout, "promote block look")
    incident = rollout.rain.incident
    rollout.go_back()
    assert (rollout.rain.champion, rollout.rain.rollout, rollout.rain.incident) == (1, "blocked", incident)


def test_a_lifecycle_whose_champion_had_no_gate_asks_no_gate_of_the_next(ledger):
    rollout = Rollout(ledger)
    rollout.make(None, status="ready", verdict="inconclusive", reasons=["no_gate"])
    walk(rollout, "block look hold_on_no_data enable")
    assert (rollout.rain.champion, rollout.rain.rollout) == (3, "ready")


def walk(rollout, steps):
    for step in steps.split():
        getattr(rollout, step)() if step != "hold_newer" else rollout.hold(NEWER)
