"""Where a project keeps its files: may they be read and written, is there room, and what lies there that nobody needs?"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from noa_mlops.audit.cleaning import STALE, OldWorkspace, measured, old_workspaces
from noa_mlops.audit.findings import Diagnosis
from noa_mlops.ledger import LedgerReader
from noa_mlops.records.layout import Layout
from noa_mlops.registry import describe, move_command, ownership_command

LOW_DISK = 1 << 30
"""Free bytes under which the disk is named."""

MOST_NAMED = 10
"""Workspaces that are named one by one."""


def diagnose_workspaces(layout: Layout, ledger: LedgerReader, before: float) -> Iterator[Diagnosis]:
    """Workspaces that no version needs and in which nothing changed since ``before`` (seconds, Unix)."""
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


def diagnose_storage(layout: Layout) -> Iterator[Diagnosis]:
    """Folders and files that this process cannot read and write; what lies in a folder that is closed is not looked at."""
    folders = (layout.artifacts, layout.workspaces, layout.evidence, layout.objects)
    above = {path for folder in folders for path in (folder, *folder.parents) if path.is_relative_to(layout.project)}
    for path in (layout.workspaces, layout.objects):
        if os.path.lexists(path) and not os.path.isdir(path):
            remedy = "move it away: the folder is made anew when it is needed"
            yield Diagnosis(
                "storage", f"{path} is not a folder{describe(path)}", remedy, str(path), (move_command(path),)
            )
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


def diagnose_disk(layout: Layout) -> Iterator[Diagnosis]:
    """Whether there is less room than a run may need."""
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
