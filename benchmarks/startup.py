"""How long a person or a script waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Candidate, Line, medians

NOA = Path(sys.executable).with_name("noa")
NEW_MODULES = "import sys; before = set(sys.modules); import noa_mlops; print(len(set(sys.modules) - before))"


def lines(rounds: int = 21) -> Iterator[Line]:
    """``noa --version``, ``noa --help`` and ``import noa_mlops``, each against a bare interpreter of this environment."""
    python = sys.executable
    times = medians(
        {
            "pass": process(python, "-c", "pass"),
            "version": process(NOA, "--version"),
            "help": process(NOA, "--help"),
            "import": process(python, "-c", "import noa_mlops"),
        },
        rounds=rounds,
    )
    floor = times["pass"]
    yield Line("noa --version", "python -c pass", floor, times["version"], 1.5)
    yield Line("noa --help", "python -c pass", floor, times["help"], 6)
    modules = subprocess.run([python, "-c", NEW_MODULES], capture_output=True, text=True, check=True).stdout.strip()
    note = f"adds {times['import'] - floor:.1f} ms (goal 30), {modules} new modules (goal 60)"
    yield Line("import noa_mlops", "python -c pass", floor, times["import"], (floor + 30) / floor, note)


def process(*arguments: str | Path) -> Candidate:
    """Start a program and wait for its end. Raises `subprocess.CalledProcessError` when it fails."""

    def run() -> None:
        subprocess.run(arguments, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)

    return run
