"""How the probabilities of a model came true when it was measured: what its word is worth where labels are not there yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from noa_mlops.records.documents import Json

BINS = 20
"""Bins of about as many rows each."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of each bin of rows, by rising probability of the positive class: the mean of it, the rows, how many were positive."""

    means: tuple[float, ...]
    rows: tuple[int, ...]
    positives: tuple[int, ...]

    def to_document(self) -> dict[str, Json]:
        """JSON form, as a member of others."""
        bins = zip(self.means, self.rows, self.positives, strict=True)
        return {"calibration": [[mean, rows, positives] for mean, rows, positives in bins]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_document` wrote. Raises `ValueError` or `TypeError` for anything else."""
        means, rows, positives = zip(*document["calibration"], strict=True)
        if not all(type(mean) in (int, float) and math.isfinite(mean) for mean in means):
            raise ValueError("the mean of a bin is a number")
        if any(before >= after for before, after in pairwise(means)):
            raise ValueError("the bins of a calibration ascend")
        if not all(
            type(of) is int and type(hits) is int and 0 <= hits <= of > 0
            for of, hits in zip(rows, positives, strict=True)
        ):
            raise ValueError("a bin has rows, and no more positives than rows")
        return cls(tuple(map(float, means)), rows, positives)
