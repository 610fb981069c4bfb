"""Versions that the gate did not let through: what was measured beside what was asked, on which data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noa_mlops.audit.findings import Diagnosis
from noa_mlops.errors import LifecycleError
from noa_mlops.files import hash_stream, open_beneath
from noa_mlops.ledger import LedgerEntry, LedgerReader, identity_of
from noa_mlops.records.events import DECISION
from noa_mlops.records.layout import Layout
from noa_mlops.records.threshold_text import threshold_text

_MEASURED_AGAIN = "data that were wrong are mended and measured again, which is one look more"
_REMEDIES = {
    "fail": f"{_MEASURED_AGAIN}; else improve the model or the data. Then train again; the champion stays in force",
    "inconclusive": f"more rows of evaluation data decide; {_MEASURED_AGAIN}. Then train again; the champion stays in force",
}


def diagnose_closed_gate(layout: Layout, ledger: LedgerReader, where: str, history: Sequence[LedgerEntry]) -> Diagnosis:
    """Metrics beside thresholds, and whether the data that they were measured on is still the same."""
    decision = history[-1].predicate[DECISION]
    reasons = [f"{found['metric']} {found['reason']}" for found in decision["violations"]] + decision["notes"]
    measured = next((entry for entry in history if entry.type == "EvaluationLogged"), None)
    data = _data(layout, ledger, measured.predicate["dataset"]) if measured is not None else "no data was declared"
    return Diagnosis(
        "gate",
        f"{where} was not promoted ({decision['verdict']}): {'; '.join(reasons)}; {data}",
        _REMEDIES[decision["verdict"]],
        f"entry {history[-1].seq}",
        (f"noa evaluate {where}", f"noa run {where}"),
        tuple(_beside_thresholds(decision)),
    )


def _beside_thresholds(decision: Mapping[str, Any]) -> Iterator[str]:
    for metric, threshold in decision["thresholds"].items():
        value = decision["metrics"].get(metric)
        yield f"{metric} {'was not measured' if value is None else f'{value:.4g}'}, asked: {threshold_text(threshold)}"


def _data(layout: Layout, ledger: LedgerReader, dataset: Mapping[str, Any]) -> str:
    """Whether the files of a dataset are still those that were measured on."""
    try:
        identity = identity_of(ledger, dataset["identity"])
    except LifecycleError:
        return f"what {dataset['path']} was then cannot be read any more"
    digests = {file["path"]: _digest(layout.project, file["path"]) for file in identity["files"]}
    if gone := [path for path, digest in digests.items() if digest is None]:
        return f"{', '.join(gone)} cannot be read any more"
    if changed := [file["path"] for file in identity["files"] if digests[file["path"]] != file["sha256"]]:
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
