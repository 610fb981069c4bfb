"""Reports for CI, below ``cicd/ml/reports``: projections of the evidence that jobs can collect, one line each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noa_mlops.errors import RegistryConflict
from noa_mlops.files import make_directories
from noa_mlops.records.documents import compact
from noa_mlops.records.layout import Layout

DRIFT_REPORT = "drift_report.jsonl"


def append_drift_report(layout: Layout, document: Mapping[str, Any]) -> Path:
    """Append a scan to ``drift_report.jsonl``. Raises `RegistryConflict` when the file cannot be written."""
    path = layout.ci / "reports" / DRIFT_REPORT
    try:
        make_directories(path.parent)
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            os.write(log, compact(document) + b"\n")
        finally:
            os.close(log)
    except OSError as error:
        raise RegistryConflict(
            f"{path} cannot be written ({error.strerror})",
            hint="The scan is recorded; make the folder writable for the next one.",
        ) from error
    return path
