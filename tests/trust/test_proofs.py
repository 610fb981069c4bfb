"""Proofs of logs whose policy changed, and the checkpoints that say which change was the last."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ledger.writing import decided, evaluated, promote, submitted, trained
from noa_mlops.audit import export_tiles, proof_of, verify, verify_proof
from noa_mlops.cli.app import main
from noa_mlops.errors import LedgerTampered
from noa_mlops.evidence import LogCheckpoint, NoteInvalid, parse_checkpoint, sign_checkpoint
from noa_mlops.ledger import Ledger
from trust.deciding import changing, new_key, with_key


@pytest.fixture
def root(ledger):
    return ledger.keys.signing_key("root")


def rotate(ledger, root, last=None):
    """A new runtime key in the place of the old one; ``last`` ends the trust in the old one after that entry."""
    old, fresh = ledger.keys.signing_key("verifier"), new_key()
    ledger.keys.add(fresh)
    after = with_key(ledger.state.policy, "verifier", fresh, instead=True)
    gone = {} if last is None else {old.public.keyid: last}
    ledger.append(changing(replace(after, revoked={**after.revoked, **gone}), root, fresh))


def checked(layout, name, version=1):
    proof = proof_of(layout, name, version)
    return proof, verify_proof(proof.to_bytes(), file="p", origin=Ledger.read_only(layout).origin)


def test_a_version_is_proven_whenever_the_policy_changed(ledger, layout, root):
    rotate(ledger, root)
    ledger.append(submitted())
    ledger.append(trained())
    rotate(ledger, root)
    ledger.append(evaluated())
    ledger.append(decided())
    rotate(ledger, root)
    proof, result = checked(layout, "rain")
    assert (result.holds, result.status, result.size) == (True, "champion", 8)
    assert [proven.inclusion.index for proven in proof.lines] == list(range(8))


def test_a_proof_holds_the_changes_that_came_after_its_version_and_not_the_entries_of_others(ledger, layout, root):
    promote(ledger)
    ledger.append(submitted("wind"))
    rotate(ledger, root)
    proof, result = checked(layout, "rain")
    assert result.holds
    assert [proven.inclusion.index for proven in proof.lines] == [0, 1, 2, 3, 4, 6]


def test_no_proof_is_made_of_a_version_that_rests_on_a_revoked_key(ledger, layout, root):
    promote(ledger)
    rotate(ledger, root, last=3)
    with pytest.raises(
        LedgerTampered, match=r"rain@1, entry 4: is signed by the revoked key .* trusted up to entry 3 only"
    ):
        proof_of(layout, "rain", 1)


def test_a_version_before_the_last_trusted_entry_is_proven(ledger, layout, root):
    promote(ledger)
    rotate(ledger, root, last=4)
    assert checked(layout, "rain")[1].holds


def test_the_command_proves_and_verifies_across_a_rotation(ledger, layout, root, tmp_path, capsys):
    promote(ledger)
    rotate(ledger, root)
    file, project = str(tmp_path / "rain-1.noa-proof"), str(layout.project)
    assert main(["export", "rain@1", "--proof", file, "-C", project]) == 0
    capsys.readouterr()
    assert main(["verify", file, "--origin", ledger.origin, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == 6
    assert main(["verify", file, "--origin", ledger.origin]) == 0
    assert "6 entries when its head was signed" in capsys.readouterr().out


def test_tiles_are_exported_further_after_a_rotation(ledger, layout, root, tmp_path):
    export_tiles(layout, tmp_path / "tiles")
    rotate(ledger, root)
    assert export_tiles(layout, tmp_path / "tiles").entries == 2


def test_a_checkpoint_names_the_entry_of_the_policy_in_force(ledger, layout, root):
    key = ledger.keys.signing_key("verifier").public
    assert parse_checkpoint(Ledger.read_only(layout).checkpoint, ledger.origin, [key]).policy == 0
    promote(ledger)
    rotate(ledger, root)
    ledger.append(submitted())
    ledger.seal()
    note = Ledger.read_only(layout).checkpoint
    assert note.split(b"\n")[3] == b"policy 5"
    with pytest.raises(NoteInvalid):
        parse_checkpoint(note, ledger.origin, [key])


@pytest.mark.parametrize("named", [None, 0, 1])
def test_a_checkpoint_that_names_another_policy_is_refused_by_every_reader(
    ledger, layout, root, named, another_machine
):
    rotate(ledger, root)
    ledger.append(submitted())
    key = ledger.keys.signing_key("verifier")
    ledger.close()
    size, frontier = ledger.state.size, ledger.state.frontier
    true = sign_checkpoint(LogCheckpoint(ledger.origin, size, frontier.root(), 1), key)
    note = sign_checkpoint(LogCheckpoint(ledger.origin, size, frontier.root(), named), key)
    layout.log_checkpoints.write_bytes(layout.log_checkpoints.read_bytes().replace(true, note))
    another_machine()
    if named == 1:
        assert Ledger.read_only(layout).state.size == 3
        return
    with pytest.raises(LedgerTampered, match="but that of entry 1 was in force"):
        Ledger.read_only(layout)
    assert any("that of entry 1 was in force" in finding.reason for finding in verify(layout).findings)


def test_a_change_that_a_key_of_its_own_signed_can_be_read_again(ledger, layout, root):
    """The old runtime key is lost: the new one signs the line that puts it in force."""
    fresh = new_key()
    ledger.keys.add(fresh)
    after = with_key(ledger.state.policy, "verifier", fresh, instead=True)
    ledger._files = replace(ledger._files, key=fresh)
    entry = ledger.append(changing(after, root, fresh))
    assert ledger.entry(entry.seq).type == "PolicyChanged"
    assert Ledger.read_only(layout).entry(entry.seq) == entry
