"""The subjects of `tools.faultline` in this project, and all that is asked of them.

``python -m faults.sweeps`` (from ``make soak``) tries every system call and every power cut of both; with a number,
that many trials of each kind, spread evenly.
"""

from __future__ import annotations

import os
import sys

from tools.disk import VARIANTS
from tools.faultline import FAULTS, Sweep, sweep_all
from tools.trials import Subject, Tally

KINDS = {"inject": tuple(FAULTS.split(",")), "powercut": tuple(VARIANTS)}
WHAT = {"inject": "injected faults", "powercut": "power-cut states"}


def subject(module: str) -> Subject:
    """The steps of a module of this folder."""
    steps = {"setup": "prepare", "command": "live", "recover": "again", "check": "holds"}
    return Subject(**{step: f"python:faults.{module}:{name}" for step, name in steps.items()})


LIFECYCLE = subject("lifecycle")
BATCH = subject("batch")


def sweep(mode: str, tried: Subject, most: int = 0, jobs: int = 1) -> Tally:
    """Try a subject in all ways of a mode; ``most`` limits the trials to a sample, spread evenly."""
    return sweep_all(mode, tried, Sweep(kinds=KINDS[mode], most=most), jobs)


def main() -> int:
    """Everything, or a sample of so many trials each; agents are mostly waited for, so one process more than cores."""
    most = int(sys.argv[1]) if sys.argv[1:] else 0
    jobs = 1 if most else (os.cpu_count() or 1) + 1
    whole = Tally()
    for mode, what in WHAT.items():
        for name, tried in (("init, run, promote", LIFECYCLE), ("batches of entries", BATCH)):
            tally = sweep(mode, tried, most, jobs)
            sys.stdout.write(f"{name}, {what}: survived {tally.survived} of {tally.tried}\n")
            whole.add(tally)
    for line in whole.lines():
        sys.stdout.write(f"{line}\n")
    return 0 if whole.survived == whole.tried else 1


if __name__ == "__main__":
    sys.exit(main())
