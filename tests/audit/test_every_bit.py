"""Every single bit of what a project keeps as evidence, flipped one at a time, is found, and in the file that it is in.

A few seconds here look at a sample. ``NOA_SOAK=1`` flips them all and prints how many were found. Each bit is asked for
by the very function that `verify` uses for its file; for a line of the ledger that fold begins at the state before it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from audit.conftest import Copy
from noa_mlops.audit import Finding, verify
from noa_mlops.audit.checks import check_heads, check_objects, check_version, read_notes
from noa_mlops.audit.folding import Fold
from noa_mlops.ledger import Draft, KeyStore, Ledger, LedgerState, admit, head_keys, ledger_lines, read_lines
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD
from noa_mlops.registry import Mirror

ENTRIES = 60
SAMPLE = 150
"""Bits of each file that are flipped where not all are."""

pytestmark = pytest.mark.timeout(7200 if os.environ.get("NOA_SOAK") else 180)

Check = Callable[[], Iterable[Finding]]
STORED = ("manifest.json", "model.sig", "summary.json", "predictions.parquet", "model/cut", "code/src/train.sh")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A project of `ENTRIES` entries in which everything holds, folded with the root at every size."""

    layout: Layout
    fold: Fold


@pytest.fixture(scope="module")
def evidence(made, tmp_path_factory):
    """Runs that were made, and after them failed trainings that name the same objects."""
    root = tmp_path_factory.mktemp("bits")
    copy = _copied(made, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        with Ledger.open(copy.layout, KeyStore()) as ledger:
            lengthen(ledger)
        assert verify(copy.layout).findings == ()
    fold = Fold(copy.layout, wanted=set(range(ENTRIES + 1)))
    assert findings_of(fold) == []
    return Evidence(copy.layout, fold)


def _copied(source: Path, root: Path) -> Copy:
    for name in ("keys", "project"):
        shutil.copytree(source / name, root / name, symlinks=True)
    return Copy(root)


def lengthen(ledger: Ledger) -> None:
    """Append until there are `ENTRIES`: Submitted, TrainingFailed, Submitted ..."""
    said = {entry.type: entry for entry, _ in ledger.entries()}
    for number in range(ENTRIES - ledger.state.size):
        kind = ("Submitted", "TrainingFailed")[number % 2]
        like = said[kind]
        ledger.append(
            lambda _, like=like, version=number // 2 + 1: Draft(
                like.type, like.predicate_type, like.predicate, like.subject, "more", version, like.status
            )
        )


def every_bit(path: Path, places: range, check: Check) -> Iterator[tuple[int, tuple[Finding, ...]]]:
    """Flip each bit of ``places`` in the file, and what is found then; at the end nothing is, as before."""
    path.chmod(0o644)
    assert list(check()) == []
    with path.open("r+b", buffering=0) as stream:
        content = stream.read()
        for place in places:
            flipped = content[place // 8] ^ 1 << place % 8
            os.pwrite(stream.fileno(), bytes([flipped]), place // 8)
            yield place, tuple(check())
            os.pwrite(stream.fileno(), content[place // 8 : place // 8 + 1], place // 8)
    assert list(check()) == []
    assert path.read_bytes() == content


def places_of(length: int) -> range:
    """The bits of a file of so many bytes that are flipped: all of them, or a sample in which every bit of a byte occurs."""
    bits = length * 8
    return range(0, bits, 1 if os.environ.get("NOA_SOAK") else max(1, bits // SAMPLE) | 1)


def all_found(name: str, missed: Iterable[str | None], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was missed; in full, the number is shown."""
    answers = list(missed)
    wrong = [answer for answer in answers if answer is not None]
    if os.environ.get("NOA_SOAK"):
        with capsys.disabled():
            sys.stdout.write(f"{name}: found {len(answers) - len(wrong):,} of {len(answers):,}\n")
    assert answers
    assert wrong == []


def missed_in(path: Path, places: range, check: Check) -> Iterator[str | None]:
    """For each flipped bit None when a finding names the file, else which bit it is."""
    for place, findings in every_bit(path, places, check):
        named = any(finding.file == str(path) for finding in findings)
        yield None if named else f"bit {place % 8} of byte {place // 8}: {findings}"


def test_every_bit_of_the_ledger_is_found_at_its_entry(evidence, tmp_path, capsys):
    all_found("ledger", _ledger_bits(evidence, tmp_path), capsys)


def _ledger_bits(evidence: Evidence, folder: Path) -> Iterator[str | None]:
    """Each line with the next one after it, folded from the state before it."""
    lines = list(read_lines(evidence.layout.ledger))
    assert len(lines) >= 50
    state = LedgerState()
    step = places_of(sum(map(len, lines))).step
    for seq, line in enumerate(lines):
        ledger = folder / f"{seq}.jsonl"
        ledger.write_bytes(b"".join(lines[seq : seq + 2]))
        check = partial(fold_from, replace(evidence.layout, ledger=ledger), state)
        for place, findings in every_bit(ledger, range(seq % step, len(line) * 8, step), check):
            named = [(finding.file, finding.entry) for finding in findings] == [(str(ledger), seq)]
            yield None if named else f"entry {seq}, bit {place % 8} of byte {place // 8}: {findings}"
        state = admit(state, line[:-1])


def fold_from(layout: Layout, state: LedgerState) -> list[Finding]:
    """What the fold of `verify` finds in a ledger that goes on from ``state``."""
    return findings_of(Fold(layout, set(), state))


def findings_of(fold: Fold) -> list[Finding]:
    """What a fold finds; the mirror that it read beside is closed again."""
    findings = list(fold.run())
    if fold.mirror is not None:
        list(fold.mirror.findings(()))
    return findings


def test_every_bit_of_the_checkpoints_is_found(evidence, capsys):
    path = evidence.layout.log_checkpoints

    def check() -> list[Finding]:
        notes, findings = read_notes(evidence.layout)
        check_heads(evidence.layout, evidence.fold, notes, findings)
        return findings

    all_found("checkpoints", missed_in(path, places_of(path.stat().st_size), check), capsys)


@pytest.mark.parametrize("name", STORED)
def test_every_bit_of_a_stored_version_is_found(evidence, capsys, name):
    (stored,) = evidence.fold.stored
    path = evidence.layout.version("little", "command", 1) / name
    check = partial(check_version, evidence.layout, stored)
    all_found(name, missed_in(path, places_of(path.stat().st_size), check), capsys)


@pytest.mark.parametrize("number", range(3))
def test_every_bit_of_an_object_is_found(evidence, capsys, number):
    digest = next(islice(evidence.fold.objects, number, None))
    path = evidence.layout.objects / digest
    fold = Fold(evidence.layout, set(), evidence.fold.state, objects={digest: evidence.fold.objects[digest]})
    check = partial(check_objects, evidence.layout, fold)
    all_found(f"object {number}", missed_in(path, places_of(path.stat().st_size), check), capsys)


@pytest.mark.parametrize("attribute", ["mirror", "mirror_checkpoint"])
def test_every_bit_of_the_mirror_and_of_its_head_is_found(evidence, capsys, attribute):
    layout, state = evidence.layout, evidence.fold.state
    mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=state.origin)
    lines = list(ledger_lines(Ledger.read_only(layout)))
    keys = head_keys(state.policy, SIGN_HEAD)

    def check() -> Iterator[Finding]:
        comparison = mirror.compare()
        for line in lines:
            comparison.take(line)
        for path, reason in comparison.findings(keys, ENTRIES):
            yield Finding(str(path), None, reason)

    path = getattr(layout, attribute)
    all_found(attribute, missed_in(path, places_of(path.stat().st_size), check), capsys)
