"""NannyML's univariate drift, as it comes, on one chunk of current data; its usage is not reported."""

from __future__ import annotations

import nannyml
import pandas as pd
import steps


def compare() -> object:
    """Read, compare."""
    reference, current = (pd.read_parquet(f"{name}.parquet") for name in ("reference", "current"))
    calculator = nannyml.UnivariateDriftCalculator(column_names=list(reference.columns), chunk_number=10)
    return calculator.fit(reference).calculate(current).to_df()


steps.report_once(compare)
