"""`noa verify` against what was kept elsewhere: the origin, a checkpoint, the pin of this machine."""

from __future__ import annotations

import json
import shutil

import pytest

from ledger.writing import promote, submitted
from noa_mlops.audit import verify
from noa_mlops.cli.app import main
from noa_mlops.evidence import LogCheckpoint, SigningKey, sign_checkpoint
from noa_mlops.ledger import KeyStore, KnownLogs, Ledger, split_records


@pytest.fixture
def pins():
    """Those that the environment of the test names."""
    return KnownLogs()


def about_the_ledger(layout, **anchors):
    """What is found in the chain itself; these small entries say less than real ones, and have no registry."""
    found = (finding.reason for finding in verify(layout, **anchors).findings if finding.file == str(layout.ledger))
    return [reason for reason in found if not reason.startswith("does not say what")]


def newest(layout):
    return split_records(layout.log_checkpoints.read_bytes())[-1]


def test_a_checkpoint_kept_elsewhere_is_gone_on_from(layout, keystore, ledger):
    kept = newest(layout)
    promote(ledger)
    assert about_the_ledger(layout, against=kept) == []
    assert about_the_ledger(layout, against=newest(layout), origin=ledger.origin) == []


def test_a_rolled_back_folder_is_found_by_the_checkpoint_alone(layout, ledger, tmp_path, another_machine):
    shutil.copytree(layout.project, tmp_path / "copy")
    promote(ledger)
    kept = newest(layout)
    ledger.close()
    shutil.rmtree(layout.project)
    shutil.copytree(tmp_path / "copy", layout.project)
    another_machine()
    assert about_the_ledger(layout) == []
    [reason] = about_the_ledger(layout, against=kept)
    assert "vouches for 5 entries; only 1 are sealed here" in reason


def test_a_rewritten_end_is_found_by_the_checkpoint_alone(layout, keystore, ledger, tmp_path, another_machine):
    shutil.copytree(layout.project, tmp_path / "copy")
    promote(ledger)
    kept = newest(layout)
    ledger.close()
    shutil.rmtree(layout.project)
    shutil.copytree(tmp_path / "copy", layout.project)
    another_machine()
    with Ledger.open(layout, keystore) as rewriting:
        for _ in range(5):
            rewriting.append(submitted())
    another_machine()
    [reason] = about_the_ledger(layout, against=kept)
    assert "is over other entries than the first 5" in reason


def test_a_checkpoint_of_another_log_or_key_is_no_anchor(layout, ledger):
    other = SigningKey.generate()
    head = LogCheckpoint(ledger.origin, 1, ledger.state.frontier.root())
    [reason] = about_the_ledger(layout, against=sign_checkpoint(head, other))
    assert "by a known key" in reason
    signed = sign_checkpoint(LogCheckpoint("other/0", 1, head.root), ledger.keys.signing_key("verifier"))
    [reason] = about_the_ledger(layout, against=signed)
    assert "by a known key" in reason
    [reason] = about_the_ledger(layout, against=b"nothing of the kind")
    assert "does not go on from the checkpoint kept elsewhere" in reason


def test_everything_replaced_and_signed_with_new_keys_is_refused_by_pin_and_origin(
    layout, ledger, tmp_path, another_machine
):
    promote(ledger)
    ledger.close()
    here = KnownLogs()
    shutil.rmtree(layout.project)
    another_machine()
    with Ledger.create(layout, "demo", KeyStore(tmp_path / "theirs")) as forged:
        for version in (1, 2, 3):
            promote(forged, version)
    assert about_the_ledger(layout) == []
    assert any("its origin is" in reason for reason in about_the_ledger(layout, origin=ledger.origin))
    KnownLogs().path.write_bytes(here.path.read_bytes())
    [reason] = about_the_ledger(layout)
    assert "is another log than before" in reason
    assert str(KnownLogs().path) in reason


def test_verify_says_what_each_anchor_leaves_open(layout, ledger, another_machine):
    ledger.close()
    another_machine()
    [note] = verify(layout).notes
    assert "only because this folder says so" in note
    another_machine()
    [note] = verify(layout, origin=ledger.origin).notes
    assert "--against" in note
    Ledger.read_only(layout)
    [note] = verify(layout).notes
    assert str(KnownLogs().path) in note
    assert verify(layout, origin=ledger.origin).notes == ()
    assert verify(layout, against=newest(layout)).notes == ()


def test_pins_that_cannot_be_read_are_a_finding(layout, ledger):
    ledger.close()
    pins = KnownLogs()
    pins.path.write_bytes(b"nonsense\n")
    assert [finding.file for finding in verify(layout).findings if "no pin" in finding.reason] == [str(pins.path)]
    assert pins.path.read_bytes() == b"nonsense\n"


def test_the_command_takes_a_checkpoint_file(layout, ledger, tmp_path, capsys):
    promote(ledger)
    kept = tmp_path / "kept"
    kept.write_bytes(newest(layout))
    ledger.close()
    main(["verify", "-C", str(layout.project), "--against", str(kept), "--json"])
    assert json.loads(capsys.readouterr().out)["notes"] == []
    assert main(["verify", "-C", str(layout.project), "--against", str(tmp_path / "missing")]) == 2
    assert "missing cannot be read" in capsys.readouterr().err
