"""Which hyperparameters a plan lets the machine try: where they are drawn from, and by which metric they are compared.

The draws follow from the plan alone, so what will be tried is known, and checked, before anything runs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeGuard

from noa_mlops.records.documents import Json
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.reading.fields import Fault, FieldInvalid, Form, Rule, check_fields, shown, whole
from noa_mlops.records.reading.values import mapping_faults, plain

SEARCHED = (
    *("accuracy", "balanced_accuracy", "f1", "mcc", "roc_auc", "average_precision", "log_loss"),
    *("r2", "mae", "rmse", "median_ae"),
)
"""Metrics that trials can be compared by."""

MAX_TRIALS = 1000
"""Most trials of a search."""

DIGITS = 6
"""Significant digits of a drawn number, so that it is the same on every machine."""


def _metric(value: Any) -> Iterator[Fault]:
    if value not in SEARCHED:
        yield Fault(f"must be one of {', '.join(SEARCHED)}, got {shown(value)}")


def _space(space: Any) -> Iterator[Fault]:
    if not isinstance(space, Mapping) or not space:
        yield Fault(
            "must name at least one hyperparameter", (), "write {learning_rate: {low: 0.01, high: 0.3, log: true}}"
        )
        return
    yield from mapping_faults(space)
    for name, values in space.items():
        yield from (fault.within(name) for fault in _values(values))


def _values(values: Any) -> Iterator[Fault]:
    if isinstance(values, list | tuple):
        if not values:
            yield Fault("must have at least one value")
        return
    if not isinstance(values, Mapping):
        yield Fault(f"must be a list of values or a range, got {shown(values)}", (), "write {low: 0.01, high: 0.3}")
        return
    yield from (
        Fault("unknown field {}", (name,), of_key=True) for name in values if name not in {"low", "high", "log"}
    )
    low, high = values.get("low"), values.get("high")
    if not (_is_number(low) and _is_number(high)):
        yield Fault("needs the numbers 'low' and 'high'")
    elif low >= high:
        yield Fault("must be less than 'high'", ("low",))
    elif values.get("log") and low <= 0:
        yield Fault("must be above 0 for 'log'", ("low",))
    if not isinstance(values.get("log", False), bool):
        yield Fault("must be true or false", ("log",))


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(written: Any) -> Any:
    FieldInvalid.raise_any(_space(written))
    return written


def _schema() -> Mapping[str, Any]:
    ends = {"low": {"type": "number"}, "high": {"type": "number"}, "log": {"type": "boolean"}}
    span = {"type": "object", "properties": ends, "required": ["low", "high"], "additionalProperties": False}
    values = {"anyOf": [span, {"type": "array", "minItems": 1}]}
    return {"type": "object", "minProperties": 1, "additionalProperties": values}


@dataclass(frozen=True, slots=True)
class Search:
    """Trials with hyperparameters drawn at random, compared on rows split off the training data."""

    metric: Annotated[str, Rule(_metric, {"enum": list(SEARCHED)})]
    """What the trials are compared by; its direction is that of the table of metrics."""

    space: Annotated[Mapping[str, Json], Form(_read, _schema), Rule(_space)]
    """By hyperparameter a list of values, or a range {low, high}, with log: true even over orders of magnitude."""

    trials: Annotated[int, whole(1, MAX_TRIALS)] = 20
    """How many draws are tried; the best one is trained again on all training rows."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "space", plain(self.space))

    def draws(self, seed: int) -> tuple[dict[str, Json], ...]:
        """The hyperparameters of every trial, in order."""
        generator = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        names = sorted(self.space)
        return tuple({name: _drawn(self.space[name], generator.random()) for name in names} for _ in range(self.trials))

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric].direction == "higher"

    def to_document(self) -> dict[str, Json]:
        """The normal form."""
        return {"metric": self.metric, "space": plain(self.space), "trials": self.trials}


def _drawn(values: Any, at: float) -> Json:
    """The value at ``at``, from 0 to 1, of a list or a range."""
    if isinstance(values, Sequence):
        chosen: Json = values[int(at * len(values))]
        return chosen
    low, high = values["low"], values["high"]
    if values.get("log"):
        drawn = math.exp(math.log(low) + at * (math.log(high) - math.log(low)))
    elif isinstance(low, int) and isinstance(high, int):
        return int(low + math.floor(at * (high - low + 1)))
    else:
        drawn = low + at * (high - low)
    if isinstance(low, int) and isinstance(high, int):
        return min(max(round(drawn), low), high)
    return float(f"{drawn:.{DIGITS}g}")
