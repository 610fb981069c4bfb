"""``python -m benchmarks.retrains``: how often truly worse models are promoted, with real models of the rainfall data.

Rows before 12,000 only, where the data are stable. The champion and 400 challengers learn from rows before 6,000; the 6,000
rows after them are the population: what a model is worth on all of them is its true value, known without error.
Evaluation rows are drawn from the population with replacement, measured by `compare` and judged by `judge`, beside
the rule that compares two numbers. Same seed, same figures.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from benchmarks.promotions import SIZES, median, promoted
from noa_mlops.evaluation import Answers, compare
from noa_mlops.gate.certainty import error_at, rows_to_decide
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

Draw = np.random.Generator
Floats = npt.NDArray[np.float64]

SEED = 20261128

OF_EACH = 100
"""Retrains of each recipe."""

SAMPLES = {300: 3, 1_000: 3, 5_000: 1}
"""How many evaluation samples a retrain is measured on, by their rows."""

LEARNED, END = 6_000, 12_000
"""Rows before the first may be learned from; from there to the second is the population."""

OF_CHAMPION = 3_000
"""The champion, and retrains that do as it did, learn from rows before this one."""

METRICS = ("roc_auc", "accuracy")
GAIN = VersusChampion("min_gain", 0.0)
BINS = {
    "beyond the margin (under -0.025)": (-1.0, -0.025),
    "about at it (-0.025 .. -0.015)": (-0.025, -0.015),
    "within it (-0.015 .. -0.005)": (-0.015, -0.005),
    "about equal (-0.005 .. +0.005)": (-0.005, 0.005),
    "better (over +0.005)": (0.005, 1.0),
    "**all beyond the margin (under -0.02)**": (-1.0, -0.02),
    "**all truly worse (under 0)**": (-1.0, 0.0),
}
"""Retrains by their true improvement over the champion, from the first number to below the second."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Features and labels of the stable rows."""

    features: Floats
    labels: npt.NDArray[np.int64]

    @classmethod
    def load(cls) -> Rows:
        """From the data that the package brings."""
        with (files("noa_mlops") / "demo" / "rainfall.parquet").open("rb") as stream:
            table = pq.read_table(stream).slice(0, END)
        names = [name for name in table.column_names if name != "rain"]
        features = np.column_stack([table.column(name).to_numpy() for name in names]).astype(np.float64)
        return cls(features, table.column("rain").to_numpy().astype(np.int64))

    def fitted(self, estimator: Any, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Floats:
        """What an estimator that has learned these rows and columns says of the population."""
        estimator.fit(self.features[np.ix_(rows, columns)], self.labels[rows])
        return np.asarray(estimator.predict_proba(self.features[LEARNED:, columns])[:, 1], dtype=np.float64)


def boosted(draw: Draw) -> HistGradientBoostingClassifier:
    """The champion's estimator, with another seed."""
    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=int(draw.integers(1 << 30)))


def again(data: Rows, draw: Draw) -> Floats:
    """As the champion was made: a bootstrap sample of its rows."""
    return data.fitted(boosted(draw), draw.integers(0, OF_CHAMPION, OF_CHAMPION), _every(data))


def with_more_rows(data: Rows, draw: Draw) -> Floats:
    """A bootstrap sample of up to twice as many rows."""
    return data.fitted(boosted(draw), draw.integers(0, LEARNED, draw.integers(OF_CHAMPION, LEARNED)), _every(data))


def with_fewer_columns(data: Rows, draw: Draw) -> Floats:
    """Up to twice as many rows, of which one to four columns are lacking."""
    columns = np.sort(draw.permutation(_every(data))[draw.integers(1, 5) :])
    return data.fitted(boosted(draw), draw.integers(0, LEARNED, draw.integers(OF_CHAMPION, LEARNED)), columns)


def another(data: Rows, draw: Draw) -> Floats:
    """Half of them logistic regressions with any regularisation, half trees of depth 3 to 8, on 300 to 6,000 rows."""
    rows = draw.integers(0, LEARNED, draw.integers(300, LEARNED))
    if draw.random() < 0.5:
        return data.fitted(LogisticRegression(C=10 ** draw.uniform(-4, 1), max_iter=500), rows, _every(data))
    tree = DecisionTreeClassifier(max_depth=int(draw.integers(3, 9)), min_samples_leaf=int(draw.integers(1, 100)))
    return data.fitted(tree, rows, _every(data))


RECIPES = {"again": again, "more rows": with_more_rows, "fewer columns": with_fewer_columns, "another": another}


def _every(data: Rows) -> npt.NDArray[np.int64]:
    return np.arange(data.features.shape[1])


@dataclass(frozen=True, slots=True)
class Retrain:
    """One challenger: its recipe, its true improvement by metric, and those measured, by rows."""

    recipe: str
    truth: Mapping[str, float]
    measured: Mapping[int, tuple[Mapping[str, Estimate], ...]]


def retrains(recipe: str) -> list[Retrain]:
    """One recipe carried out 100 times and measured beside the champion."""
    data, first = Rows.load(), np.random.default_rng(SEED)
    champion = data.fitted(boosted(first), np.arange(OF_CHAMPION), _every(data))
    draw = np.random.default_rng([SEED, list(RECIPES).index(recipe)])
    return [_retrain(recipe, (RECIPES[recipe](data, draw), champion), data, draw) for _ in range(OF_EACH)]


def _retrain(recipe: str, both: tuple[Floats, Floats], data: Rows, draw: Draw) -> Retrain:
    labels, population = data.labels[LEARNED:], np.arange(END - LEARNED)
    samples = {rows: draw.choice(population, (count, rows)) for rows, count in SAMPLES.items()}
    measured = {rows: tuple(improvements(both, labels, each) for each in drawn) for rows, drawn in samples.items()}
    truth = {metric: each.value or 0.0 for metric, each in improvements(both, labels, population).items()}
    return Retrain(recipe, truth, measured)


def improvements(
    both: tuple[Floats, Floats], labels: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> Mapping[str, Estimate]:
    """How much better the first is than the second on these rows of the population."""
    ours, theirs = (Answers(pa.table({"p_0": 1 - each[rows], "p_1": each[rows]}), (0, 1)) for each in both)
    found = compare(ours, theirs, pa.chunked_array([labels[rows]]), task="classification")
    return {metric: found[metric] for metric in METRICS}


def table(made: list[Retrain]) -> Iterator[str]:
    """One row for each metric and bin: the share promoted by the default, by a gain that is asked for, by two numbers."""
    sizes = " / ".join(f"{rows:,}" for rows in SIZES)
    yield f"| metric | true difference | retrains | default, {sizes} rows | `min_gain: 0` | `candidate > champion` |"
    yield "|---|---|---|---|---|---|"
    for metric in METRICS:
        for what, (least, most) in BINS.items():
            these = [one for one in made if least <= one.truth[metric] < most]
            cells = [_shares(these, metric, rule) for rule in (None, GAIN, "point")]
            yield f"| {metric} | {what} | {len(these)} | {' | '.join(cells)} |"


def _shares(these: list[Retrain], metric: str, rule: VersusChampion | str | None) -> str:
    shares = []
    for rows in SIZES:
        found = [each[metric] for one in these for each in one.measured[rows]]
        passed = [
            (each.value or 0.0) > 0 if isinstance(rule, str) else promoted(metric, each, 1, rule) for each in found
        ]
        shares.append(f"{np.mean(passed):.1%}" if passed else "-")
    return " / ".join(shares)


def at_the_margin(made: list[Retrain]) -> Iterator[str]:
    """Each truly worse retrain held against a drop that is exactly its own: the share promoted, with its standard error."""
    yield f"| metric | retrains | promoted exactly at their margin, {' / '.join(f'{rows:,}' for rows in SIZES)} rows |"
    yield "|---|---|---|"
    for metric in METRICS:
        worse = [one for one in made if one.truth[metric] < 0]
        cells = []
        for rows in SIZES:
            each = [
                np.mean([promoted(metric, found[metric], 1, _own_drop(one, metric)) for found in one.measured[rows]])
                for one in worse
            ]
            cells.append(f"{np.mean(each):.1%} (± {np.std(each) / np.sqrt(len(each)):.1%})")
        yield f"| {metric} | {len(worse)} | {' / '.join(cells)} |"


def _own_drop(one: Retrain, metric: str) -> VersusChampion:
    return VersusChampion("max_drop", -one.truth[metric])


def mix(made: list[Retrain]) -> Iterator[str]:
    """What the retrains are: by recipe, the quantiles of their true improvement, and the rows that show them no worse."""
    yield "| recipe | metric | true improvement: 5 %, median, 95 % | rows for 80 %, were it equal: look 1, look 20 |"
    yield "|---|---|---|---|"
    for recipe in RECIPES:
        for metric in METRICS:
            these = [one for one in made if one.recipe == recipe]
            low, middle, high = np.quantile([one.truth[metric] for one in these], (0.05, 0.5, 0.95))
            usual = median([one.measured[SIZES[0]][0][metric] for one in these])
            rows = [rows_to_decide(usual, 0.02, error_at(look)) or 0 for look in (1, 20)]
            yield f"| {recipe} | {metric} | {low:+.3f}, {middle:+.3f}, {high:+.3f} | {rows[0]:,}, {rows[1]:,} |"


def main() -> int:
    """Print the tables."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        made = list(chain.from_iterable(workers.map(retrains, RECIPES)))
    for line in chain(mix(made), [""], table(made), [""], at_the_margin(made)):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
