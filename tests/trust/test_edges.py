"""Anchors and what they are held against, exactly where one entry more or less decides."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from dataclasses import replace

import pytest

from ledger.writing import promote, scanned, submitted
from noa_mlops.audit import proof_of, verify, verify_proof
from noa_mlops.audit.proof_policies import NotProven, changes_policy, fold_policies
from noa_mlops.audit.signatures import check_apart
from noa_mlops.errors import LedgerConflict, NotAuthorised
from noa_mlops.evidence import LogCheckpoint, SigningKey, claimed_size, sign_checkpoint
from noa_mlops.ledger import KnownLogs, Ledger, LedgerState, distrust, examine_unsigned, split_records, version_scope
from noa_mlops.ledger.incident_law import investigation_scope
from noa_mlops.ledger.signers import Signers
from trust.deciding import changing, new_key, with_key
from trust.test_incidents import enabled, hold, investigated
from trust.test_proofs import rotate
from trust.test_rollback import replace_champion, rolling_back


@pytest.fixture
def pins():
    """Those that the environment of the test names."""
    return KnownLogs()


def about_the_ledger(layout, **anchors):
    found = (finding for finding in verify(layout, **anchors).findings if finding.file == str(layout.ledger))
    return [(finding.entry, finding.reason) for finding in found if not finding.reason.startswith("does not say what")]


def notes(layout):
    return split_records(layout.log_checkpoints.read_bytes())


def test_a_checkpoint_kept_elsewhere_is_gone_on_from_though_the_folder_has_lost_it(layout, ledger):
    kept = notes(layout)[0]
    promote(ledger)
    ledger.close()
    layout.log_checkpoints.write_bytes(notes(layout)[-1] + b"\n")
    assert about_the_ledger(layout, against=kept) == []


def test_a_head_that_this_machine_has_seen_is_gone_on_from_though_the_folder_has_lost_it(layout, ledger, keystore):
    for _ in range(3):
        ledger.append(submitted())
    ledger.close()
    with Ledger.open(layout, keystore) as later:
        seen = KnownLogs().pin(layout.ledger)
        promote(later, 4)
        newest = notes(layout)[-1]
    layout.log_checkpoints.write_bytes(newest + b"\n")
    known = KnownLogs()
    known.begin(layout.ledger, seen)
    assert about_the_ledger(layout) == []


def test_a_ledger_rolled_back_as_a_whole_is_found_by_what_this_machine_has_seen(layout, ledger, tmp_path):
    shutil.copytree(layout.project, tmp_path / "copy")
    promote(ledger)
    ledger.close()
    shutil.rmtree(layout.project)
    shutil.copytree(tmp_path / "copy", layout.project)
    [(entry, reason)] = about_the_ledger(layout)
    assert entry is None
    assert str(KnownLogs().path) in reason


@pytest.mark.parametrize(("damaged", "named"), [(1, 1), (5, 2)])
def test_a_damaged_ledger_is_held_against_what_was_seen_as_far_as_it_holds(layout, ledger, damaged, named):
    """Two findings where the damage lies beyond what was seen, and that was another log; else the damage alone."""
    promote(ledger)
    ledger.append(submitted())
    ledger.close()
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    lines[damaged] = lines[damaged].replace(b'"v":1', b'"v":2')
    layout.ledger.write_bytes(b"".join(lines))
    known = KnownLogs()
    pin = known.pin(layout.ledger)
    known.begin(layout.ledger, type(pin)(pin.origin, 5, bytes(32)))
    reasons = [reason for _, reason in about_the_ledger(layout)]
    assert "nothing after it can be trusted" in reasons[0]
    assert len(reasons) == named


@pytest.mark.parametrize(
    ("note", "size"),
    [
        (b"demo/x\n12\nroot", 12),
        (b"demo/x\n12\nroot\n\nmore\n", 12),
        (b"demo/x\n" + b"9" * 18 + b"\nroot", 10**18 - 1),
        (b"demo/x\n" + b"9" * 19 + b"\nroot", None),
        (b"demo/x\n-1\nroot", None),
        (b"demo/x\n12", None),
        (b"12", None),
        (b"", None),
    ],
)
def test_what_a_note_says_its_size_is_or_that_it_says_none(note, size):
    assert claimed_size(note) == size


@pytest.mark.parametrize("envelope", ["nonsense", {"payload": "x"}, [1]])
def test_an_act_that_cannot_be_read_decides_nothing(ledger, envelope):
    promote(ledger)
    replace_champion(ledger)
    with pytest.raises(LedgerConflict, match="carries an act that"):
        ledger.append(rolling_back(1, envelope=envelope))


def test_an_act_is_recorded_only_by_a_key_that_may(ledger):
    promote(ledger)
    replace_champion(ledger)
    policy = ledger.state.policy
    held = policy.roles["verifier"]
    less = replace(held, may=tuple(what for what in held.may if what != "RolledBack"))
    ledger.append(changing(replace(policy, roles={**policy.roles, "verifier": less}), ledger.keys.signing_key("root")))
    with pytest.raises(LedgerConflict, match="is signed by a key that may not sign RolledBack"):
        ledger.append(rolling_back(1, ledger.keys.signing_key("operator")))


def test_a_proof_says_which_policy_its_checkpoint_names_instead_of_the_last(ledger, layout):
    promote(ledger)
    proof, state = proof_of(layout, "rain", 1), ledger.state
    head = LogCheckpoint(ledger.origin, state.size, state.frontier.root(), 7)
    other = replace(proof, checkpoint=sign_checkpoint(head, ledger.keys.signing_key("verifier")))
    [finding] = verify_proof(other.to_bytes(), file="p", origin=ledger.origin).findings
    assert "names the policy of entry 7; the last one that is shown is that of entry 0" in finding.reason


def test_pins_are_raised_by_one_at_a_time(ledger, layout):
    known = KnownLogs()
    pin = known.pin(layout.ledger)
    folder = os.open(known.path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    raising = threading.Thread(target=known.begin, args=(layout.ledger, replace(pin, size=9)))
    raising.start()
    raising.join(0.3)
    assert raising.is_alive()
    assert known.pin(layout.ledger) == pin
    os.close(folder)
    raising.join()
    assert known.pin(layout.ledger).size == 9


def test_a_program_that_holds_a_key_is_remembered_and_nothing_but_words_is_taken(tmp_path):
    public = SigningKey.generate().public
    signers = Signers.of(tmp_path)
    assert signers.external(public) is None
    added = signers.adding(public.keyid, "sign", ["signer", "--key", "1"])
    assert added == Signers.of(tmp_path)
    assert added.external(public) is not None
    for argv in (["signer", ""], ["signer", 1], []):
        with pytest.raises(ValueError, match="must give for a key id"):
            added.adding(public.keyid, "sign", argv)


def test_a_passphrase_is_what_the_program_prints_without_the_end_of_its_line(tmp_path):
    public = SigningKey.generate().public
    printing = Signers.of(tmp_path).adding(public.keyid, "passphrase", ["printf", "%s\\r\\n", "s3cret~"])
    assert printing.passphrase(public.keyid, tmp_path / "key.pem") == b"s3cret~"
    failing = printing.adding(public.keyid, "passphrase", ["false"])
    with pytest.raises(NotAuthorised, match="exit status 1"):
        failing.passphrase(public.keyid, tmp_path / "key.pem")


def test_every_decision_of_people_is_sealed_before_anybody_is_told(ledger):
    """Of each kind that has an act, and of the scan that makes the first of them due."""
    operator, root = ledger.keys.signing_key("operator"), ledger.keys.signing_key("root")
    promote(ledger)
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    assert ledger.sealed_size == ledger.state.size
    ledger.append(investigated(operator))
    assert ledger.sealed_size == ledger.state.size
    ledger.append(enabled(hold(ledger), operator))
    assert ledger.sealed_size == ledger.state.size
    ledger.append(rolling_back(1, operator))
    assert ledger.sealed_size == ledger.state.size
    ledger.append(changing(with_key(ledger.state.policy, "operator", fresh := new_key()), root, fresh))
    assert ledger.sealed_size == ledger.state.size


def test_a_proof_whose_first_line_is_said_to_be_another_proves_nothing(ledger, layout):
    promote(ledger)
    first, *others = proof_of(layout, "rain", 1).lines
    moved = replace(first, inclusion=replace(first.inclusion, index=1))
    proof = replace(proof_of(layout, "rain", 1), lines=(moved, *others))
    with pytest.raises(NotProven, match="is genesis, but not said to be the first line") as caught:
        fold_policies(proof)
    assert caught.value.entry == 1


def test_a_line_that_is_no_entry_changes_no_policy(ledger):
    assert not changes_policy(b"nonsense")
    assert not changes_policy(ledger.append(submitted()).line)
    changed = ledger.append(
        changing(with_key(ledger.state.policy, "operator", fresh := new_key()), ledger.keys.signing_key("root"), fresh)
    )
    assert changes_policy(changed.line)


def test_a_version_that_was_judged_against_another_champion_is_not_enabled(ledger):
    operator = ledger.keys.signing_key("operator")
    promote(ledger)
    replace_champion(ledger)
    ledger.append(scanned(2, verdict="fail", certain=True, status="blocked"))
    ledger.append(investigated(operator, version=2))
    waiting = hold(ledger)
    ledger.append(rolling_back(1, operator))
    with pytest.raises(LedgerConflict, match="judged against another champion"):
        ledger.append(enabled(waiting, operator))


def test_the_scopes_of_acts_are_written_in_one_way():
    """People may sign them with programs of their own, so the words count."""
    assert investigation_scope("rain", 3, "2" * 64) == {
        "lifecycle_id": "rain",
        "incident": 3,
        "report": {"sha256": "2" * 64},
    }
    assert version_scope("rain", 3, "2" * 64) == {"lifecycle_id": "rain", "version": 3, "model": {"sha256": "2" * 64}}


@pytest.mark.parametrize(("behind", "said"), [(1, False), (2, True), (3, True)])
def test_verify_says_when_a_revocation_leaves_entries_untrusted_and_not_when_it_leaves_none(
    ledger, layout, behind, said
):
    promote(ledger)
    ledger.append(submitted())
    rotate(ledger, ledger.keys.signing_key("root"), last=ledger.state.size - behind)
    notes_ = [note for note in verify(layout).notes if "was revoked by entry 6" in note]
    assert len(notes_) == said


@pytest.mark.parametrize("behind", [0, 1])
def test_an_entry_at_the_last_trusted_one_is_trusted_and_the_next_is_not(ledger, behind):
    promote(ledger)
    old = ledger.keys.signing_key("verifier").public.keyid
    rotate(ledger, ledger.keys.signing_key("root"), last=3)
    assert (distrust(ledger.state.policies, 3 + behind, old) is None) is (behind == 0)


def test_the_origin_of_a_proof_is_held_against_its_first_entry(ledger, layout):
    promote(ledger)
    [finding] = verify_proof(proof_of(layout, "rain", 1).to_bytes(), file="p", origin="demo/0").findings
    assert finding.entry == 0
    assert "not demo/0" in finding.reason


def test_a_checkpoint_that_names_no_policy_where_one_was_named_is_said_to(ledger, layout, another_machine):
    ledger.append(submitted())
    key = ledger.keys.signing_key("verifier")
    ledger.close()
    root, size = ledger.state.frontier.root(), ledger.state.size
    signed = [sign_checkpoint(LogCheckpoint(ledger.origin, size, root, named), key) for named in (0, None)]
    layout.log_checkpoints.write_bytes(layout.log_checkpoints.read_bytes().replace(*signed))
    another_machine()
    assert any(
        "names no policy, but that of entry 0 was in force" in reason for _, reason in about_the_checkpoints(layout)
    )


def about_the_checkpoints(layout):
    """Findings in its checkpoints."""
    found = (finding for finding in verify(layout).findings if finding.file == str(layout.log_checkpoints))
    return [(finding.entry, finding.reason) for finding in found]


def test_a_head_that_is_signed_twice_is_as_good_as_once(ledger, layout):
    ledger.append(submitted())
    ledger.close()
    layout.log_checkpoints.write_bytes(layout.log_checkpoints.read_bytes() + notes(layout)[-1] + b"\n")
    assert about_the_checkpoints(layout) == []
    assert verify(layout).checkpoints == 3


def test_nothing_vouches_for_a_ledger_without_its_first_entry(ledger, layout):
    ledger.close()
    layout.ledger.write_bytes(b"{}\n")
    result = verify(layout)
    assert (result.sealed, result.entries, result.origin, result.checkpoints) == (0, 0, None, 1)
    assert not result.holds


def test_processes_check_each_line_by_the_key_that_must_have_signed_it(ledger, layout):
    promote(ledger)
    rotate(ledger, ledger.keys.signing_key("root"))
    for _ in range(3):
        ledger.append(submitted())
    rotate(ledger, ledger.keys.signing_key("root"))
    ledger.append(submitted())
    ledger.close()
    lines, state = [], LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        lines.append(examine_unsigned(state, line))
        state = lines[-1].state
    assert len({line.key.keyid for line in lines}) == 3
    assert [(line, right) for line, right in check_apart(lines, 2)] == [(line, True) for line in lines]
