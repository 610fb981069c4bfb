"""Old workspaces go, evidence never does.

What an agent leaves in its workspace is for people: logs, predictions, the model of a version that was not promoted. The
ledger, its objects and the promoted versions do not need it. A workspace stays while its version may need it: on its
way, held or inconclusive, or owned by a living process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.agents import Workspace, is_owned
from noa_mlops.errors import LedgerConflict
from noa_mlops.files import sync_directory
from noa_mlops.ledger import LedgerReader
from noa_mlops.records.layout import PREDICTOR, TRIAL, Layout

KEPT = frozenset({"submitted", "trained", "evaluated", "held", "inconclusive"})
"""States of a version that may still need its workspace."""

STALE = 7 * 86400
"""Seconds without a change after which a workspace that nobody needs is named, and goes unless another age is asked for."""


@dataclass(frozen=True, slots=True)
class OldWorkspace:
    """A workspace that may go: its agent, its size in bytes, and when something in it last changed (seconds, Unix)."""

    agent_id: str
    size: int
    changed: float


def old_workspaces(layout: Layout, ledger: LedgerReader, before: float) -> tuple[OldWorkspace, ...]:
    """The workspaces that nobody needs and in which nothing changed since ``before`` (seconds, Unix); by name."""
    needed = set(_needed(ledger))
    names = sorted(path.name for path in layout.workspaces.iterdir()) if layout.workspaces.is_dir() else ()
    found = []
    for name in names:
        path = layout.workspaces / name
        if name.removesuffix(PREDICTOR).partition(TRIAL)[0] in needed or not _is_folder(path) or is_owned(path):
            continue
        size, changed = measured(path)
        if changed < before:
            found.append(OldWorkspace(name, size, changed))
    return tuple(found)


def clean(layout: Layout, old: tuple[OldWorkspace, ...]) -> int:
    """Remove workspaces; the bytes given back. One that a process has taken meanwhile stays.

    Raises `LedgerConflict` when one cannot be removed.
    """
    freed = 0
    for workspace in old:
        claimed = Workspace.claim(layout, workspace.agent_id)
        if claimed is None:
            continue
        with claimed:
            try:
                claimed.remove()
            except OSError as error:
                raise LedgerConflict(
                    f"{claimed.path} cannot be removed ({error.strerror})",
                    hint="'noa doctor' names folders that are not writable.",
                ) from error
        freed += workspace.size
    if old:
        sync_directory(layout.workspaces)
    return freed


def _needed(ledger: LedgerReader) -> Iterator[str]:
    for lifecycle in ledger.state.lifecycles.values():
        yield from (version.agent_id for version in lifecycle.versions.values() if version.status in KEPT)
    yield from (entry.predicate["agent_id"] for entry in ledger.pending if entry.type == "Submitted")


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def measured(path: Path) -> tuple[int, float]:
    """Size of all files below, and the newest change of any; nothing is followed."""
    size, changed = 0, path.lstat().st_mtime
    for folder, _, files in os.walk(path):
        for name in files:
            status = os.lstat(os.path.join(folder, name))
            size, changed = size + status.st_size, max(changed, status.st_mtime)
    return size, changed
