"""What counts as drift: how large an effect matters, and how sure one must be that it is no chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import Fault, Form, Rule, check_fields, instance_of, one_of, shown, whole
from noa_mlops.records.reading.quantities import duration_schema, duration_text, read_duration

YEAR = 366 * 86400

MAX_SIGNS = 100
"""Signs that the entry of a scan names; one that finds more names those with the largest effects."""


def _share(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a number, got {shown(value)}")
    elif not 0 < value <= 1:
        yield Fault(f"must be above 0 and at most 1, got {shown(value)}")


def _margin(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a number, got {shown(value)}")
    elif not 0 < value <= 1000:
        yield Fault(f"must be above 0, got {shown(value)}")


def _own_margin(value: Any) -> Iterator[Fault]:
    yield from () if value is None else _margin(value)


_SHARE = Rule(_share, {"exclusiveMinimum": 0, "maximum": 1})
_DURATION = Form(read_duration, duration_schema)
_MARGIN = Rule(_margin, {"exclusiveMinimum": 0})


@dataclass(frozen=True, slots=True)
class Margins:
    """The effects from which a change matters."""

    numeric: Annotated[float, _MARGIN] = 0.1
    """How far numbers move, as a share of the spread of the reference (its standard deviation, were it normal)."""

    categorical: Annotated[float, _SHARE] = 0.1
    """Share of rows that move to other categories (total variation distance)."""

    missing: Annotated[float, _SHARE] = 0.05
    """Change of the share of missing values."""

    new_category: Annotated[float, _SHARE] = 0.01
    """Share of rows in categories that the reference does not have, beyond what it lets expect."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {name: getattr(self, name) for name in ("numeric", "categorical", "missing", "new_category")}


@dataclass(frozen=True, slots=True)
class ColumnOverride:
    """What a plan says about drift of one column."""

    gate: Annotated[bool, instance_of(bool)] = True
    """False: the column is compared and shown, and blocks nothing."""

    margin: Annotated[float | None, Rule(_own_margin, {"exclusiveMinimum": 0})] = None
    """From which size on its values' effect counts, instead of the margin of its kind."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """As a plan says it: what stands at its default is left out."""
        said: dict[str, Json] = {} if self.gate else {"gate": False}
        return said if self.margin is None else said | {"margin": self.margin}


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """When the labels of new data may be asked: labels come late, and often the easy ones first."""

    delay: Annotated[int, _DURATION, whole(0, YEAR, duration_text)] = 0
    """How old a row must be, by the time column, before its label counts: seconds, or text like 14d."""

    min_share: Annotated[float, _SHARE] = 0.9
    """The share of rows that must have a label: of those old enough to show a drop, of all to clear drift of the data."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """As a plan says it: what stands at its default is left out."""
        standard = LabelSettings()
        written: dict[str, Json] = {"delay": duration_text(self.delay), "min_share": self.min_share}
        return {name: said for name, said in written.items() if getattr(self, name) != getattr(standard, name)}


def _overrides(value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping) or not all(isinstance(one, ColumnOverride) for one in value.values()):
        yield Fault(
            "must be a mapping of columns to what is said of them", suggestion="write {visibility: {gate: false}}"
        )


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """The rule of a scan: a column drifts when an effect reaches its margin and its q is below ``fdr``."""

    fdr: Annotated[float, _SHARE] = 0.01
    """Share of false ones among the findings of a scan that is let through (Benjamini and Hochberg)."""

    margins: Annotated[Margins, instance_of(Margins)] = field(default_factory=Margins)
    """From which size on an effect counts, by kind."""

    overrides: Annotated[Mapping[str, ColumnOverride], Rule(_overrides)] = field(default_factory=dict, hash=False)
    """What is said of single columns, by name."""

    labels: Annotated[LabelSettings, instance_of(LabelSettings)] = field(default_factory=LabelSettings)
    """When the labels of new data may be asked."""

    on_drift: Annotated[Literal["block", "warn"], one_of("block", "warn")] = "block"
    """What data that drifted do: block the rollout, as the law of scans says, or be shown only. Labels block in both."""

    on_insufficient: Annotated[Literal["block", "warn"], one_of("block", "warn")] = "warn"
    """What data too few to see a drift do."""

    joint: Annotated[bool, instance_of(bool)] = False
    """True: a classifier is asked whether it can tell rows apart by all columns together, which needs the rows of both."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def ungated(self) -> tuple[str, ...]:
        """Columns that block nothing."""
        return tuple(sorted(name for name, override in self.overrides.items() if not override.gate))

    def margins_of(self, column: str) -> Margins:
        """The margins that hold for a column."""
        override = self.overrides.get(column)
        if override is None or override.margin is None:
            return self.margins
        return replace(self.margins, numeric=override.margin, categorical=min(1.0, override.margin))

    def to_document(self) -> dict[str, Json]:
        """JSON form; what a report of an older version did not say is left out at its default."""
        own = {name: one.margin for name, one in sorted(self.overrides.items()) if one.margin is not None}
        more = {name: said for name, said in self.normal_form().items() if name in _LATER}
        document: dict[str, Json] = {
            "fdr": self.fdr,
            "margins": self.margins.to_document(),
            "ungated": list(self.ungated),
            **more,
        }
        return document | ({"own_margins": dict(own)} if own else {})

    def normal_form(self) -> dict[str, Json]:
        """As a plan says it: what stands at its default is left out."""
        usual, standard = Margins().to_document(), DriftSettings()
        margins = {name: margin for name, margin in self.margins.to_document().items() if margin != usual[name]}
        overrides = {name: override.to_document() for name, override in sorted(self.overrides.items())}
        document: dict[str, Json] = {
            "fdr": None if self.fdr == standard.fdr else self.fdr,
            "margins": margins or None,
            "overrides": {name: said for name, said in overrides.items() if said} or None,
            "labels": self.labels.to_document() or None,
            "on_drift": None if self.on_drift == standard.on_drift else self.on_drift,
            "on_insufficient": None if self.on_insufficient == standard.on_insufficient else self.on_insufficient,
            "joint": self.joint or None,
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DriftSettings:
        """The settings that `to_document` wrote."""
        own, ungated = document.get("own_margins", {}), document["ungated"]
        labels = dict(document.get("labels", {}))
        if "delay" in labels:
            labels["delay"] = read_duration(labels["delay"])
        return cls(
            document["fdr"],
            Margins(**document["margins"]),
            {name: ColumnOverride(name not in ungated, own.get(name)) for name in sorted({*ungated, *own})},
            LabelSettings(**labels),
            document.get("on_drift", "block"),
            document.get("on_insufficient", "warn"),
            document.get("joint", False),
        )


_LATER = ("labels", "on_drift", "on_insufficient", "joint")
