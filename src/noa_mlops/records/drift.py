"""What counts as drift: how large an effect matters, and how sure one must be that it is no chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

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
class DriftSettings:
    """The rule of a scan: a column drifts when an effect reaches its margin and its q is below ``fdr``."""

    fdr: Annotated[float, _SHARE] = 0.01
    """Share of false ones among the findings of a scan that is let through (Benjamini and Hochberg)."""

    margins: Annotated[Margins, instance_of(Margins)] = field(default_factory=Margins)

    ungated: tuple[str, ...] = ()
    """Columns that are compared and shown, and block nothing."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {"fdr": self.fdr, "margins": self.margins.to_document(), "ungated": sorted(self.ungated)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DriftSettings:
        """The settings that `to_document` wrote."""
        return cls(document["fdr"], Margins(**document["margins"]), tuple(document["ungated"]))
