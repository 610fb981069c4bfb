"""Thresholds: what a metric must reach, as an object and as it is written in a plan.

A bare number means *at least* for metrics where more is better and *at most* where less is better; the table
of metrics knows which. A threshold exactly met is met; with a confidence it is the bound of the measurement that must
meet it. Beside the whole, a threshold may ask for the slices that a column makes, and for fairness between its groups.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from noa_mlops.records.documents import Json
from noa_mlops.records.fairness import Fairness, column_faults, fairness_schema, read_fairness
from noa_mlops.records.metrics import METRICS, Metric
from noa_mlops.records.reading.fields import (
    Fault,
    FieldInvalid,
    Rule,
    check_fields,
    instance_of,
    one_of,
    shown,
    whole,
)
from noa_mlops.records.reading.scalars import number_hint
from noa_mlops.records.spread import FEWEST
from noa_mlops.records.versus import VersusChampion, read_versus, versus_schema

MIN_ROWS = FEWEST
"""Rows that a slice must have to be judged when the plan does not say."""

MAX_COLUMNS = 10
"""Columns by which one threshold may ask for slices."""


def _metric_faults(name: Any) -> Iterator[Fault]:
    if not isinstance(name, str) or name not in METRICS:
        yield Fault(f"must be a metric, got {shown(name)}", suggestion=_nearest_metric(str(name)))


def _bound_faults(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a number, got {shown(value)}", suggestion=number_hint(value))
    elif not math.isfinite(value):
        yield Fault("must be a finite number")


def _confidence_faults(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a number, got {shown(value)}", suggestion=number_hint(value))
    elif not 0.5 <= value < 1:
        hint = f"did you mean {value / 100:g}?" if 50 <= value < 100 else None
        yield Fault(f"must be from 0.5 to less than 1, got {shown(value)}", suggestion=hint)


def _columns_faults(names: Any) -> Iterator[Fault]:
    if not isinstance(names, tuple | list):
        yield Fault(f"must be a list of columns, got {shown(names)}", suggestion=_as_list(names))
        return
    if len(names) > MAX_COLUMNS:
        yield Fault(f"must name at most {MAX_COLUMNS} columns, got {len(names)}")
    for index, name in enumerate(names[:MAX_COLUMNS]):
        yield from (fault.within(index) for fault in column_faults(name))
        if name in names[:index]:
            yield Fault(f"names {shown(name)} a second time", (index,))


def _as_list(name: Any) -> str | None:
    return f"write [{name}]" if isinstance(name, str) and name.isidentifier() else None


_MIN_ROWS = whole(1, 2**53)
_SMALL = one_of("warn", "inconclusive")


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one metric must reach: ``minimum`` and ``maximum`` in its unit, at least one of them, both included.

    With ``confidence`` the bound at that level must reach it, without the measured value. ``versus_champion`` is None when
    the plan leaves it at its default. Each slice by the columns ``slices`` is held against the same limits, and the groups
    of ``fairness`` against each other; a slice of less than ``min_rows`` rows is not judged, and ``on_small_slice`` says
    whether that leaves the verdict inconclusive.
    """

    metric: Annotated[str, Rule(_metric_faults)]
    minimum: Annotated[float | None, Rule(_bound_faults)] = None
    maximum: Annotated[float | None, Rule(_bound_faults)] = None
    confidence: Annotated[float | None, Rule(_confidence_faults)] = None
    versus_champion: Annotated[VersusChampion | None, instance_of(VersusChampion)] = None
    slices: Annotated[tuple[str, ...], Rule(_columns_faults)] = ()
    fairness: Annotated[Fairness | None, instance_of(Fairness)] = None
    min_rows: Annotated[int, _MIN_ROWS] = MIN_ROWS
    on_small_slice: Annotated[Literal["inconclusive", "warn"], _SMALL] = "inconclusive"

    def __post_init__(self) -> None:
        check_fields(self, self._faults())
        for name in ("minimum", "maximum", "confidence"):
            bound = getattr(self, name)
            object.__setattr__(self, name, None if bound is None else float(bound) + 0.0)
        object.__setattr__(self, "slices", tuple(self.slices))

    @classmethod
    def of(cls, metric: str, bound: float) -> Threshold:
        """The threshold that a bare number stands for. Raises `FieldInvalid`."""
        FieldInvalid.raise_any(_metric_faults(metric))
        FieldInvalid.raise_any(_bound_faults(bound))
        return _of_number(METRICS[metric], bound)

    def clears(self, value: float) -> bool:
        """Whether a measured value meets the threshold; a value exactly at it does, NaN never."""
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        return above and below

    def surely_clears(self, bounds: tuple[float, float]) -> bool:
        """Whether a measurement with these bounds meets the threshold wherever in between it is."""
        lower, upper = bounds
        return (self.minimum is None or lower >= self.minimum) and (self.maximum is None or upper <= self.maximum)

    def surely_misses(self, bounds: tuple[float, float]) -> bool:
        """Whether a measurement with these bounds is beyond the threshold wherever in between it is."""
        lower, upper = bounds
        return (self.minimum is not None and upper < self.minimum) or (
            self.maximum is not None and lower > self.maximum
        )

    def room(self, value: float) -> float:
        """How far a value is inside the nearer limit; below zero when it is beyond."""
        below = math.inf if self.minimum is None else value - self.minimum
        return min(below, math.inf if self.maximum is None else self.maximum - value)

    def to_document(self) -> Json:
        """The normal form: a bare number where it means the same, else the bounds by name."""
        number = self.minimum if self.maximum is None else self.maximum
        bare = self.spelled_out().keys() <= {"min", "max"}
        if bare and number is not None and _limits(METRICS[self.metric], number) == (self.minimum, self.maximum):
            return number
        return self.spelled_out()

    def spelled_out(self) -> dict[str, Json]:
        """Everything that is set, by name."""
        versus = None if self.versus_champion is None else self.versus_champion.to_document()
        members: dict[str, Json] = {
            "min": self.minimum,
            "max": self.maximum,
            "confidence": self.confidence,
            "versus_champion": versus,
            "slices": list(self.slices) or None,
            "fairness": None if self.fairness is None else self.fairness.to_document(),
            "min_rows": None if self.min_rows == MIN_ROWS else self.min_rows,
            "on_small_slice": None if self.on_small_slice == "inconclusive" else self.on_small_slice,
        }
        return {name: member for name, member in members.items() if member is not None}

    def __str__(self) -> str:
        signs = ((">=", self.minimum), ("<=", self.maximum))
        sure = "" if self.confidence is None else f" at {self.confidence * 100:g} %"
        return (
            f"{self.metric} " + " and ".join(f"{sign} {bound!r}" for sign, bound in signs if bound is not None) + sure
        )

    def _faults(self) -> Iterator[Fault]:
        if self.minimum is None and self.maximum is None:
            yield Fault("must have a minimum or a maximum")
        elif self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield Fault(f"has its minimum {self.minimum!r} above its maximum {self.maximum!r}")
        for name in ("minimum", "maximum"):
            bound = getattr(self, name)
            if bound is not None and (fault := _range_fault(METRICS[self.metric], bound)):
                yield fault.within(name)
        if not METRICS[self.metric].interval:
            yield from self._uncertain_faults()
        if self.fairness is not None:
            yield from (fault.within("fairness") for fault in self.fairness.faults_for(METRICS[self.metric]))
        if (
            not self.slices
            and self.fairness is None
            and (self.min_rows, self.on_small_slice) != (MIN_ROWS, "inconclusive")
        ):
            yield Fault("speaks of small slices, but there is no 'slices' and no 'fairness'")

    def _uncertain_faults(self) -> Iterator[Fault]:
        """A metric that hangs on one row can be held against a number, and against nothing else."""
        reason = f"must be absent: {self.metric} hangs on a single row, so it has no interval"
        if self.confidence is not None:
            yield Fault(reason, ("confidence",))
        if self.versus_champion is not None and self.versus_champion.rule != "none":
            yield Fault(reason, ("versus_champion",))
        for name in ("slices", "fairness"):
            if getattr(self, name):
                yield Fault(reason, (name,))


def read_thresholds(written: Any) -> tuple[Threshold, ...]:
    """The thresholds of a plan's mapping from metric to a number or to ``{min: ..., max: ...}``.

    Raises `FieldInvalid` with every fault.
    """
    if not isinstance(written, Mapping):
        raise FieldInvalid([Fault(f"must be a mapping, got {shown(written)}")])
    thresholds: list[Threshold] = []
    faults: list[Fault] = []
    for name, bounds in written.items():
        try:
            thresholds.append(_read(name, bounds))
        except FieldInvalid as invalid:
            faults.extend(fault.within(name) for fault in invalid.faults)
    FieldInvalid.raise_any(faults or mixed_tasks(thresholds))
    return tuple(thresholds)


def mixed_tasks(thresholds: Iterable[Threshold]) -> Iterator[Fault]:
    """A fault when one threshold is about classes and another about numbers, or a metric has two thresholds."""
    first: Metric | None = None
    seen: set[str] = set()
    for threshold in thresholds:
        metric = METRICS[threshold.metric]
        first = first or metric
        if metric.task != first.task:
            message = f"is a metric of {metric.task}, while {first.name} is one of {first.task}"
            yield Fault(f"{{}} {message}", (metric.name,), of_key=True)
        if metric.name in seen:
            yield Fault("{} has two thresholds", (metric.name,), of_key=True)
        seen.add(metric.name)


def thresholds_schema() -> dict[str, Any]:
    """JSON Schema of the written form; every metric with its description, so that editors offer it."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {metric.name: _metric_schema(metric) for metric in METRICS.values()},
    }


def _metric_schema(metric: Metric) -> dict[str, Any]:
    ends = zip(("minimum", "maximum"), metric.range, strict=True)
    number = {"type": "number", **{name: end for name, end in ends if math.isfinite(end)}}
    bounds = {
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["min"]}, {"required": ["max"]}],
        "properties": {
            "min": number,
            "max": number,
            "confidence": {"type": "number", "minimum": 0.5, "exclusiveMaximum": 1},
            "versus_champion": versus_schema(),
            "slices": {
                "description": "Columns of the evaluation data; the metric must hold in the rows of each of their values.",
                "type": "array",
                "maxItems": MAX_COLUMNS,
                "uniqueItems": True,
                "items": {"type": "string", "minLength": 1},
            },
            "fairness": fairness_schema(),
            "min_rows": {
                "description": f"Rows under which a slice is not judged; {MIN_ROWS} by default.",
                "type": "integer",
                "minimum": 1,
            },
            "on_small_slice": {
                "description": "What a slice that is too small does: leave the verdict inconclusive, or a note only.",
                "enum": ["inconclusive", "warn"],
            },
        },
    }
    means = {"higher": "A bare number means at least.", "lower": "A bare number means at most."}
    description = f"{metric.description.capitalize()}. {means.get(metric.direction, 'Write min and max.')}"
    return {"description": description, "anyOf": [number, bounds] if metric.direction in means else [bounds]}


def _read(name: str, bounds: Any) -> Threshold:
    if name not in METRICS:
        suggestion = _nearest_metric(name)
        raise FieldInvalid([Fault("unknown metric {}", suggestion=suggestion, of_key=True)])
    if isinstance(bounds, Mapping):
        return _of_bounds(METRICS[name], bounds)
    FieldInvalid.raise_any(_bound_faults(bounds))
    return _of_number(METRICS[name], bounds)


def _of_number(metric: Metric, number: float) -> Threshold:
    limits = _limits(metric, number)
    if limits is None:
        suggestion = f"{metric.name} is best at {metric.ideal:g}, inside its range: write {{min: ..., max: ...}}"
        raise FieldInvalid([Fault("must say which side it bounds", suggestion=suggestion)])
    FieldInvalid.raise_any([fault] if (fault := _range_fault(metric, number)) else [])
    return Threshold(metric.name, *limits)


def _of_bounds(metric: Metric, bounds: Mapping[str, Any]) -> Threshold:
    faults = [fault for key in bounds if key not in _MEMBERS for fault in _unknown_bound(key)]
    known = {key: bounds[key] for key in _MEMBERS if key in bounds}
    for key, bound in known.items():
        faults.extend(fault.within(key) for fault in _member_faults(metric, key, bound))
    if not faults and "min" not in known and "max" not in known:
        faults.append(Fault("must have a min or a max"))
    FieldInvalid.raise_any(faults)
    members = {_MEMBERS[key]: _READERS[key](value) if key in _READERS else value for key, value in known.items()}
    return Threshold(metric.name, **members)


def _member_faults(metric: Metric, key: str, value: Any) -> tuple[Fault, ...]:
    if key in _READERS:
        try:
            _READERS[key](value)
        except FieldInvalid as invalid:
            return tuple(invalid.faults)
        return ()
    if key in _RULES:
        return tuple(_RULES[key](value))
    return tuple(_bound_faults(value)) or tuple(filter(None, [_range_fault(metric, value)]))


_MEMBERS: Mapping[str, str] = {
    "min": "minimum",
    "max": "maximum",
    **{name: name for name in ("confidence", "versus_champion", "slices", "fairness", "min_rows", "on_small_slice")},
}
"""What a threshold can say, and the field it is."""

_READERS: Mapping[str, Callable[[Any], Any]] = {"versus_champion": read_versus, "fairness": read_fairness}
_RULES: Mapping[str, Callable[[Any], Iterable[Fault]]] = {
    "confidence": _confidence_faults,
    "slices": _columns_faults,
    "min_rows": _MIN_ROWS.faults,
    "on_small_slice": _SMALL.faults,
}


def _unknown_bound(key: str) -> Iterator[Fault]:
    names = {"minimum": "min", "maximum": "max", "at_least": "min", "at_most": "max"}
    near = names.get(key) or next(iter(difflib.get_close_matches(key, _MEMBERS, 1)), None)
    suggestion = "use 'min' or 'max'" if near is None else f"did you mean '{near}'?"
    yield Fault("unknown field {}", (key,), suggestion, of_key=True)


def _limits(metric: Metric, number: float) -> tuple[float | None, float | None] | None:
    return None if metric.direction == "nearest" else metric.limits(number)


def _range_fault(metric: Metric, bound: float) -> Fault | None:
    least, greatest = metric.range
    if least <= bound <= greatest:
        return None
    return Fault(f"must be {_between(least, greatest)}, got {shown(bound)}", suggestion=_percent(metric, bound))


def _between(least: float, greatest: float) -> str:
    if math.isinf(greatest):
        return f"at least {least:g}"
    return f"at most {greatest:g}" if math.isinf(least) else f"from {least:g} to {greatest:g}"


def _percent(metric: Metric, bound: float) -> str | None:
    share = bound / 100
    return f"did you mean {share:g}?" if metric.range == (0.0, 1.0) and 1 < bound <= 100 else None


def _nearest_metric(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), METRICS, 1)
    return f"did you mean '{near[0]}'?" if near else "the metrics are listed by 'noa schema plan'"
