"""Which hyperparameters a plan lets the machine try, and what became of every trial.

A search is the same on every machine: trial N is proposed knowing the trials up to N - ``parallel``, however many of
them run at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, TypeGuard

from noa_mlops.records.documents import Json
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.reading.fields import Fault, FieldInvalid, Form, Rule, check_fields, shown, whole
from noa_mlops.records.reading.values import mapping_faults, plain

_OF_ROWS = ("labels", "probabilities", "values", "quantiles")

SEARCHED = tuple(row.name for row in METRICS.values() if row.needs in _OF_ROWS and row.direction != "nearest")
"""Metrics that trials can be compared by: those of single rows that have a better side."""

MAX_TRIALS = 1000
"""Most trials of a search."""

MAX_TABLE = 256 << 20
"""Bytes of a table of trials that are read."""

MAX_PARALLEL = 64
"""Most trials at once."""

MOST_CORNERS = 256
"""Combinations of a space's ends and values that are checked before anything runs."""


def _metric(value: Any) -> Iterator[Fault]:
    if value not in SEARCHED:
        near = get_close_matches(str(value), SEARCHED, n=1, cutoff=0.5)
        meant = f"did you mean '{near[0]}'?" if near else "'noa schema plan' lists them"
        yield Fault(f"must be a metric of single rows that has a better side, got {shown(value)}", suggestion=meant)


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
    if not (_is_number(low) and _is_number(high) and math.isfinite(low) and math.isfinite(high)):
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
    """Trials with hyperparameters that follow from earlier ones, compared on rows split off the training data."""

    metric: Annotated[str, Rule(_metric, {"enum": list(SEARCHED)})]
    """What the trials are compared by; its direction is that of the table of metrics."""

    space: Annotated[Mapping[str, Json], Form(_read, _schema), Rule(_space)]
    """By hyperparameter a list of values, or a range {low, high}, with log: true even over orders of magnitude."""

    trials: Annotated[int, whole(1, MAX_TRIALS)] = 20
    """How many trials there are; the best one's hyperparameters are trained again on all training rows."""

    parallel: Annotated[int, whole(1, MAX_PARALLEL)] = 4
    """The most trials at once; each is proposed knowing all but the results of so many before it, itself included."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "space", plain(self.space))

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric].direction == "higher"

    def corners(self) -> Iterator[dict[str, Json]]:
        """The ends of every range with every listed value, in combination; at most `MOST_CORNERS` of them."""
        space: Mapping[str, Any] = self.space
        ends = [
            values if isinstance(values, Sequence) else (values["low"], values["high"]) for values in space.values()
        ]
        found = itertools.product(*ends)
        return (dict(zip(self.space, corner, strict=True)) for corner in itertools.islice(found, MOST_CORNERS))

    def to_document(self) -> dict[str, Json]:
        """The normal form."""
        return {"metric": self.metric, "space": plain(self.space), "trials": self.trials, "parallel": self.parallel}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one trial; times are RFC 3339 in UTC.

    ``value`` is that of the search's metric on the validation rows; None when there is none: ``pruned_at`` is then the
    step at which it was given up as worse than half of the others, or ``error`` says why it could not be trained or
    scored. ``curve`` is the metric as the trainer reported it, by step.
    """

    number: int
    hyperparameters: Mapping[str, Json]
    started_at: str
    finished_at: str
    value: float | None = None
    pruned_at: int | None = None
    error: str | None = None
    curve: Mapping[int, float] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        document = asdict(self)
        curve = {str(step): value for step, value in self.curve.items()}
        return {**document, "hyperparameters": dict(self.hyperparameters), "curve": curve}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Trial:
        """Raises `ValueError`, `TypeError`, `KeyError` for a document of another form."""
        return cls(**{**document, "curve": {int(step): float(value) for step, value in document["curve"].items()}})


def best_of(search: Search, trials: Sequence[Trial]) -> Trial | None:
    """The trial with the best value, the first of equals; None when none has a value."""
    sign = 1 if search.higher_is_better else -1
    scored = [(sign * trial.value, -trial.number, trial) for trial in trials if trial.value is not None]
    return max(scored, key=lambda found: found[:2])[2] if scored else None


def ranked(metric: str, trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The documents of trials, the best first, those without a value last, by number."""
    sign = -1 if METRICS[metric].direction == "higher" else 1

    def place(trial: Mapping[str, Any]) -> tuple[bool, float, int]:
        value = trial["value"]
        return value is None, 0.0 if value is None else sign * value, trial["number"]

    return sorted(trials, key=place)


def outcome_text(trial: Mapping[str, Any]) -> str:
    """What became of a trial that has no value, from its document; empty for one that has."""
    if trial["value"] is not None:
        return ""
    return f"failed: {trial['error']}" if trial["pruned_at"] is None else f"given up at step {trial['pruned_at']}"
