"""Metrics of ranking: rows belong to queries, the prediction orders the rows of each, the label says how relevant each is.

Every metric is a mean over the queries that have a relevant row (a label above 0), each with the same weight; queries
without one say nothing of a ranking and are left out, as trec_eval does. Rows of equal prediction are never in an order that
helps: `ndcg` takes the mean over all orders (McSherry and Najork 2008), the others the worst rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.influence import Influence
from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.regression import Numbers
from noa_mlops.evaluation.undefined import Undefined

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rankings:
    """All rows sorted by query and, within it, by prediction, greatest first.

    ``gains`` are the labels, ``query`` the number of each row's query from 0 on, ``rank`` its rank there from 1 on, ``first``
    the place of each query's first row; ``tie`` is the place of each row's run of equal predictions, ``opens`` and
    ``closes`` the first and the last row of each run. ``given`` is the query of each row in the order of the data.
    """

    gains: Floats
    query: Places
    rank: Places
    first: Places
    tie: Places
    opens: Places
    closes: Places
    given: Places

    @classmethod
    def of(cls, numbers: Numbers) -> Self:
        """The rankings of rows that have queries. Raises `Undefined` for labels below 0."""
        if numbers.queries is None:
            raise Undefined("rows belong to no queries")
        if negative := int(np.count_nonzero(numbers.truth < 0)):
            raise Undefined(f"{negative} labels are negative, which is no relevance")
        given = np.asarray(np.unique(numbers.queries, return_inverse=True)[1], dtype=np.int64)
        order = np.lexsort((-numbers.predicted, given))
        query, score = given[order], numbers.predicted[order]
        starts = np.concatenate(([True], query[1:] != query[:-1]))
        runs = starts | np.concatenate(([True], score[1:] != score[:-1]))
        first, opens = np.flatnonzero(starts), np.flatnonzero(runs)
        return cls(
            gains=numbers.truth[order],
            query=query,
            rank=np.arange(query.size) - first[query] + 1,
            first=first,
            tie=np.cumsum(runs) - 1,
            opens=opens,
            closes=np.append(opens[1:], query.size) - 1,
            given=given,
        )

    @property
    def relevant(self) -> npt.NDArray[np.bool_]:
        """Which rows are relevant."""
        return self.gains > 0

    @property
    def worst(self) -> Places:
        """The rank of each row if all rows of equal prediction came before it."""
        return self.rank[self.closes][self.tie]

    def sums(self, each: npt.NDArray[np.generic]) -> Floats:
        """The sum over the rows of each query."""
        added = np.bincount(self.query, weights=np.asarray(each, dtype=np.float64), minlength=self.first.size)
        return np.asarray(added, dtype=np.float64)


def ndcg(rankings: Rankings, depth: int | None = None) -> Floats:
    """Of each query the discounted cumulative gain over the greatest there could be; NaN without a relevant row.

    The gain is the label, the discount the logarithm to base 2 of rank + 1, down to ``depth`` (Järvelin and Kekäläinen 2002).
    """
    discounts = 1 / np.log2(rankings.rank + 1)
    if depth is not None:
        discounts[rankings.rank > depth] = 0
    runs = rankings.closes - rankings.opens + 1
    gains = np.add.reduceat(rankings.gains, rankings.opens) / runs
    reached = rankings.sums(gains[rankings.tie] * discounts)
    ideal = rankings.gains[np.lexsort((-rankings.gains, rankings.query))]
    return _over(reached, rankings.sums(ideal * discounts))


def reciprocal_rank(rankings: Rankings) -> Floats:
    """Of each query one over the rank of its first relevant row; NaN without one."""
    ranks = np.where(rankings.relevant, rankings.worst, np.inf)
    best = np.minimum.reduceat(ranks, rankings.first)
    return np.where(np.isfinite(best), 1 / best, np.nan)


def average_precision(rankings: Rankings) -> Floats:
    """Of each query the mean over its relevant rows of the share of relevant ones down to them; NaN without one."""
    relevant = rankings.relevant
    found: Places = np.cumsum(relevant, dtype=np.int64)
    before: Places = (found - relevant)[rankings.first]
    down_to: Places = found[rankings.closes][rankings.tie] - before[rankings.query]
    return _over(rankings.sums(relevant * (down_to / rankings.worst)), rankings.sums(relevant))


def _over(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(below.size, np.nan), where=below > 0))


OF_QUERIES: Mapping[str, Callable[[Rankings], Floats]] = {
    "ndcg": ndcg,
    "ndcg_at_10": partial(ndcg, depth=10),
    "mrr": reciprocal_rank,
    "map": average_precision,
}
"""The value of every ranking metric for each query, NaN for one without a relevant row."""


def measure(name: str, numbers: Numbers) -> float:
    """A ranking metric: the mean over the queries. Raises `Undefined` when none has a relevant row."""
    values = OF_QUERIES[name](Rankings.of(numbers))
    known = values[~np.isnan(values)]
    if not known.size:
        raise Undefined("no query has a relevant row")
    return min(1.0, float(known.mean()))


def influence(name: str, numbers: Numbers) -> Influence:
    """The influence of each row: that of its query, spread evenly over the query's rows."""
    rankings = Rankings.of(numbers)
    values = OF_QUERIES[name](rankings)
    known = ~np.isnan(values)
    queries, rows = int(known.sum()), np.bincount(rankings.given)
    moved = np.where(known, values - values[known].mean(), 0.0) * (rankings.given.size / queries)
    return Influence((moved / rows)[rankings.given], queries, 1 / (queries * int(rows.max())))
