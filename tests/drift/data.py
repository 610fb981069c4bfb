"""Tables for the tests of drift, and their summaries."""

import numpy as np
import pyarrow as pa

from noa_mlops.datasets import summarise_table

LEVELS = (2, 3, 5, 8, 10, 20, 30, 50, 70, 100)


def summary(**columns):
    """The summary of a table with these columns."""
    return summarise_table(pa.table(columns))


def wide(draw, rows, *, shift=0.0, moved=0):
    """The summary of 40 numeric and 10 categorical columns; the first ``moved`` ones are normal and shifted."""
    shapes = (draw.normal, draw.exponential, draw.random)
    numbers = {
        f"n{place}": draw.normal(size=rows) + shift if place < moved else shapes[place % 3](size=rows)
        for place in range(40)
    }
    texts = {f"c{levels}": draw.integers(0, levels, rows).astype(str) for levels in LEVELS}
    return summary(**numbers, **texts)


def normal(rows, mean=0.0, seed=0):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=rows) + mean
