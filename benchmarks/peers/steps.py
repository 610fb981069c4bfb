"""The three steps that every peer is given: write a model of 1 MB, measure it, copy it to where it is in force.

Standard library only: a peer runs this in an environment of its own, without our package.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

MODEL = bytes(1_000_000)


def train(folder: str) -> str:
    """Write the model; its path."""
    path = Path(folder) / f"model-{time.perf_counter_ns()}.bin"
    path.write_bytes(MODEL)
    return str(path)


def evaluate(model: str) -> float:
    """A metric of the model: how large it is."""
    return float(Path(model).stat().st_size)


def promote(model: str) -> str:
    """Copy the model to the place of the one in force."""
    return str(shutil.copyfile(model, Path(model).with_name("champion.bin")))


def report(lifecycle: Callable[[], object]) -> None:
    """Run ``lifecycle`` as often as the command line says, and print the median in milliseconds as JSON."""
    rounds = int(sys.argv[1])
    taken = []
    for turn in range(-2, rounds):
        began = time.perf_counter()
        lifecycle()
        if turn >= 0:
            taken.append(time.perf_counter() - began)
    print(json.dumps({"ms": statistics.median(taken) * 1000}))


def report_once(compare: Callable[[], object]) -> None:
    """Run ``compare`` once; print its seconds, those of the processor, and the most memory of the process, as JSON."""
    began, busy = time.perf_counter(), time.process_time()
    compare()
    taken = {"s": time.perf_counter() - began, "cpu": time.process_time() - busy}
    # Not by getrusage: that counts what the process held before it became this program, too.
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    mib = int(held.split()[1]) / 1024
    print(json.dumps({**taken, "mib": mib}))
