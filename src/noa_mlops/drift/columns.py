"""One column in two summaries: which questions are asked of it, and what they measure, before any verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from noa_mlops.drift.numbers import Movement, Pair, in_tenths, movement, paired
from noa_mlops.drift.report import LARGE, Kind, Subject
from noa_mlops.drift.shares import (
    Cells,
    Novelty,
    cells_of,
    chi_squared,
    jensen_shannon,
    novelty,
    stability_index,
    total_variation,
)
from noa_mlops.drift.tails import ks_tail, normal_quantile, normal_tail, proportion_tail
from noa_mlops.records.drift import Margins
from noa_mlops.records.summary import ColumnSummary, Histogram

DISCRETE = 20
"""Distinct numbers up to which they are compared value by value."""

POWER = 0.8
"""The chance of seeing a change of three margins below which the data are too few."""

SHOWN = 12
"""Categories that a picture shows."""

_NUMBERS = ("int", "float", "time")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One effect, and the chance that nothing but chance shows as much."""

    subject: Subject
    effect: float
    margin: float
    p: float
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What the two summaries of a column say, before the verdict; the fields are those of `ColumnDrift`."""

    kind: Kind
    measurements: tuple[Measurement, ...]
    joint: float
    """Rows that stand for both samples, dependence taken off: n m / (n + m)."""
    medians: tuple[float, float] | None = None
    spread: float | None = None
    novelty: Novelty | None = None
    psi: float | None = None
    js: float | None = None
    labels: tuple[str, ...] = ()
    picture: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())


def same_kind(reference: ColumnSummary, current: ColumnSummary) -> bool:
    """Whether two columns can be compared; one without any value can be anything."""
    if not reference.present or not current.present:
        return True
    return _family(reference) == _family(current)


def compare(reference: ColumnSummary, current: ColumnSummary, margins: Margins) -> Compared:
    """Every question that can be asked of a column in both data, which are of the same kind."""
    missing = _missing(reference, current, margins)
    joint = _joint(reference, current)
    if not reference.present or not current.present:
        kind: Kind = "numeric" if reference.type in _NUMBERS else "categorical"
        return Compared(kind, (missing,), joint)
    if reference.numbers is not None and current.numbers is not None:
        return _numbers(reference, current, margins, missing)
    return _categories(reference, current, margins, missing)


def sees(compared: Compared, margins: Margins, level: float) -> bool:
    """Whether a change of three margins would be found with the chance `POWER` at the error ``level``."""
    root = math.sqrt(compared.joint)
    if compared.kind in ("numeric", "time"):
        # A shift d of a normal variable opens a gap of 2 Phi(d/2) - 1, and gaps deviate by 1/2 of the root at most.
        gap = 1 - 2 * normal_tail(LARGE * margins.numeric / 2)
        critical = math.sqrt(-math.log(min(1.0, level) / 2) / 2)
        return normal_tail(-2 * (gap * root - critical)) >= POWER
    moved = min(1.0, LARGE * margins.categorical)
    return normal_tail(-(2 * moved * root - normal_quantile(level / 2))) >= POWER


def _numbers(reference: ColumnSummary, current: ColumnSummary, margins: Margins, missing: Measurement) -> Compared:
    pair = paired(_histogram(reference.numbers), _histogram(current.numbers))
    moved = movement(pair)
    exact = _histogram(reference.numbers).level == _histogram(current.numbers).level == 0
    if moved is None or (exact and len(pair.values) <= DISCRETE):
        return _discrete(pair, reference, current, margins, missing)
    tenths = in_tenths(pair)
    asked = _movement(moved, reference, current, margins)
    return Compared(
        kind="time" if reference.type == "time" else "numeric",
        measurements=(asked, missing),
        joint=_joint(reference, current),
        medians=moved.medians,
        spread=moved.spread,
        psi=stability_index(*tenths[:2]),
        js=jensen_shannon(*tenths[:2]),
        labels=tuple(f"{upper:.6g}" for upper in tenths[2].tolist()),
        picture=_shares(*tenths[:2]),
    )


def _movement(
    moved: Movement, reference: ColumnSummary, current: ColumnSummary, margins: Margins, subject: Subject = "values"
) -> Measurement:
    rows = _effective(reference, current)
    return Measurement(
        subject, moved.moved, margins.numeric, ks_tail(moved.distance, *rows), _direction(moved.shifted, moved.moved)
    )


def _discrete(
    pair: Pair, reference: ColumnSummary, current: ColumnSummary, margins: Margins, missing: Measurement
) -> Compared:
    """Few numbers, or a reference that has but one: value by value. They are no names, so none of them is new."""
    names = tuple(f"{value:.6g}" for value in pair.values.tolist())
    cells = Cells(names, pair.reference, pair.current)
    return _by_share(cells, "discrete", reference, current, margins, (missing,))


def _categories(reference: ColumnSummary, current: ColumnSummary, margins: Margins, missing: Measurement) -> Compared:
    if reference.categories is None or current.categories is None:
        raise ValueError("a column of texts or truth values has its categories counted")
    cells = cells_of(reference.categories, current.categories)
    more = [missing]
    if reference.lengths is not None and current.lengths is not None and cells.names is None:
        moved = movement(paired(reference.lengths, current.lengths))
        if moved is not None:
            more.insert(0, _movement(moved, reference, current, margins, "length"))
    return _by_share(cells, "categorical", reference, current, margins, tuple(more))


def _by_share(
    cells: Cells,
    kind: Kind,
    reference: ColumnSummary,
    current: ColumnSummary,
    margins: Margins,
    more: tuple[Measurement, ...],
) -> Compared:
    thinned = _dependence(reference, current)
    chance = chi_squared(cells, (thinned, thinned))[2]
    asked = [Measurement("values", total_variation(cells), margins.categorical, chance, _gained(cells))]
    fresh = novelty(cells, thinned) if kind == "categorical" else None
    if fresh is not None and reference.type != "bool":
        excess = max(0.0, fresh.new - fresh.expected)
        asked.append(
            Measurement("new categories", excess, margins.new_category, fresh.chance, "up" if excess else None)
        )
    order = np.argsort(-np.maximum(cells.reference, cells.current), kind="stable")[:SHOWN]
    return Compared(
        kind=kind,
        measurements=(*asked, *more),
        joint=_joint(reference, current),
        novelty=fresh,
        psi=stability_index(cells.reference, cells.current),
        js=jensen_shannon(cells.reference, cells.current),
        labels=() if cells.names is None else tuple(cells.names[place] for place in order),
        picture=((), ()) if cells.names is None else _shares(cells.reference, cells.current, order),
    )


def _missing(reference: ColumnSummary, current: ColumnSummary, margins: Margins) -> Measurement:
    if not reference.rows or not current.rows:
        return Measurement("missing", 0.0, margins.missing, 1.0)
    change = current.missing / current.rows - reference.missing / reference.rows
    thinned = max(reference.missing_dependence, current.missing_dependence)
    chance = proportion_tail(
        (reference.missing / thinned, current.missing / thinned), (reference.rows / thinned, current.rows / thinned)
    )
    return Measurement("missing", abs(change), margins.missing, chance, _direction(change, abs(change)))


def _dependence(reference: ColumnSummary, current: ColumnSummary) -> float:
    """Measured on the reference, for the current data are often too few to show it; the larger where both do."""
    return max(reference.dependence, current.dependence)


def _effective(reference: ColumnSummary, current: ColumnSummary) -> tuple[float, float]:
    thinned = _dependence(reference, current)
    return reference.present / thinned, current.present / thinned


def _joint(reference: ColumnSummary, current: ColumnSummary) -> float:
    first, second = _effective(reference, current)
    return first * second / (first + second) if first and second else 0.0


def _direction(signed: float, size: float) -> str | None:
    if size == 0:
        return None
    if abs(signed) < size / 2:
        return "spread"
    return "up" if signed > 0 else "down"


def _gained(cells: Cells) -> str | None:
    first, second = _shares(cells.reference, cells.current)
    gains = np.array(second) - np.array(first)
    if cells.names is None or not len(gains) or gains.max() <= 0:
        return None
    return cells.names[int(gains.argmax())]


def _shares(
    reference: np.ndarray[tuple[int], np.dtype[np.int64]],
    current: np.ndarray[tuple[int], np.dtype[np.int64]],
    order: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    sides = []
    for counts in (reference, current):
        shares = counts / max(1, int(counts.sum()))
        sides.append(tuple((shares if order is None else shares[order]).tolist()))
    return sides[0], sides[1]


def _family(column: ColumnSummary) -> str:
    return {"int": "number", "float": "number", "category": "text"}.get(column.type, column.type)


def _histogram(found: Histogram | None) -> Histogram:
    if found is None:
        raise ValueError("a column of numbers has them counted")
    return found
