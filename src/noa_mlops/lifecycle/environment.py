"""What made the bytes, besides plan and data: interpreter, packages, platform, code revision."""

from __future__ import annotations

import contextlib
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from noa_mlops.records.reproduction import Change

MAX_PACKAGES = 1_000
"""Packages named in a record; an installation with more is cut there and says so."""


class Environment:
    """What makes the bytes of one run; the revision of its code is looked up while the run goes on."""

    __slots__ = ("_revision",)

    def __init__(self, project: Path) -> None:
        self._revision: Future[Mapping[str, Any] | None] = Future()
        threading.Thread(target=self._look_up, args=(project,), daemon=True).start()

    def describe(self) -> Mapping[str, Any]:
        """The environment as it goes into provenance and manifest: plain JSON values."""
        return {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "processor": processor(),
            "packages": packages(),
            "code": self._revision.result(),
        }

    def _look_up(self, project: Path) -> None:
        try:
            self._revision.set_result(revision(project))
        except OSError as error:
            self._revision.set_exception(error)


@cache
def processor() -> str | None:
    """The processor as it names itself: numeric libraries choose their instructions by it. None where that is not known."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or None


@cache
def packages() -> Mapping[str, str]:
    """Installed distributions and their versions, by name."""
    found = {item.metadata["Name"].lower(): item.version for item in metadata.distributions(path=sys.path[:])}
    return dict(sorted(found.items())[:MAX_PACKAGES])


def changes(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """What differs between two descriptions of an environment: interpreter, platform, processor, packages.

    The revision of the code is left out, since the code itself is recorded; so is what the older one does not tell.
    """
    for name in ("python", "implementation", "platform", "processor"):
        if name in recorded and recorded[name] != now[name]:
            yield Change(name, recorded[name], now[name])
    for name in sorted({*recorded["packages"], *now["packages"]}):
        before, after = recorded["packages"].get(name), now["packages"].get(name)
        if before != after:
            yield Change(f"package {name}", before, after)


def revision(project: Path) -> Mapping[str, Any] | None:
    """Commit and dirty state of the project folder, or None when it is in no git checkout or git is absent.

    Untracked files do not make a checkout dirty: a project's own evidence may be among them.
    """
    git = shutil.which("git")
    if git is None or not any((folder / ".git").exists() for folder in (project, *project.parents)):
        return None
    told = _git(git, project, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    lines = told.splitlines() if told is not None else []
    commit = next((line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)), None)
    if commit is None:
        return None
    return {"revision": commit, "dirty": any(not line.startswith("#") for line in lines)}


_COMMIT = "# branch.oid "


def _git(git: str, project: Path, *arguments: str) -> str | None:
    """The output of a git command that runs no hook or monitor of the checkout and locks nothing in it; None when it fails."""
    command = [
        git,
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-C",
        str(project),
        *arguments,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout
