"""Alibi Detect's tabular drift: Kolmogorov-Smirnov and chi-squared, corrected by the false discovery rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import steps
from alibi_detect.cd import TabularDrift


def compare() -> object:
    """Read, write texts as codes, compare."""
    reference, current = (pd.read_parquet(f"{name}.parquet") for name in ("reference", "current"))
    texts = {place: None for place, kind in enumerate(reference.dtypes) if pd.api.types.is_string_dtype(kind)}
    for place in texts:
        name = reference.columns[place]
        levels = sorted(reference[name].unique())
        for table in (reference, current):
            table[name] = pd.Categorical(table[name], categories=levels).codes
    sides = [table.to_numpy(np.float64) for table in (reference, current)]
    return TabularDrift(sides[0], p_val=0.01, categories_per_feature=texts, correction="fdr").predict(sides[1])


steps.report_once(compare)
