"""``python -m benchmarks [TITLE...] [--full]``: every benchmark, or those named, one line each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping

from benchmarks import (
    agents,
    appending,
    drift,
    gate,
    lifecycle,
    promotion,
    reading,
    resuming,
    searching,
    startup,
    tabular,
    torch,
    transition,
)

ROOMS: Mapping[str, Callable[[], Iterable[object]]] = {
    "Start-up": startup.lines,
    "Ledger": transition.lines,
    "Appending": appending.lines,
    "Reading": reading.lines,
    "Lifecycle": lifecycle.lines,
    "Agents": agents.lines,
    "Resuming": resuming.lines,
    "Promotion": promotion.lines,
    "Gate": gate.lines,
    "Drift": drift.lines,
    "Search": searching.lines,
    "Tabular": tabular.lines,
    "Torch": torch.lines,
}


def main() -> int:
    """Run all benchmarks, or those whose titles the command line names."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        sys.stderr.write("PYTHONDONTWRITEBYTECODE is set: without byte code, start-up times mean nothing\n")
        return 2
    wanted = {name.lower() for name in sys.argv[1:] if not name.startswith("--")}
    for title, lines in ROOMS.items():
        if not wanted or title.lower() in wanted:
            print(title)
            for line in lines():
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
