"""What a champion was shown to reach: a gain that was proven is not given away by many small steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from noa_mlops.records.metrics import METRICS
from noa_mlops.records.quantiles import plain_number


@dataclass(frozen=True, slots=True)
class ProvenGain:
    """The limit that a proven gain sets for later versions, in the metric's unit, and the version that showed it.

    Where more is better it is the least value that they may have, else the greatest.
    """

    limit: float
    version: int


Proven: TypeAlias = Mapping[str, ProvenGain]
"""The proven gains that hold for a lifecycle, by metric."""

NOTHING_PROVEN: Proven = {}
"""No gain was proven yet, or none holds any more."""


def proven_document(proven: Proven) -> dict[str, Any]:
    """JSON form, as a decision records it."""
    return {name: {"limit": plain_number(gain.limit), "version": gain.version} for name, gain in proven.items()}


def read_proven(document: Any) -> Proven:
    """What `proven_document` wrote. Raises `ValueError` for anything else."""
    if not isinstance(document, Mapping):
        raise ValueError("proven gains are a mapping of metrics")
    return {name: _read(name, written) for name, written in document.items()}


def _read(name: str, written: Any) -> ProvenGain:
    if name not in METRICS or not isinstance(written, Mapping) or written.keys() != {"limit", "version"}:
        raise ValueError(f"{name!r:.40} has no limit of a metric, or more than that")
    limit, version = written["limit"], written["version"]
    least, greatest = METRICS[name].range
    if type(limit) not in (int, float) or not (math.isfinite(limit) and least <= limit <= greatest):
        raise ValueError(f"{name} has a limit that is none")
    if METRICS[name].direction == "nearest" or type(version) is not int or version < 1:
        raise ValueError(f"{name} has no limit, or a version that is none")
    return ProvenGain(float(limit), version)
