"""What a plan allows a metric to differ between the groups that the values of a column make."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from noa_mlops.records.documents import Json
from noa_mlops.records.metrics import Metric
from noa_mlops.records.quantiles import plain_number
from noa_mlops.records.reading.fields import Fault, FieldInvalid, shown
from noa_mlops.records.reading.scalars import number_hint
from noa_mlops.records.reading.values import text_problem


@dataclass(frozen=True, slots=True)
class Fairness:
    """How far a metric may differ between any two groups of the column ``by``; exactly one of the two rules is set.

    ``max_difference`` is in the metric's unit; ``min_ratio`` is the least share of the greater value that the smaller one is.
    """

    by: str
    max_difference: float | None = None
    min_ratio: float | None = None

    def __post_init__(self) -> None:
        FieldInvalid.raise_any(_faults({name: getattr(self, name) for name in ("by", *_RULES)}))
        for name in _RULES:
            limit = getattr(self, name)
            object.__setattr__(self, name, None if limit is None else float(limit) + 0.0)

    def faults_for(self, metric: Metric) -> Iterator[Fault]:
        """Why the rule does not fit a metric: a ratio has no meaning where values may be negative."""
        if self.min_ratio is not None and metric.range[0] < 0:
            suggestion = f"{metric.name} may be negative: write max_difference"
            yield Fault("must be absent", ("min_ratio",), suggestion)

    def to_document(self) -> dict[str, Json]:
        """As a plan writes it."""
        limits = {name: limit for name in _RULES if (limit := getattr(self, name)) is not None}
        return {"by": self.by, **{name: plain_number(limit) for name, limit in limits.items()}}


def read_fairness(written: Any) -> Fairness:
    """The rule that a plan writes: ``{by: ..., max_difference: ...}`` or ``{by: ..., min_ratio: ...}``.

    Raises `FieldInvalid` with every fault.
    """
    if not isinstance(written, Mapping):
        suggestion = "write {by: COLUMN, max_difference: 0.1} or {by: COLUMN, min_ratio: 0.8}"
        raise FieldInvalid([Fault(f"must be a mapping, got {shown(written)}", suggestion=suggestion)])
    unknown = [name for name in written if name not in ("by", *_RULES)]
    suggestion = "use 'by' with 'max_difference' or 'min_ratio'"
    FieldInvalid.raise_any(Fault("unknown field {}", (name,), suggestion, of_key=True) for name in unknown)
    FieldInvalid.raise_any(_faults(written))
    return Fairness(**written)


def fairness_schema() -> dict[str, Any]:
    """JSON Schema of the written form."""
    return {
        "description": "How far the metric may differ between the groups of a column of the evaluation data.",
        "type": "object",
        "additionalProperties": False,
        "required": ["by"],
        "oneOf": [{"required": [rule]} for rule in _RULES],
        "properties": {
            "by": {"type": "string", "minLength": 1},
            "max_difference": {"type": "number", "minimum": 0},
            "min_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        },
    }


def column_faults(name: Any) -> Iterator[Fault]:
    """Why a value cannot be the name of a column."""
    if not isinstance(name, str):
        yield Fault(f"must be the name of a column, got {shown(name)}", suggestion="put it in quotes to make it text")
    elif not name.strip():
        yield Fault("must not be empty")
    elif problem := text_problem(name):
        yield Fault(problem)


_RULES = ("max_difference", "min_ratio")


def _faults(members: Mapping[str, Any]) -> Iterator[Fault]:
    if members.get("by") is None:
        yield Fault("is missing", ("by",), "name the column whose values are the groups")
    else:
        yield from (fault.within("by") for fault in column_faults(members["by"]))
    rules = [rule for rule in _RULES if members.get(rule) is not None]
    if len(rules) != 1:
        yield Fault("must have either 'max_difference' or 'min_ratio'")
    for rule in rules:
        yield from (fault.within(rule) for fault in _limit_faults(rule, members[rule]))


def _limit_faults(rule: str, limit: Any) -> Iterator[Fault]:
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        yield Fault(f"must be a number, got {shown(limit)}", suggestion=number_hint(limit))
    elif not math.isfinite(limit) or limit < 0:
        yield Fault(f"must be a finite number from 0 on, got {shown(limit)}")
    elif rule == "min_ratio" and not 0 < limit <= 1:
        yield Fault(f"must be over 0 and at most 1, got {shown(limit)}", suggestion="it is smaller over greater value")
