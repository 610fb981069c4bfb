"""Evidently with its preset for drift, as it comes."""

from __future__ import annotations

import pandas as pd
import steps
from evidently import Report
from evidently.presets import DataDriftPreset


def compare() -> object:
    """Read, compare."""
    reference, current = (pd.read_parquet(f"{name}.parquet") for name in ("reference", "current"))
    return Report([DataDriftPreset()]).run(current, reference).dict()


steps.report_once(compare)
