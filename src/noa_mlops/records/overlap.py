"""How many rows of the evaluation data training has seen, and how many of them chance explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noa_mlops.records.quantiles import plain_number

EXCESS = 0.01
"""The least share of evaluation rows, beyond those equal by chance, that counts as a leak."""

ERRORS = 5.0
"""How many standard errors the excess must be above zero as well."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """``shared`` of ``rows`` evaluation rows are training rows; ``expected`` is the share that chance explains, ``error`` its error.

    ``by_key`` when rows were told apart by a key; then none is expected.
    """

    shared: int
    rows: int
    expected: float
    error: float
    by_key: bool

    @property
    def share(self) -> float:
        """The share of evaluation rows that training has seen."""
        return self.shared / self.rows if self.rows else 0.0

    @property
    def leaks(self) -> bool:
        """Whether that is more than chance explains; by key any row is."""
        if self.by_key:
            return self.shared > 0
        excess = self.share - self.expected
        return excess >= EXCESS and excess > ERRORS * self.error

    def __str__(self) -> str:
        """In words, with the share that is named whatever the verdict."""
        how = "by their key" if self.by_key else f"{self.expected:.2%} expected by chance"
        return f"{self.shared:,} of {self.rows:,} rows ({self.share:.2%}) are in the training data too, {how}"

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "shared": self.shared,
            "rows": self.rows,
            "expected": plain_number(self.expected),
            "error": plain_number(self.error),
            "by_key": self.by_key,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Overlap:
        """The overlap that `to_document` wrote. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        expected, error = float(document["expected"]), float(document["error"])
        return cls(int(document["shared"]), int(document["rows"]), expected, error, bool(document["by_key"]))
