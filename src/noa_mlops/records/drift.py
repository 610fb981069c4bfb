"""What counts as drift: how large an effect matters, and how sure one must be that it is no chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import Fault, Rule, check_fields, instance_of, shown


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


_SHARE = Rule(_share, {"exclusiveMinimum": 0, "maximum": 1})
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

    LATER: ClassVar[frozenset[str]] = frozenset({"margin"})

    gate: Annotated[bool, instance_of(bool)] = True
    """False: the column is compared and shown, and blocks nothing."""

    def __post_init__(self) -> None:
        check_fields(self)


def _overrides(value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping) or not all(isinstance(one, ColumnOverride) for one in value.values()):
        yield Fault(
            "must be a mapping of columns to what is said of them", suggestion="write {visibility: {gate: false}}"
        )


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """The rule of a scan: a column drifts when an effect reaches its margin and its q is below ``fdr``."""

    LATER: ClassVar[frozenset[str]] = frozenset({"labels", "on_drift", "on_insufficient"})

    fdr: Annotated[float, _SHARE] = 0.01
    """Share of false ones among the findings of a scan that is let through (Benjamini and Hochberg)."""

    margins: Annotated[Margins, instance_of(Margins)] = field(default_factory=Margins)
    """From which size on an effect counts, by kind."""

    overrides: Annotated[Mapping[str, ColumnOverride], Rule(_overrides)] = field(default_factory=dict, hash=False)
    """What is said of single columns, by name."""

    joint: Annotated[bool, instance_of(bool)] = False
    """True: a classifier is asked whether it can tell rows apart by all columns together, which needs the rows of both."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def ungated(self) -> tuple[str, ...]:
        """Columns that block nothing."""
        return tuple(sorted(name for name, override in self.overrides.items() if not override.gate))

    def to_document(self) -> dict[str, Json]:
        """JSON form, everything said."""
        document: dict[str, Json] = {
            "fdr": self.fdr,
            "margins": self.margins.to_document(),
            "ungated": list(self.ungated),
        }
        # Said only where it is asked for: reports that were recorded before keep their bytes.
        return document | ({"joint": True} if self.joint else {})

    def normal_form(self) -> dict[str, Json]:
        """As a plan says it: what stands at its default is left out."""
        usual = Margins().to_document()
        margins = {name: margin for name, margin in self.margins.to_document().items() if margin != usual[name]}
        document: dict[str, Json] = {
            "fdr": None if self.fdr == DriftSettings().fdr else self.fdr,
            "margins": margins or None,
            "overrides": {name: {"gate": False} for name in self.ungated} or None,
            "joint": self.joint or None,
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DriftSettings:
        """The settings that `to_document` wrote."""
        overrides = {name: ColumnOverride(gate=False) for name in document["ungated"]}
        return cls(document["fdr"], Margins(**document["margins"]), overrides, document.get("joint", False))
