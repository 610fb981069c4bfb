"""All columns together: can a classifier tell the rows of both data apart, by what no column shows alone?

Every column can have the same distribution as before while they go together in another way. A classifier learns to tell
reference and current rows apart on one half of each and is asked about the other half, which it never saw. What counts
is the area under its ROC curve there, which is 0.5 where there is nothing to tell: the effect is what it has beyond
that, and its chance that of the rank sum test (Mann and Whitney 1947), whose variance grows where rows depend on each
other by as much as the means of their groups or stretches of time differ more than chance would make them.

Rows, halves, seed and the order of the columns are given, so the same data have the same answer, whatever their order,
by one version of scikit-learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.drift.report import TOGETHER, ColumnDrift, Test
from noa_mlops.drift.tails import normal_tail

MARGIN = 0.1
"""The area beyond 0.5 from which it matters: rows that a shift of 0.36 spreads in one column would tell apart as well."""

FEWEST = 100
"""Rows of each side, in each half, from which it is asked."""

FEWEST_UNITS = 30
"""Groups or stretches of time of the reference, held out, from which it is known how much its rows depend on each other."""

LARGEST_CODE = 200
"""Categories that are told apart, the most frequent ones; the rest of them are one."""

BINS = 10
"""Bins of the picture: tenths of the scores of both sides."""

Real = npt.NDArray[np.float64]


class Rows(Protocol):
    """Some rows of one side; ``held_out`` says which the classifier is asked about, ``units`` which belong together."""

    @property
    def table(self) -> pa.Table:
        """Their columns, in normal form."""

    @property
    def held_out(self) -> npt.NDArray[np.bool_]:
        """Which of them are no part of what is learnt."""

    @property
    def units(self) -> npt.NDArray[np.uint64] | None:
        """The group or stretch of time of each; None where rows are assumed independent."""


@dataclass(frozen=True, slots=True)
class Joint:
    """What a classifier makes of the rows that were held out.

    ``area`` is that under its ROC curve, ``p`` the chance of as much where nothing changed, ``rows`` how many rows of
    reference and current it was asked about, ``picture`` their shares in tenths of its scores.
    """

    area: float
    p: float
    rows: tuple[int, int]
    dependence: float
    picture: tuple[tuple[float, ...], tuple[float, ...]]


def tell_apart(reference: Rows, current: Rows) -> Joint | str:
    """Ask a classifier about rows of both, which have the same columns; or why it cannot be asked."""
    if not reference.table.num_columns:
        return "no column is left for it"
    fewest = min(
        int(np.count_nonzero(half)) for side in (reference, current) for half in (side.held_out, ~side.held_out)
    )
    if fewest < FEWEST:
        return f"a half of one side has {fewest} rows, and {FEWEST} are needed"
    held_out = np.concatenate((reference.held_out, current.held_out))
    is_current = np.arange(len(held_out)) >= len(reference.held_out)
    scores = _scores(pa.concat_tables([reference.table, current.table]), is_current, held_out)
    ranks = _ranks(scores)
    sides = ranks[~is_current[held_out]], ranks[is_current[held_out]]
    known = [_dependence(values, side) for values, side in zip(sides, (reference, current), strict=True)]
    if known[0] is None:
        return f"fewer than {FEWEST_UNITS} groups or stretches of time of the reference were held out"
    dependence = max(found for found in known if found is not None)
    beyond = float(sides[1].mean() - sides[0].mean())
    error = math.sqrt(float(ranks.var()) * (1 / len(sides[0]) + 1 / len(sides[1])) * dependence)
    return Joint(
        area=0.5 + beyond,
        p=normal_tail(beyond / error) if error else 1.0,
        rows=(len(sides[0]), len(sides[1])),
        dependence=dependence,
        picture=(_tenths(sides[0]), _tenths(sides[1])),
    )


def as_column(joint: Joint, q: float, fdr: float) -> ColumnDrift:
    """What was found, in the form of a column; its ``q`` is adjusted with the questions asked of the columns."""
    effect = max(0.0, joint.area - 0.5)
    drifted = q < fdr and effect >= MARGIN
    return ColumnDrift(
        name=TOGETHER,
        kind="joint",
        is_label=False,
        gates=True,
        tests=(Test("joint", effect, MARGIN, joint.p, q, "up" if effect else None, drifted),),
        insufficient=False,
        rows=joint.rows,
        missing=(0, 0),
        dependence=joint.dependence,
        labels=tuple(f"tenth {place} of the scores" for place in range(1, BINS + 1)),
        picture=joint.picture,
    )


def _scores(table: pa.Table, is_current: npt.NDArray[np.bool_], held_out: npt.NDArray[np.bool_]) -> Real:
    """How much each row that is held out looks like a current one, by trees that learnt from the others."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    matrix = np.column_stack([_encoded(column, ~held_out) for column in table.columns])
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        early_stopping=False,
        categorical_features=[pa.types.is_string(column.type) for column in table.columns],
        random_state=0,
    )
    with threadpool_limits(limits=1):
        model.fit(matrix[~held_out], is_current[~held_out])
        scores: Real = model.decision_function(matrix[held_out])
    return scores


def _encoded(column: pa.ChunkedArray, learnt: npt.NDArray[np.bool_]) -> Real:
    """Numbers by their rank, for trees see nothing else and infinity has one too; texts by code; missing is NaN.

    A column that was missing wherever one could learn from it says nothing.
    """
    missing = column.is_null().to_numpy()
    if pa.types.is_string(column.type):
        coded = _codes(column, learnt)
    else:
        values = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy()
        coded = np.unique(values, return_inverse=True)[1].astype(np.float64)
    if missing[learnt].all():
        return np.zeros(len(coded))
    coded[missing] = np.nan
    return coded


def _codes(column: pa.ChunkedArray, learnt: npt.NDArray[np.bool_]) -> Real:
    """The place of each text among those that were learnt from, the most frequent first."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    names, places = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    counts = np.bincount(places[learnt], minlength=len(names))
    order = sorted(range(len(names)), key=lambda place: (-int(counts[place]), names[place]))
    codes = np.empty(len(names))
    codes[order] = np.minimum(np.arange(len(names)), LARGEST_CODE)
    coded: Real = np.where(counts > 0, codes, LARGEST_CODE)[places]
    return coded


def _ranks(scores: Real) -> Real:
    """The share of scores below each, equal ones halved; the means of two sides differ by the area beyond a half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares: Real = ((np.cumsum(counts) - counts / 2) / len(scores))[place]
    return shares


def _dependence(ranks: Real, side: Rows) -> float | None:
    """By how much the units' sums spread more than those of independent rows; None where there are too few units."""
    if side.units is None:
        return 1.0
    beyond = ranks - ranks.mean()
    units, place = np.unique(side.units[side.held_out], return_inverse=True)
    if len(units) < FEWEST_UNITS:
        return None
    sums = np.bincount(place, weights=beyond)
    alone: Any = beyond @ beyond
    return max(1.0, len(units) / (len(units) - 1) * float(sums @ sums) / float(alone)) if alone > 0 else 1.0


def _tenths(ranks: Real) -> tuple[float, ...]:
    counts = np.bincount(np.minimum((ranks * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    return tuple((counts / len(ranks)).tolist())
