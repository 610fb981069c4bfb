"""``python -m benchmarks.peers.drift``: two tables read and compared by each peer and by us, each in a process of its own.

Both tables are Parquet, of normal numbers and, in every fifth column, texts of 50 levels. What counts is seconds of the
clock and of the processor from reading to the verdict, without imports, and the most memory that the process held.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.drift import drawn
from benchmarks.peers.__main__ import HERE, environment

PEERS: Mapping[str, tuple[str, ...]] = {
    "drift_evidently": ("evidently==0.7.23", "pandas<3", "numpy<2.3"),
    "drift_nannyml": ("nannyml==0.13.1", "pandas<3", "numpy<2", "statsmodels", "pyarrow<22"),
    "drift_alibi": ("alibi-detect==0.12.0", "pandas<3", "pyarrow<22"),
}
"""What is installed for each peer, with what its own requirements leave out; the script is ``run_NAME.py``."""

PART = 1_000_000
"""Rows that are drawn at once."""


def main() -> int:
    """Print one line for each peer and size; ``--full`` compares 10 million rows of 20 columns as well, ours alone."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        compare(Path(folder), 100_000, 50, ("ours", *PEERS))
        compare(Path(folder), 1_000_000, 50, ("ours", "drift_nannyml"))
        if "--full" in sys.argv:
            compare(Path(folder), 10_000_000, 20, ("ours", "ours_streamed"))
    return 0


def compare(folder: Path, rows: int, columns: int, names: tuple[str, ...]) -> None:
    """Write two tables, each in one row group, and let each compare them."""
    for seed, name in enumerate(("reference", "current")):
        write(folder / f"{name}.parquet", rows, columns, seed)
    print(f"{rows:,} rows of {columns} columns, twice")
    for name in names:
        told = run(name, folder)
        print(f"  {name:<18}{told['s']:8.2f} s{told['cpu']:8.2f} s of the processor{told['mib']:8.0f} MiB", flush=True)


def write(path: Path, rows: int, columns: int, seed: int) -> None:
    """One row group, however many rows there are."""
    parts = [drawn(min(PART, rows - start), columns, seed * 100 + start // PART) for start in range(0, rows, PART)]
    table = pa.concat_tables(parts)
    pq.write_table(table, path, row_group_size=rows)


def run(name: str, folder: Path) -> dict[str, float]:
    """What one of them took. Raises `subprocess.CalledProcessError`."""
    python = environment(name, PEERS[name]) if name in PEERS else Path(sys.executable)
    script = HERE / f"run_{name if name in PEERS else f'drift_{name}'}.py"
    surroundings = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    told = subprocess.run(
        [str(python), str(script)],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1200,
        env=surroundings,
    )
    taken: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return taken


if __name__ == "__main__":
    sys.exit(main())
