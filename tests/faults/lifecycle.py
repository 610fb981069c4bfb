"""The whole way of a small plan, as steps of `tools.faultline`: init, run, promote; what must follow; what must hold.

The trainer is two lines for a shell; orchestrator, supervisor, ledger, store, mirror and seal are the real ones. What
the run promises it says on standard output, each promise one whole line.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import threading
from pathlib import Path

from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.audit import repair, verify
from noa_mlops.cli.app import main
from noa_mlops.ledger import Ledger
from noa_mlops.lifecycle import open_orchestrator
from noa_mlops.lifecycle.environment import packages
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.reading import read_document

TRAIN = 'echo odd > "$NOA_OUT/model.txt"'
PREDICT = (
    '{ echo prediction; tail -n +2 "$NOA_DATA" | while read n; do echo $((n % 2)); done; } > "$NOA_OUT/predictions.csv"'
)
PLAN = {  # its limit of time ends a program that a fault of its own has made wait for ever, before a trial gives up
    "lifecycle_id": "odd",
    "agent_profile": "command",
    "dataset_path": "data/train.csv",
    "target": "odd",
    "hyperparameters": {"command": ["sh", "-ec", TRAIN], "predict": ["sh", "-ec", PREDICT], "data_format": "csv"},
    "evaluation": {"dataset_path": "data/holdout.csv", "metric_thresholds": {"accuracy": 0.9}},
    "resources": {"time": "20s"},
}


LOADED = (
    "noa_mlops.cli.init",
    "noa_mlops.cli.verify",
    "pyarrow.csv",
    "pyarrow.parquet",
    "sklearn.metrics",
)


def warm() -> None:
    """Do once what every step would do again before it touches a file."""
    for name in LOADED:
        importlib.import_module(name)
    TrainingPlan.parse(json.dumps(PLAN).encode(), name="plan.json")
    read_document(b"version: 1", name="policy.yaml", kind=dict)
    packages()


def layout() -> Layout:
    """The project of this trial; its keys and pins are beside it."""
    root = Path(os.environ["FL_DIR"])
    os.environ |= {"NOA_KEYS": str(root / "keys"), "XDG_STATE_HOME": str(root / "state"), "HOME": str(root / "home")}
    return Layout.of(root / "project")


def prepare() -> int:
    """Data and a plan; no project yet."""
    project = layout().project
    (project / "data").mkdir(parents=True)
    for name, first in (("train", 0), ("holdout", 1000)):
        rows = "".join(f"{number},{number % 2}\n" for number in range(first, first + 20))
        (project / "data" / f"{name}.csv").write_text("number,odd\n" + rows)
    (project / "plan.json").write_text(json.dumps(PLAN))
    return 0


def live() -> int:
    """Found the project and run the plan; say every event and the outcome."""
    where = layout()
    status = main(["init", "--json", "-C", str(where.project)])
    if status:
        return status
    os.write(1, b"founded " + Ledger.read_only(where).origin.encode() + b"\n")
    with open_orchestrator(where, AgentFactory(), RuntimeManager()) as orchestrator:
        listener = threading.Thread(target=_say, args=(orchestrator.subscribe(),), daemon=True)
        listener.start()
        report = orchestrator.run_plan(TrainingPlan.load(Path("plan.json"), project=where.project))
        os.write(1, f"told {report.version} {report.state}\n".encode())
    listener.join()
    return report.exit_code


def _say(events) -> None:
    while (event := events.get()) is not None:
        if event.seq is not None:
            os.write(1, f"event {event.seq} {event.name} {event.version} {event.timestamp}\n".encode())


def again() -> int:
    """The same command once more, after whatever happened: it must succeed."""
    os.dup2(2, 1)
    return live()


def holds() -> int:
    """Everything that must hold after the second command."""
    where = layout()
    entries = [entry for entry, _ in Ledger.read_only(where).entries()]
    _check_acknowledged(Path(os.environ["FL_ACK"]).read_text(), where, entries)
    _check_promotions(where, entries)
    _check_folders(where)
    _check_stillness(where)
    assert not verify(where).findings, [str(finding) for finding in verify(where).findings]
    return main(["verify", "-C", str(where.project)])


def _check_acknowledged(said: str, where: Layout, entries) -> None:
    recorded = {(str(entry.seq), entry.type, str(entry.version), entry.ts) for entry in entries}
    versions = Ledger.read_only(where).state.lifecycle("odd").versions
    for line in said.splitlines(keepends=True):
        word, *rest = line.split()
        if word == "founded" and line.endswith("\n"):
            assert rest == [Ledger.read_only(where).origin], "another log than the one that was founded"
        elif word == "event" and line.endswith("\n"):
            assert tuple(rest) in recorded, f"lost: {line}"
        elif word == "told" and line.endswith("\n"):
            state = versions[int(rest[0])].status
            assert state == rest[1] or (state, rest[1]) == ("former", "champion"), f"{line} is now {state}"


def _check_promotions(where: Layout, entries) -> None:
    """One champion; a second promotion only if the outcome of the first run had been told."""
    promoted = [entry.version for entry in entries if entry.type == "PromotionReady" and entry.status == "ready"]
    assert len(set(promoted)) == len(promoted) in (1, 2), promoted
    if len(promoted) == 2:
        assert (where.workspaces / f"odd-{promoted[0]}" / "told").exists(), "promoted twice for one run"
    lifecycle = Ledger.read_only(where).state.lifecycle("odd")
    assert lifecycle.champion == promoted[-1]
    assert list(lifecycle.versions) == list(range(1, len(lifecycle.versions) + 1))


def _check_folders(where: Layout) -> None:
    """In the store are the promoted versions, whole, and nothing on its way anywhere but in workspaces, which are scratch."""
    states = Ledger.read_only(where).state.lifecycle("odd").versions
    stored = {path.name for path in (where.artifacts / "odd" / "command").iterdir()}
    assert stored == {str(number) for number, version in states.items() if version.status in ("champion", "former")}
    paths = [path for path in where.project.rglob("*") if not path.is_relative_to(where.workspaces)]
    odd = [str(path) for path in paths if path.name.endswith(".tmp")]
    assert not odd, odd


def _check_stillness(where: Layout) -> None:
    """Another recovery changes nothing, and the mirror is what the ledger gives, byte for byte."""
    before = _digests(where)
    open_orchestrator(where, AgentFactory(), RuntimeManager()).close()
    assert not _changed(where, before), f"a second recovery changed {_changed(where, before)}"
    repair(where)
    assert not _changed(where, before), f"the mirror is not what the ledger gives: {_changed(where, before)}"


def _changed(where: Layout, before: dict[str, str]) -> list[str]:
    now = _digests(where)
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _digests(where: Layout) -> dict[str, str]:
    """Every file but the lock, which names its last holder."""
    paths = [path for part in ("storage", "registry") for path in (where.project / part).rglob("*")]
    files = [path for path in paths if path.is_file() and path != where.lock]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
