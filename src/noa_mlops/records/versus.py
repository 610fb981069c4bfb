"""What a plan allows a challenger to be worse than the champion, or asks it to be better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from noa_mlops.records.documents import Json
from noa_mlops.records.metrics import Metric
from noa_mlops.records.quantiles import plain_number
from noa_mlops.records.reading.fields import Fault, FieldInvalid, shown
from noa_mlops.records.reading.scalars import number_hint

Rule: TypeAlias = Literal["max_drop", "min_gain", "none"]
"""No more than so much worse; at least so much better; or no comparison, which is shown wherever the model is."""

DEFAULT_DROP = 0.02
"""What a challenger may be worse when its plan says nothing: of a metric from 0 to 1, else of the champion's value."""


@dataclass(frozen=True, slots=True)
class VersusChampion:
    """What a challenger may lose, or must gain, against the champion in one metric; ``margin`` is in its unit, 0 or more."""

    rule: Rule
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.rule not in ("max_drop", "min_gain", "none"):
            raise FieldInvalid([Fault(f"must be max_drop, min_gain or none, got {shown(self.rule)}")])
        FieldInvalid.raise_any(_margin_faults(self.margin))
        object.__setattr__(self, "margin", float(self.margin) + 0.0)

    @property
    def limit(self) -> float:
        """The improvement that must be shown: below zero for a drop that is allowed."""
        return self.margin if self.rule == "min_gain" else -self.margin

    def to_document(self) -> Json:
        """As a plan writes it."""
        return "none" if self.rule == "none" else {self.rule: plain_number(self.margin)}

    @classmethod
    def default(cls, metric: Metric, champion: float) -> VersusChampion:
        """What holds when the plan says nothing; ``champion`` is its value of the metric."""
        return cls("max_drop", DEFAULT_DROP * (1.0 if metric.range == (0.0, 1.0) else abs(champion)))


def read_versus(written: Any) -> VersusChampion:
    """The rule that a plan writes: ``none``, ``{max_drop: ...}`` or ``{min_gain: ...}``. Raises `FieldInvalid`."""
    if written == "none":
        return VersusChampion("none")
    if not isinstance(written, Mapping) or len(written) != 1:
        suggestion = "write {max_drop: 0.01}, {min_gain: 0.0} or none"
        raise FieldInvalid([Fault(f"must be one rule, got {shown(written)}", suggestion=suggestion)])
    ((rule, margin),) = written.items()
    if rule not in ("max_drop", "min_gain"):
        raise FieldInvalid([Fault("unknown field {}", (rule,), "use 'max_drop' or 'min_gain'", of_key=True)])
    FieldInvalid.raise_any([fault.within(rule) for fault in _margin_faults(margin)])
    return VersusChampion(rule, margin)


def versus_schema() -> dict[str, Any]:
    """JSON Schema of the written form."""
    margin = {"type": "number", "minimum": 0}
    rules = [
        {"type": "object", "additionalProperties": False, "required": [rule], "properties": {rule: margin}}
        for rule in ("max_drop", "min_gain")
    ]
    return {
        "description": "How much worse than the champion the model may be, or how much better it must be, on the same rows.",
        "anyOf": [{"const": "none"}, *rules],
    }


def _margin_faults(margin: Any) -> Iterator[Fault]:
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        yield Fault(f"must be a number, got {shown(margin)}", suggestion=number_hint(margin))
    elif not math.isfinite(margin) or margin < 0:
        yield Fault(f"must be a finite number from 0 on, got {shown(margin)}")
