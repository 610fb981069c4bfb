"""The challenger beside the champion, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noa_mlops.records.quantiles import plain_number
from noa_mlops.records.verdict import Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """The champion measured on the rows of the challenger.

    ``champion`` is its version number; ``metrics`` are its values, None where there is none; ``improvements`` say how
    much better the challenger is in each metric, its sign turned so that more is better. ``unavailable`` says why the
    champion could not be measured at all; then both are empty. ``identical``: both are the same bytes, model and code.
    """

    champion: int
    metrics: Mapping[str, float | None]
    improvements: Mapping[str, Estimate]
    unavailable: str | None = None
    identical: bool = False

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "version": self.champion,
            "metrics": {name: None if value is None else plain_number(value) for name, value in self.metrics.items()},
            "improvements": {name: estimate.to_document() for name, estimate in self.improvements.items()},
            "unavailable": self.unavailable,
            "identical": self.identical,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Comparison:
        """The comparison that `to_document` wrote. Raises `KeyError` or `ValueError` for anything else."""
        improvements = {name: Estimate.from_document(value) for name, value in document["improvements"].items()}
        metrics = {name: None if value is None else float(value) for name, value in document["metrics"].items()}
        return cls(
            document["version"], metrics, improvements, document["unavailable"], identical=document["identical"] is True
        )
