"""``noa doctor``: what is wrong, and the next command for it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from noa_mlops.audit.cleaning import STALE, OldWorkspace, measured, old_workspaces
from noa_mlops.audit.damage import REPAIR, diagnose_evidence
from noa_mlops.audit.findings import Diagnosis
from noa_mlops.audit.incidents import diagnose_incidents
from noa_mlops.audit.runs import diagnose_runs
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import KeyStore, Ledger, LedgerReader, ledger_lines
from noa_mlops.ledger.entry import timestamp
from noa_mlops.ledger.ledger import utc_now
from noa_mlops.records.layout import Layout
from noa_mlops.registry import (
    CAPABILITY,
    CapabilityRegistry,
    Mirror,
    capability_entry,
    check_writable,
    describe,
    offers,
    ownership_command,
)

LOW_DISK = 1 << 30
"""Free bytes under which the disk is named."""

MOST_NAMED = 10
"""Workspaces that are named one by one."""


def diagnose(layout: Layout, moment: datetime | None = None) -> tuple[Diagnosis, ...]:
    """Everything wrong with a project that can be seen from here, at a ``moment``, else now; nothing is changed."""
    conflicts = _conflicts(layout)
    found = [*_registry(conflicts), *_storage(layout), *_disk(layout)]
    if _may_be_read(layout.ledger):
        found += diagnose_evidence(layout, {str(path) for path in conflicts})
        found += _ledger(layout, moment or utc_now())
    return tuple(found)


def repair(layout: Layout) -> int:
    """Rebuild the mirror from the ledger, and our capability entry; the number of the mirror's lines.

    The ledger is never touched. Raises `LedgerTampered` when it does not verify, `NotAuthorised` without its keys,
    `RegistryConflict` when the registry cannot be written.
    """
    with Ledger.open(layout, KeyStore()) as ledger:
        capabilities = CapabilityRegistry(layout.capabilities)
        if not offers(capabilities.capabilities()):
            capabilities.ensure(capability_entry(CAPABILITY))
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        return mirror.rebuild(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))


def _conflicts(layout: Layout) -> Mapping[Path, LifecycleError]:
    """Files of the registry that cannot be used, and why."""
    checks = {
        layout.capabilities: partial(_check_takes, CapabilityRegistry(layout.capabilities)),
        layout.mirror: partial(check_writable, layout.mirror),
        layout.mirror_checkpoint: partial(check_writable, layout.mirror_checkpoint),
    }
    found: dict[Path, LifecycleError] = {}
    for path, check in checks.items():
        try:
            check()
        except LifecycleError as error:
            found[path] = error
    return found


def _registry(conflicts: Mapping[Path, LifecycleError]) -> Iterator[Diagnosis]:
    """A diagnosis for each conflict; with the last command all of the registry is written anew."""
    told = {str(error): (path, error) for path, error in conflicts.items()}
    for place, (path, error) in enumerate(told.values(), start=1):
        again = (REPAIR,) if place == len(told) else ()
        yield Diagnosis("registry", str(error), error.hint, str(path), (*error.commands, *again))


def _check_takes(capabilities: CapabilityRegistry) -> None:
    """Raise `RegistryConflict` unless what we offer stands in the file, or could."""
    capabilities.check_writable()
    if not offers(capabilities.capabilities()):
        capabilities.check_takes(capability_entry(CAPABILITY))


def _ledger(layout: Layout, moment: datetime) -> Iterator[Diagnosis]:
    """What only a ledger that holds can tell: the keys it needs, how its runs ended, and which workspaces nobody needs."""
    try:
        ledger = Ledger.read_only(layout)
    except LifecycleError:
        return  # named above
    yield from _keys(ledger)
    yield from diagnose_runs(layout, ledger)
    yield from diagnose_incidents(ledger, timestamp(moment))
    yield from _workspaces(layout, ledger, moment.timestamp() - STALE)


def _keys(ledger: LedgerReader) -> Iterator[Diagnosis]:
    policy, store = ledger.state.policy, KeyStore()
    if policy is None:
        return
    founding = ledger.state.policies[0].policy
    try:
        store.find(policy, founding).signing_key("verifier")
    except LifecycleError as error:
        commands = error.commands or ("noa keys list",)
        yield Diagnosis("keys", str(error), error.hint, str(store.folder(founding)), commands)


def _workspaces(layout: Layout, ledger: LedgerReader, before: float) -> Iterator[Diagnosis]:
    old: tuple[OldWorkspace, ...] = ()
    with contextlib.suppress(PermissionError):  # named as storage
        old = old_workspaces(layout, ledger, before)
    if old:
        size = sum(workspace.size for workspace in old)
        problem = (
            f"{len(old)} workspaces that nobody needs have not changed for {STALE // 86400} days: {size >> 20} MiB"
        )
        names = tuple(f"{workspace.agent_id}: {workspace.size >> 10} KiB" for workspace in old[:MOST_NAMED])
        remedy = "remove them; evidence is never touched"
        yield Diagnosis("workspaces", problem, remedy, str(layout.workspaces), ("noa doctor --clean",), names)


def _storage(layout: Layout) -> Iterator[Diagnosis]:
    """Folders and files that this process cannot read and write; what lies in a folder that is closed is not looked at."""
    folders = (layout.artifacts, layout.workspaces, layout.evidence, layout.objects)
    above = {path for folder in folders for path in (folder, *folder.parents) if path.is_relative_to(layout.project)}
    promoted: list[Path] = []
    with contextlib.suppress(PermissionError):
        promoted += (path for path in layout.artifacts.glob("*/*") if path.parent != layout.workspaces)
    paths = (*sorted(above), layout.ledger, layout.log_checkpoints, layout.lock, *promoted)
    if closed := [path for path in paths if _is_closed(path)]:
        first, *more = (_closed(path) for path in closed)
        commands = tuple(ownership_command(path) for path in closed)
        remedy = "whoever administers them can give them to this user"
        yield Diagnosis("storage", first, remedy, str(closed[0]), commands, tuple(more))


def _is_closed(path: Path) -> bool:
    wanted = os.R_OK | os.W_OK | (os.X_OK if os.path.isdir(path) else 0)
    return os.path.exists(path) and not os.access(path, wanted)


def _closed(path: Path) -> str:
    return f"{path} is not {'' if os.access(path, os.R_OK) else 'readable and '}writable{describe(path)}"


def _may_be_read(path: Path) -> bool:
    """Whether nothing but its absence stands in the way of reading a file."""
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _disk(layout: Layout) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(layout.project).free
    if free < LOW_DISK:
        problem = f"{free >> 20} MiB are free at {layout.project}; a run may need more than {LOW_DISK >> 20}"
        remedy = "free some space before the next run: workspaces that nobody needs go first"
        commands = ("noa doctor --clean --older-than 0s",)
        yield Diagnosis("disk", problem, remedy, str(layout.project), commands, tuple(_sizes(layout)))


def _sizes(layout: Layout) -> Iterator[str]:
    """What the project itself takes on the disk, the workspaces apart."""
    for folder in (layout.artifacts, layout.workspaces, layout.evidence):
        if os.access(folder, os.R_OK | os.X_OK):
            yield f"{folder} takes {measured(folder)[0] >> 20} MiB"
