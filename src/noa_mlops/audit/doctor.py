"""``noa doctor``: what is wrong, and the next command for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from noa_mlops.agents import is_owned
from noa_mlops.audit.verification import verify
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import KeyStore, Ledger, ledger_lines
from noa_mlops.records.layout import Layout, address
from noa_mlops.registry import CapabilityRegistry, Mirror

LOW_DISK = 1 << 30
"""Free bytes under which the disk is named."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is wrong: where, what, and the command or the step that mends it."""

    area: str
    problem: str
    remedy: str


def diagnose(layout: Layout) -> tuple[Diagnosis, ...]:
    """Everything wrong with a project that can be seen from here; nothing is changed."""
    looks = (_registry, _keys, _evidence, _versions, _storage, _disk)
    return tuple(found for look in looks for found in look(layout))


def repair(layout: Layout) -> int:
    """Rebuild the mirror from the ledger; the number of its lines. The ledger is never touched.

    Raises `LedgerTampered` when the ledger does not verify, `NotAuthorised` without its keys.
    """
    with Ledger.open(layout, KeyStore()) as ledger:
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin)
        return mirror.rebuild(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))


def _registry(layout: Layout) -> Iterator[Diagnosis]:
    try:
        CapabilityRegistry(layout.capabilities).check_writable()
        Mirror(layout.mirror, layout.mirror_checkpoint, origin="").check_writable()
    except LifecycleError as error:
        yield Diagnosis("registry", str(error), error.hint)


def _keys(layout: Layout) -> Iterator[Diagnosis]:
    try:
        policy = Ledger.read_only(layout).state.policy
        if policy is not None:
            KeyStore().find(policy).signing_key("verifier")
    except LifecycleError as error:
        yield Diagnosis("keys", str(error), error.hint)


def _evidence(layout: Layout) -> Iterator[Diagnosis]:
    for finding in verify(layout).findings:
        mirrored = finding.file == str(layout.mirror)
        remedy = "noa doctor --repair" if mirrored else "restore the file from a copy you trust, then: noa verify"
        yield Diagnosis("evidence", str(finding), remedy)


def _versions(layout: Layout) -> Iterator[Diagnosis]:
    """Runs that ended before their time, and failures that nobody has followed by a later version."""
    try:
        lifecycles = Ledger.read_only(layout).state.lifecycles
    except LifecycleError:
        return
    for name, lifecycle in lifecycles.items():
        for version in lifecycle.versions.values():
            where = address(name, version.version)
            if version.status in ("submitted", "trained", "evaluated") and not is_owned(
                layout.workspace(version.agent_id)
            ):
                yield Diagnosis("run", f"{where} was interrupted", "run its plan again: it continues")
            if version.status == "failed" and version.version == len(lifecycle.versions):
                yield Diagnosis("training", f"{where} failed", f"noa logs {where}")


def _storage(layout: Layout) -> Iterator[Diagnosis]:
    unfit = [path for path in (layout.project, layout.artifacts, layout.evidence) if _not_writable(path)]
    for path in unfit:
        status = path.stat()
        yield Diagnosis(
            "storage",
            f"{path} is not writable (mode {status.st_mode & 0o7777:o}, owner {status.st_uid}:{status.st_gid})",
            f"its owner can run: chown {os.geteuid()} {path} && chmod u+rwx {path}",
        )


def _not_writable(path: Path) -> bool:
    return path.exists() and not os.access(path, os.W_OK | os.X_OK)


def _disk(layout: Layout) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(layout.project).free
    if free < LOW_DISK:
        yield Diagnosis("disk", f"{free >> 20} MiB are free at {layout.project}", "free some space before the next run")
