"""Anchors and what they are held against, exactly where one entry more or less decides."""

from __future__ import annotations

import shutil

import pytest

from ledger.writing import promote, submitted
from noa_mlops.audit import verify
from noa_mlops.audit.anchors import claimed_size
from noa_mlops.ledger import KnownLogs, Ledger, split_records


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
