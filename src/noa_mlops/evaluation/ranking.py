"""How well probabilities order the rows: the curve of hits and false alarms, and what lies under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Order = npt.NDArray[np.int64]


def ranks(given: npt.NDArray[np.float64]) -> Order:
    """The rows in the order of their probabilities, least first."""
    return np.argsort(given, kind="stable")


@dataclass(frozen=True, slots=True)
class Curve:
    """For each distinct probability, greatest first: how many rows from it on are of the class, and how many are not.

    Both kinds of rows must occur. Rows of equal probability are one step, so the order of the rows does not matter.
    """

    hits: Counts
    false_alarms: Counts

    @classmethod
    def of(
        cls, outcomes: npt.NDArray[np.bool_], given: npt.NDArray[np.float64], ascending: Order | None = None
    ) -> Self:
        """The curve of rows that are of the class or not, and the probabilities they were given for it.

        ``ascending`` is the `ranks` of the probabilities, when somebody has sorted them already.
        """
        order = (ranks(given) if ascending is None else ascending)[::-1]
        ranked = given[order]
        last_of_equals = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), ranked.size - 1)
        hits = np.cumsum(outcomes[order], dtype=np.int64)[last_of_equals]
        return cls(hits, last_of_equals + 1 - hits)

    @property
    def area(self) -> float:
        """Area under the ROC curve: the chance that a row of the class ranks above one that is not, ties counting half.

        The sum is one of whole numbers, and exact below 2**31 rows.
        """
        widths = np.diff(self.false_alarms, prepend=0)
        heights = self.hits + np.concatenate(([0], self.hits[:-1]))
        doubled = int(np.dot(widths, heights))
        return doubled / (2 * int(self.hits[-1]) * int(self.false_alarms[-1]))

    @property
    def average_precision(self) -> float:
        """Mean over the rows of the class of the precision where each is found, without interpolation."""
        found = np.diff(self.hits, prepend=0)
        precision = self.hits / (self.hits + self.false_alarms)
        return min(1.0, float(np.dot(found, precision)) / int(self.hits[-1]))
