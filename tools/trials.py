"""Trials: each begins in a fresh folder and ends with a check; what did not survive is told and counted."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.steps import HUNG, Ended, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is tried: steps as `tools.steps` runs them. ``recover`` may be empty."""

    setup: str
    command: str
    recover: str
    check: str
    timeout: float = 60.0


@dataclass(slots=True)
class Tally:
    """How trials ended: how many, how many survived, which did not, and how many planned ones never came about."""

    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)
    absent: int = 0

    def add(self, other: Tally) -> None:
        """Count another sweep's trials too."""
        self.tried += other.tried
        self.survived += other.survived
        self.lost += other.lost
        self.absent += other.absent

    def lines(self) -> Iterator[str]:
        """What to print at the end; the last line is the result."""
        if self.lost:
            yield f"lost by kind: {dict(Counter(label.split('@')[0] for label in self.lost))}"
        if self.absent:
            yield f"({self.absent} planned faults did not happen: not counted)"
        yield f"survived {self.survived} of {self.tried}"


class Trials:
    """Tries one subject, always in a folder of the same name, so that traces of different trials compare."""

    def __init__(self, subject: Subject, root: str, *, keep: bool = False) -> None:
        self.subject = subject
        self.tally = Tally()
        self.folder = os.path.join(root, "d")
        self.log = os.path.join(root, "log")
        self.output = os.path.join(root, "ack")
        self._steps = Steps(subject.timeout)
        self._template = os.path.join(root, "template")
        self._root = root
        self._keep = keep
        os.mkdir(self._template)
        made = self._steps.run(subject.setup, self._environment(self._template))
        if made.status:
            sys.exit(f"setup failed ({made.status}): {made.said}")

    def fresh(self) -> None:
        """Make the folder be as the setup left it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._template, self.folder, symlinks=True)

    def empty(self) -> None:
        """Make the folder be empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)

    def command(self, *options: str) -> Ended:
        """Run the command under strace; what it says is in ``output``, what strace saw in ``log``."""
        traced = ("-f", "-o", self.log, *options)
        return self._steps.traced(self.subject.command, self._environment(self.folder), traced, self.output)

    def undisturbed(self, *options: str) -> Ended:
        """Run the command as it is, from a fresh folder. Ends the program when that fails."""
        self.fresh()
        ended = self.command(*options)
        if ended.status:
            sys.exit(f"the command fails without any fault ({ended.status}): {ended.said}")
        return ended

    def judge(self, label: str, ended: Ended | None) -> None:
        """Recover and check after a fault (``ended``) or a power cut (None), and count the trial."""
        status = "" if ended is None else str(ended.status)
        environment = self._environment(self.folder, self.output, status, label)
        recovered = self._steps.run(self.subject.recover, environment)
        checked = self._steps.run(self.subject.check, environment)
        self.tally.tried += 1
        if recovered.status == checked.status == 0 and (ended is None or ended.status != HUNG):
            self.tally.survived += 1
            return
        self.tally.lost.append(label)
        said = (checked.said if checked.status else recovered.said).splitlines() or ["?"]
        what = f"command {status or 'cut'}, recover {recovered.status}, check {checked.status}"
        print(f"LOST  {label}: {what}: {said[-1][:400]}", flush=True)
        if self._keep:
            shutil.copytree(self.folder, os.path.join(self._root, f"lost-{self.tally.tried}"), symlinks=True)

    def _environment(self, folder: str, output: str = "", status: str = "", label: str = "") -> Mapping[str, str]:
        own = {"FL_DIR": folder, "FL_ACK": output, "FL_RC": status, "FL_FAULT": label}
        return {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **os.environ, **own}


@contextmanager
def workplace(*, keep: bool = False) -> Iterator[str]:
    """A folder for trials, gone at the end unless it is to be kept; in memory where the machine has such a disk."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = os.path.realpath(tempfile.mkdtemp(prefix="faultline.", dir=base))
    try:
        yield root
    finally:
        if keep:
            print(f"states are kept under {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
