"""What verifying asks of each kind of file, one function for each; whatever does not hold is a finding.

They read and never write. What they are given was admitted, so it may be believed; what they read may not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.audit.anchors import head_of, root_problem
from noa_mlops.audit.findings import Finding
from noa_mlops.audit.folding import Fold, Stored
from noa_mlops.errors import ArtifactTampered, LedgerTampered, LifecycleError, NotFound, RegistryConflict
from noa_mlops.evidence import LogCheckpoint, ModelSignatureInvalid, NoteInvalid, check_model
from noa_mlops.ledger import get_object, head_keys, split_records
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD
from noa_mlops.registry import CapabilityRegistry, offers

DOCUMENTS = ("manifest.json", "model.sig", "predictions.parquet")
"""The files of a stored version beside the model's."""


def read_notes(layout: Layout) -> tuple[list[bytes], list[Finding]]:
    """Every checkpoint as it was signed, and why they cannot be read."""
    path = layout.log_checkpoints
    try:
        return split_records(path.read_bytes()), []
    except OSError as error:
        return [], [Finding(str(path), None, f"cannot be read ({error.strerror})")]
    except LedgerTampered as error:
        return [], [Finding(str(path), None, str(error))]


def check_heads(layout: Layout, fold: Fold, notes: Sequence[bytes], findings: list[Finding]) -> int:
    """Hold every checkpoint against the tree; the number of entries that the newest one vouches for."""
    path, sealed = str(layout.log_checkpoints), 0
    if fold.state.policy is None:
        return 0
    for number, note in enumerate(notes, start=1):
        try:
            head = head_of(note, fold)
        except NoteInvalid as error:
            findings.append(Finding(path, None, f"checkpoint {number} {error}"))
            continue
        if reason := _head_problem(head, fold, sealed):
            findings.append(Finding(path, None, f"checkpoint {number} {reason}"))
        sealed = max(sealed, head.size)
    if not sealed:
        findings.append(Finding(path, None, "no checkpoint vouches for the ledger"))
    if sealed > fold.state.size and not fold.broken:
        reason = f"is not there: the ledger ends before it, but a checkpoint vouches for {sealed} entries"
        findings.append(Finding(str(layout.ledger), fold.state.size, reason))
    return sealed


def _head_problem(head: LogCheckpoint, fold: Fold, sealed: int) -> str | None:
    """What is wrong with a checkpoint, as far as the entries go that hold."""
    if head.size < sealed:
        return f"vouches for {head.size} entries after one that vouched for {sealed}"
    return root_problem(head, fold)


def check_objects(layout: Layout, fold: Fold) -> Iterator[Finding]:
    """Hold every object that an entry names against its digest; one that was taken out may be gone."""
    for digest, seq in fold.objects.items():
        if digest in fold.state.redacted and not os.path.lexists(layout.objects / digest):
            continue
        try:
            get_object(layout.objects, digest)
        except LifecycleError as error:
            yield _finding(layout.objects / str(digest), seq, error)


def check_version(layout: Layout, stored: Stored) -> Iterator[Finding]:
    """Follow an entry to the bytes it speaks of; a manifest that was not signed is not asked for its files."""
    store, event = FilesystemArtifactStore(layout), stored.event
    folder = store.path(event.lifecycle_id, stored.profile, event.version)
    try:
        record = store.record(event.lifecycle_id, stored.profile, event.version)
    except ArtifactTampered as error:
        named = (folder / name for name in DOCUMENTS if str(error).startswith(f"{folder / name} "))
        yield _finding(next(named, folder), event.seq, error)
        return
    except NotFound as error:
        yield Finding(str(folder), event.seq, str(error))
        return
    differences = dict(record.differences(stored.subjects, event.checksum))
    for name, reason in differences.items():
        yield Finding(str(folder / name), event.seq, reason)
    if record.manifest_sha256 != stored.subjects.get("manifest.json"):
        return
    if record.signature is not None and "model.sig" not in differences:
        try:
            check_model(record.signature, record.manifest.files, *stored.model_keys)
        except ModelSignatureInvalid as error:
            yield Finding(str(folder / "model.sig"), event.seq, str(error))
    for path, reason in store.findings(record):
        yield Finding(str(path), event.seq, reason)


def check_registry(layout: Layout, fold: Fold, sealed: int) -> Iterator[Finding]:
    """Hold the mirror and the capability manifest against the ledger; what is not sealed need not be mirrored yet."""
    if fold.mirror is None or fold.state.policy is None:
        return
    for path, reason in fold.mirror.findings(head_keys(fold.state.policy, SIGN_HEAD), sealed):
        yield Finding(str(path), None, reason)
    try:
        if not offers(CapabilityRegistry(layout.capabilities).capabilities()):
            yield Finding(str(layout.capabilities), None, "does not name the capability that wrote the ledger")
    except RegistryConflict as error:
        yield _finding(layout.capabilities, None, error)


def _finding(path: Path, entry: int | None, error: Exception) -> Finding:
    """What an error says of a file, without naming the file twice."""
    return Finding(str(path), entry, str(error).removeprefix(f"{path} "))
