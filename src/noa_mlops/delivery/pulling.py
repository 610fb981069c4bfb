"""``noa pull``: a promoted version into a folder of a deployment, whole and verified, or not at all.

A version lands in a folder that is named by the SHA-256 of its manifest, beside those that were there; then one rename
makes ``current`` lead to it. So whoever opens ``current`` finds a whole version, before, during and after a pull, also
one that was killed. Nothing is written to the project.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.artifacts.staging import CODE, MANIFEST, MODEL, SIGNATURE
from noa_mlops.delivery.loading import load_from
from noa_mlops.delivery.model import Model
from noa_mlops.errors import ArtifactTampered, LedgerConflict, RolloutBlocked
from noa_mlops.files import hash_stream, make_directories, open_beneath, sync_together
from noa_mlops.ledger import Ledger, LedgerReader, check_age
from noa_mlops.ledger.ledger import now
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.manifest import ArtifactRecord

CURRENT = "current"
"""The link to the version that is to run."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a deployment has now: ``path`` is the folder, named by ``digest``; ``changed`` whether ``current`` led elsewhere.

    ``until`` is when an override ends by which the rollout is ready, None when it is ready by a decision.
    """

    lifecycle_id: str
    version: int
    digest: str
    changed: bool
    path: Path
    until: str | None = None


def pull(name: str, to: Path, *, project: Path, origin: str, max_age: int | None = None) -> Pulled:
    """Bring the champion of a lifecycle, or ``LIFECYCLE@N`` that was one once, into the folder ``to``.

    ``origin`` is the anchor that the project's owner gave; ``max_age`` in seconds is how old the newest entry may be.
    Raises `RolloutBlocked` when nothing new may be rolled out, whatever runs stays; `LedgerTampered` for evidence that
    does not verify or is too old; `ArtifactTampered` for bytes that are not the promoted ones, in the store or where
    they landed before; `NotFound`, `LedgerConflict` and `OSError`.
    """
    ledger = Ledger.read_only(Layout.of(project.absolute()))
    model = load_from(ledger, name, origin)
    if max_age is not None:
        check_age("the ledger", ledger.entry(ledger.state.size - 1).ts, now(), max_age)
    _check_rollout(ledger, model)
    to = to.absolute()
    make_directories(to)
    with _alone(to):
        target = to / model.source.record.manifest_sha256
        if os.path.lexists(target):
            _check_landed(target, model.source.record)
        else:
            _land(ledger.layout, model.source.record, target)
        changed = _point(to / CURRENT, target.name)
    override = ledger.state.lifecycle(model.lifecycle_id).override
    until = None if override is None else override.expires
    return Pulled(model.lifecycle_id, model.version, target.name, changed, target, until)


def _check_rollout(ledger: LedgerReader, model: Model) -> None:
    lifecycle = ledger.state.lifecycle(model.lifecycle_id)
    if lifecycle.rollout_at(now()) == "ready":
        return
    champion = address(model.lifecycle_id, lifecycle.champion or 0)
    opened = "" if lifecycle.incident is None else f" since entry {lifecycle.incident.seq}"
    raise RolloutBlocked(
        f"the rollout of {model.lifecycle_id} is blocked{opened}; its champion is {champion}, nothing new is rolled out",
        hint=f"What runs keeps running. 'noa show {model.lifecycle_id}' in the project says what comes next.",
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One pull at a time into a folder; what another one left unfinished goes."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / ".lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in folder.glob(".*.tmp"):
            if leftover.is_symlink():
                leftover.unlink()
            else:
                shutil.rmtree(leftover)
        yield
    finally:
        os.close(descriptor)


def _land(layout: Layout, record: ArtifactRecord, target: Path) -> None:
    """Copy the version, compared while it is copied, and give it its name when all of it is durable."""
    building = target.with_name(f".{target.name[:16]}.{secrets.token_hex(4)}.tmp")
    building.mkdir()
    FilesystemArtifactStore(layout).copy_out(record, building)
    (building / MANIFEST).write_bytes(record.manifest.to_bytes())
    (building / SIGNATURE).write_bytes(record.signature or b"")
    sync_together([building / MANIFEST, building / SIGNATURE, *_folders(building)])
    building.rename(target)
    sync_together([target.parent])


def _folders(folder: Path) -> list[Path]:
    return [Path(path) for path, _, _ in os.walk(folder)]


def _check_landed(target: Path, record: ArtifactRecord) -> None:
    """Raise `ArtifactTampered` unless what landed before is still the version, to the byte."""
    manifest = record.manifest
    listed = {f"{MODEL}/{file.path}": file.sha256 for file in manifest.files}
    listed |= {f"{CODE}/{file.path}": file.sha256 for file in manifest.code}
    found = {str(Path(path, name).relative_to(target)) for path, _, names in os.walk(target) for name in names} - {
        MANIFEST,
        SIGNATURE,
    }
    wrong = sorted(found ^ listed.keys()) or [
        path for path, digest in listed.items() if _digest(target, path) != digest
    ]
    if not wrong and _bytes(target, MANIFEST) != manifest.to_bytes():
        wrong = [MANIFEST]
    if not wrong and _bytes(target, SIGNATURE) != record.signature:
        wrong = [SIGNATURE]
    if wrong:
        raise ArtifactTampered(
            f"{target / wrong[0]} is not what was pulled",
            hint=f"Remove {target} and pull again; find out who wrote there.",
        )


def _digest(folder: Path, path: str) -> str:
    with open_beneath(folder, path) as stream:
        return hash_stream(stream)


def _bytes(folder: Path, path: str) -> bytes:
    with open_beneath(folder, path) as stream:
        return stream.read()


def _point(link: Path, name: str) -> bool:
    """Let the link lead to ``name`` beside it; whether it led elsewhere. Raises `LedgerConflict` when it is no link."""
    if os.path.lexists(link) and not link.is_symlink():
        raise LedgerConflict(f"{link} is not a link of a pull", hint="Move it away, or pull into another folder.")
    if link.is_symlink() and os.readlink(link) == name:
        return False
    beside = link.with_name(f".{CURRENT}.{secrets.token_hex(4)}.tmp")
    beside.symlink_to(name)
    beside.replace(link)
    sync_together([link.parent])
    return True
