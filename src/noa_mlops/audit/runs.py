"""What ended badly or not at all: interrupted runs, failures, versions that the gate did not let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noa_mlops.agents import is_owned
from noa_mlops.audit.findings import Diagnosis
from noa_mlops.errors import LifecycleError
from noa_mlops.files import hash_stream, open_beneath
from noa_mlops.ledger import LedgerEntry, LedgerReader
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import DECISION, RUN
from noa_mlops.records.layout import Layout, address

MAX_IDENTITY = 64 << 20
"""Largest identity of a dataset that is read, in bytes."""


def diagnose_runs(layout: Layout, ledger: LedgerReader) -> Iterator[Diagnosis]:
    """Runs that nobody continues, and the newest version of each lifecycle when it failed or was not let through."""
    for (name, version), agent in _unfinished(ledger).items():
        if not is_owned(layout.workspace(agent)):
            yield Diagnosis("run", f"{address(name, version)} was interrupted", "run its plan again: it continues")
    for name, lifecycle in ledger.state.lifecycles.items():
        newest = lifecycle.versions[len(lifecycle.versions)]
        last = ledger.entry(newest.last_seq)
        if newest.status == "failed":
            yield _failure(layout, address(name, newest.version), newest.agent_id, last)
        if newest.status in ("rejected", "inconclusive"):
            yield _closed_gate(layout, ledger, address(name, newest.version), ledger.history(name, newest.version))


def _unfinished(ledger: LedgerReader) -> Mapping[tuple[str, int], str]:
    """The agents of versions that have no end yet, also of those that no checkpoint vouches for."""
    found = {
        (name, version.version): version.agent_id
        for name, lifecycle in ledger.state.lifecycles.items()
        for version in lifecycle.versions.values()
        if version.on_its_way
    }
    for entry in ledger.pending:
        key = (entry.lifecycle_id or "", entry.version or 0)
        if entry.type == "Submitted":
            found[key] = entry.predicate["agent_id"]
        elif entry.status is not None:
            found.pop(key, None)
    return found


def _failure(layout: Layout, where: str, agent: str, last: LedgerEntry) -> Diagnosis:
    facts = last.predicate[RUN] if last.type == "TrainingFailed" else last.predicate
    area = "training" if last.type == "TrainingFailed" else "evaluation"
    return Diagnosis(
        area,
        f"{where} failed ({facts['cause']}): {facts['message']}",
        f"noa logs {where} prints what was said in {layout.workspace(agent)}; then correct the plan or the code and "
        "run it again",
    )


def _closed_gate(layout: Layout, ledger: LedgerReader, where: str, history: Sequence[LedgerEntry]) -> Diagnosis:
    """Metrics beside thresholds, and whether the data that they were measured on is still the same."""
    decision = history[-1].predicate[DECISION]
    reasons = [f"{found['metric']} {found['reason']}" for found in decision["violations"]] + decision["notes"]
    measured = next((entry for entry in history if entry.type == "EvaluationLogged"), None)
    data = _data(layout, ledger, measured.predicate["dataset"]) if measured is not None else "no data was declared"
    return Diagnosis(
        "gate",
        f"{where} was not promoted ({decision['verdict']}): {'; '.join(reasons)}; {data}",
        "improve the model or the data and run the plan again; the champion stays in force",
    )


def _data(layout: Layout, ledger: LedgerReader, dataset: Mapping[str, Any]) -> str:
    """Whether the files of a dataset are still those that were measured on."""
    identity = parse_object(ledger.get_object(dataset["identity"]), limit=MAX_IDENTITY)
    changed = [file["path"] for file in identity["files"] if _digest(layout.project, file["path"]) != file["sha256"]]
    if changed:
        return f"{', '.join(changed)} changed since it was measured"
    return f"{dataset['path']} is still the data that it was measured on"


def _digest(project: Path, path: str) -> str | None:
    """SHA-256 of a data file; None when it cannot be read."""
    root, relative = (Path("/"), path.lstrip("/")) if path.startswith("/") else (project, path)
    try:
        with open_beneath(root, relative) as stream:
            return hash_stream(stream)
    except (OSError, LifecycleError):
        return None
