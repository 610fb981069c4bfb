"""Tables for the tests of drift, and their summaries."""

import numpy as np
import pyarrow as pa

from noa_mlops.datasets import summarise_table


def summary(**columns):
    """The summary of a table with these columns."""
    return summarise_table(pa.table(columns))


def normal(rows, mean=0.0, seed=0):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=rows) + mean
