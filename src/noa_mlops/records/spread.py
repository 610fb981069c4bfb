"""How sure a measurement is: a few numbers from which a bound at any level follows.

A ledger line holds these numbers, so every bound can be computed again from the line alone, at the level that the
number of looks asks for, without the rows and without numerical libraries. No spread ever gives an interval of width
zero: what was the same on every row can still differ on the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from noa_mlops.records.quantiles import normal_quantile, plain_number, student_quantile

FEWEST = 30
"""Independent units (rows, rows of a class, groups) under which moments say nothing."""

FEWEST_BEARING = 4.0
"""Degrees of freedom under which a handful of rows bears the whole spread, so that it is not known."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """``hits`` of ``of`` independent rows; bounds by the score interval (Wilson 1927)."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of or self.of < 1:
            raise ValueError(f"{self.hits} of {self.of} is no proportion")

    @property
    def problem(self) -> None:
        """A proportion can always be bounded: with few rows its bounds are wide."""
        return

    def below(self, error: float) -> float:
        """How far under the share its lower bound lies."""
        return self.hits / self.of - self._end(error, -1)

    def above(self, error: float) -> float:
        """How far over the share its upper bound lies."""
        return self._end(error, 1) - self.hits / self.of

    def standard_error(self) -> float:
        """Of the share; of half a hit more or less when it is 0 or 1."""
        share = (self.hits + 0.5) / (self.of + 1) if self.hits in (0, self.of) else self.hits / self.of
        return math.sqrt(share * (1 - share) / self.of)

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {"kind": "proportion", "hits": self.hits, "of": self.of}

    def _end(self, error: float, side: int) -> float:
        n, share, z = self.of, self.hits / self.of, normal_quantile(error)
        middle = share + z * z / (2 * n)
        reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return min(1.0, max(0.0, (middle + side * reach) / (1 + z * z / n)))


@dataclass(frozen=True, slots=True)
class PairedProportion:
    """Of ``of`` rows, ``gained`` only the challenger got right and ``lost`` only the champion; bounds by Tango 1998."""

    gained: int
    lost: int
    of: int

    def __post_init__(self) -> None:
        if min(self.gained, self.lost) < 0 or self.gained + self.lost > self.of or self.of < 1:
            raise ValueError(f"{self.gained} and {self.lost} of {self.of} are no discordant pairs")

    @property
    def problem(self) -> None:
        """Pairs can always be bounded: with few rows the bounds are wide."""
        return

    def below(self, error: float) -> float:
        """How far under the difference its lower bound lies."""
        return (self.gained - self.lost) / self.of - self._lowest(error, self.gained, self.lost)

    def above(self, error: float) -> float:
        """How far over the difference its upper bound lies."""
        return -self._lowest(error, self.lost, self.gained) - (self.gained - self.lost) / self.of

    def standard_error(self) -> float:
        """Of the difference; as if one row differed when none does."""
        moved = max(1, self.gained + self.lost)
        return math.sqrt(max(1e-12, moved - (self.gained - self.lost) ** 2 / self.of)) / self.of

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {"kind": "paired", "gained": self.gained, "lost": self.lost, "of": self.of}

    def _lowest(self, error: float, gained: int, lost: int) -> float:
        """The least difference that the score test does not refuse; with no pair apart the rule of three, if lower."""
        if gained + lost == 0:
            return -min(1.0, max(-math.log(error) / self.of, normal_quantile(error) ** 2 / self.of))
        z, low, high = normal_quantile(error), -1.0, (gained - lost) / self.of
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if _score(gained, lost, self.of, middle) <= z else (middle, high)
        return low


@dataclass(frozen=True, slots=True)
class Moments:
    """The spread of a metric by the moments of what each independent unit adds to it.

    ``error`` is the standard error; ``skew`` the skewness of the estimate (that of the units over the root of their
    number); ``freedom`` the degrees of freedom of the standard error, by the kurtosis of the units; ``units`` the number
    of rows, groups, or rows of the rarer class. ``floor`` is the most that one unit can move the metric: when every unit
    is alike, the bound is minus log of the error times it, which is the rule of three.
    """

    error: float
    skew: float
    freedom: float
    units: int
    floor: float

    def __post_init__(self) -> None:
        numbers = (self.error, self.skew, self.freedom, self.floor)
        if not all(map(math.isfinite, numbers)) or min(self.error, self.freedom, self.floor, self.units) < 0:
            raise ValueError(f"{self} is no spread")

    @property
    def problem(self) -> str | None:
        """Why nothing can be bounded by these moments; None when it can."""
        if self.units < FEWEST:
            return (
                f"rests on {self.units} independent rows or groups of a kind; {FEWEST} are the fewest that say anything"
            )
        if self.error > 0 and self.freedom < FEWEST_BEARING:
            return "rests on a handful of rows that outweigh all others"
        if self.error == 0 and self.floor == 0:
            return "is the same on every row, so nothing is known about its spread"
        return None

    def below(self, error: float) -> float:
        """How far under the estimate its lower bound lies."""
        return self._reach(error, -self.skew)

    def above(self, error: float) -> float:
        """How far over the estimate its upper bound lies."""
        return self._reach(error, self.skew)

    def standard_error(self) -> float:
        """As recorded; the floor when every unit is alike."""
        return self.error or self.floor

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "kind": "moments",
            "error": plain_number(self.error),
            "skew": plain_number(self.skew),
            "freedom": plain_number(self.freedom),
            "units": self.units,
            "floor": plain_number(self.floor),
        }

    def _reach(self, error: float, skew: float) -> float:
        """Student's t, stretched towards a long tail by Hall's cubic transformation (Hall 1992) and never shortened."""
        if self.error == 0:
            return -math.log(error) * self.floor
        t = student_quantile(error, self.freedom)
        if skew > _STRAIGHT:
            t = max(t, _stretched(t, skew))
        return t * self.error


Spread: TypeAlias = Proportion | PairedProportion | Moments
"""What an estimate knows about its own error."""

_STRAIGHT = 1e-6
"""A skewness under which the transformation is the identity, within rounding."""


def read_spread(document: Mapping[str, Any]) -> Spread:
    """The spread that ``to_document`` wrote. Raises `ValueError` for anything else."""
    known: dict[str, type[Spread]] = {"proportion": Proportion, "paired": PairedProportion, "moments": Moments}
    members = {name: value for name, value in document.items() if name != "kind"}
    kind = known.get(str(document.get("kind")))
    if kind is None or members.keys() != set(kind.__slots__):
        raise ValueError(f"{dict(document)!r:.80} is no spread")
    if not all(type(value) is int or (kind is Moments and type(value) is float) for value in members.values()):
        raise ValueError(f"{dict(document)!r:.80} is no spread")
    if kind is Moments:
        members = {name: value if name == "units" else float(value) for name, value in members.items()}
    return kind(**members)


def _stretched(t: float, skew: float) -> float:
    """Hall 1992, equation 5 (the inverse), for the bound on the side of the long tail."""
    inner = 1 - skew * (t + skew / 6)
    return 3 * (1 - math.copysign(abs(inner) ** (1 / 3), inner)) / skew


def _score(gained: int, lost: int, rows: int, difference: float) -> float:
    """The score statistic of the hypothesis that the paired difference is ``difference`` (Tango 1998, equation 3)."""
    above = gained - lost - rows * difference
    half = -gained - lost + (2 * rows - gained + lost) * difference
    last = -lost * difference * (1 - difference)
    share = (math.sqrt(max(0.0, half * half - 8 * rows * last)) - half) / (4 * rows)
    variance = rows * (2 * share + difference * (1 - difference))
    if variance <= 0:
        return math.inf if above > 0 else -math.inf if above < 0 else 0.0
    return above / math.sqrt(variance)
