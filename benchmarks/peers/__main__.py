"""``python -m benchmarks.peers [ROUNDS]``: a lifecycle of three steps by each peer and by us, in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.lifecycle import RuntimeInProcess, orchestrator, plain_lifecycle, project, run_once
from benchmarks.measure import medians
from noa_mlops.agents import RuntimeManager

PEERS: Mapping[str, str] = {
    "dbos": "dbos==3.4.0",
    "dagster": "dagster==1.13.29",
    "metaflow": "metaflow==2.19.39",
    "mlflow": "mlflow==3.17.2",
}
"""What is installed for each peer; the script is ``run_NAME.py``."""

_MOST = {"metaflow": 5}
"""Fewer rounds for those that take seconds."""

ENVIRONMENTS = Path(".bench-peers")
HERE = Path(__file__).parent


def main() -> int:
    """Print one line for each: milliseconds, and how many of ours that is."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with project() as folder, orchestrator(folder, RuntimeInProcess()) as direct:
        candidates = {"floor": partial(plain_lifecycle, folder / "floor"), "ours": partial(run_once, direct)}
        times = medians(candidates, rounds=rounds)
    with project() as folder, orchestrator(folder, RuntimeManager()) as isolated:
        times |= medians({"ours, isolated": partial(run_once, isolated)}, rounds=rounds)
    times |= {name: peer(name, min(rounds, _MOST.get(name, rounds))) for name in PEERS}
    for name, taken in times.items():
        print(f"  {name:<16}{taken:10.1f} ms  {taken / times['ours']:8.2f} of ours in process")
    return 0


def peer(name: str, rounds: int) -> float:
    """The median of a peer's lifecycle in milliseconds. Raises `subprocess.CalledProcessError`."""
    python = environment(name, (PEERS[name],))
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        script = [str(python), str(HERE / f"run_{name}.py"), str(rounds)]
        told = subprocess.run(script, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    taken: float = json.loads(told.stdout.splitlines()[-1])["ms"]
    return taken


def environment(name: str, packages: Sequence[str]) -> Path:
    """The interpreter of a peer's environment with its ``packages``, made when it is not there."""
    folder = (ENVIRONMENTS / name).absolute()
    python, stamp = folder / "bin" / "python", folder / ".complete"
    if not stamp.exists():
        print(f"installing {', '.join(packages)} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True)
        stamp.touch()
    return python


if __name__ == "__main__":
    sys.exit(main())
