"""Series that are forecast: the scale that a naive forecast sets in training, and the blocks in which errors depend.

A dataset whose definition names a ``horizon`` is a forecast. Its rows are not independent: errors of neighbouring times have
the same surprises in them. So they count by their series, the ``group``, or within one series by blocks of times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from noa_mlops.datasets import Dataset
from noa_mlops.errors import PlanInvalid
from noa_mlops.records.plan import TrainingPlan

METRIC = "mase"
"""The metric that needs a training series."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The scale of each evaluation row, NaN where its series has none in training; ``season`` in steps."""

    season: int
    scales: npt.NDArray[np.float64]
    series: int

    def to_document(self) -> Mapping[str, Any]:
        """As an entry records it: the season, how many series have a scale in training, and the mean scale of the rows."""
        known = self.scales[np.isfinite(self.scales)]
        return {"season": self.season, "series": self.series, "scale": float(known.mean()) if known.size else None}


def forecast(plan: TrainingPlan, train: Dataset, evaluation: Dataset, target: str) -> Forecast | None:
    """The forecast that the data declare by a horizon, or a threshold asks about; None when neither does.

    Raises `PlanInvalid` for a threshold on data that have no order in time or no numbers to forecast.
    """
    wanted = () if plan.evaluation is None else plan.evaluation.metric_thresholds
    asked = any(threshold.metric == METRIC for threshold in wanted)
    time, numeric = train.definition.time, _is_number(train.table.column(target).type)
    if not asked and (evaluation.definition.horizon is None or time is None or not numeric):
        return None
    if time is None or not numeric:
        raise PlanInvalid(
            f"evaluation.metric_thresholds.{METRIC} needs a training series of numbers in time, and {plan.dataset_path} has none",
            hint="Declare 'time', and 'season' and 'group' where there are, in a dataset definition.",
        )
    group = train.definition.group
    if group is not None and group not in evaluation.table.column_names:
        raise PlanInvalid(f"{METRIC}: the series {group!r} of the training data is no column of the evaluation data")
    season = train.definition.season
    found = _scales(train.table, target, time, group, season)
    keys = [None] * evaluation.table.num_rows if group is None else evaluation.table.column(group).to_pylist()
    return Forecast(season, np.array([found.get(key, math.nan) for key in keys], dtype=np.float64), len(found))


def blocks(evaluation: Dataset) -> pa.ChunkedArray | None:
    """The block of times of each row of a forecast of one series; None when the data declare no horizon.

    A block is as long as the greatest horizon and the season, and at least the cube root of the number of times, so what
    one block says of the errors in another can be left out of account (Künsch 1989).
    """
    definition = evaluation.definition
    if definition.horizon is None or definition.time is None:
        return None
    times = evaluation.table.column(definition.time).combine_chunks()
    known = times.unique().drop_null()
    distinct = known.take(pc.sort_indices(known))
    ahead = pc.max(evaluation.table.column(definition.horizon)).as_py()
    reach = int(ahead) if isinstance(ahead, int | float) and ahead > 0 else 1
    length = max(reach, definition.season, math.ceil(len(distinct) ** (1 / 3)))
    places = pc.index_in(times, value_set=distinct)
    return pa.chunked_array([pc.divide(places, pa.scalar(length, pa.int32()))])


def _scales(table: pa.Table, target: str, time: str, group: str | None, season: int) -> Mapping[Any, float]:
    """Of each series the mean absolute difference of values a season apart, where there are two and they differ.

    Times count as steps in their order; of several rows at one time the first speaks.
    """
    named = {"time": table.column(time), "value": table.column(target).cast(pa.float64())}
    keys = pa.nulls(table.num_rows, pa.int8()) if group is None else table.column(group).combine_chunks()
    series = pc.dictionary_encode(keys, null_encoding="encode")
    rows = pa.table({**named, "series": series.indices}).filter(pc.is_valid(named["time"]))
    rows = rows.sort_by([("series", "ascending"), ("time", "ascending")])
    codes, values = rows["series"].to_numpy(), rows["value"].to_numpy()
    times = pc.dictionary_encode(rows["time"].combine_chunks()).indices.to_numpy()
    first = np.concatenate(([True], (codes[1:] != codes[:-1]) | (times[1:] != times[:-1])))[: codes.size]
    codes, values = codes[first], values[first]
    moved = np.abs(values[season:] - values[:-season])
    same = (codes[season:] == codes[:-season]) & np.isfinite(moved)
    count = np.bincount(codes[season:][same], minlength=len(series.dictionary))
    total = np.bincount(codes[season:][same], weights=moved[same], minlength=len(series.dictionary))
    names = series.dictionary.to_pylist()
    return {names[code]: float(total[code] / count[code]) for code in np.flatnonzero(count)}


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))
