"""Tables for the tests of drift, and their summaries."""

import numpy as np
import pyarrow as pa

from noa_mlops.datasets import summarise_table
from noa_mlops.drift import weigh


def summary(**columns):
    """The summary of a table with these columns."""
    return summarise_table(pa.table(columns))


def normal(rows, mean=0.0, seed=0):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=rows) + mean


def signs(report):
    """What a second window would have to show again."""
    return tuple(tuple(sign) for sign in weigh(report, None).signs)
