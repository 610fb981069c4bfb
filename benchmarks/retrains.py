"""``python -m benchmarks.retrains``: 400 real retrains on the rainfall data, and which of them the gate promotes.

A champion and its challengers learn from rows 0 to 6,000. Rows 6,000 to 12,000, before the drift of that data, are the world:
what a model is worth on all of them is its true value. Nights are rows drawn from that world, with replacement. Same seed,
same figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from noa_mlops.evaluation import Answers, compare, evaluate
from noa_mlops.gate import judge
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

RETRAINS = 400
NIGHTS = 5
"""Draws of evaluation rows for each retrain and size."""

SIZES = (300, 1_000, 5_000)
LEARN, WORLD = slice(0, 6_000), slice(6_000, 12_000)
METRICS_HERE = {"roc_auc": Threshold("roc_auc", minimum=0.0), "accuracy": Threshold("accuracy", minimum=0.0)} | {
    "log_loss": Threshold("log_loss", maximum=10.0)
}
"""Thresholds that every model meets, so that the comparison alone decides."""

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Data:
    """Features and labels."""

    features: Rows
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Retrain:
    """A challenger: what it says of every row of the world, and how much better than the champion it truly is."""

    kind: str
    given: Rows
    gains: Mapping[str, float]


def rainfall() -> tuple[Data, Data]:
    """What is learned from, and the world."""
    path = resources.files("noa_mlops.demo") / "rainfall.parquet"
    with resources.as_file(path) as file:
        table = pyarrow.parquet.read_table(file)
    labels = table.column("rain").to_numpy().astype(np.int64)
    features = np.column_stack(
        [table.column(name).to_numpy().astype(np.float64) for name in table.column_names if name != "rain"]
    )
    learn, world = (Data(features[part], labels[part]) for part in (LEARN, WORLD))
    return learn, world


def boosted(seed: int, rounds: int = 60, leaves: int = 8) -> HistGradientBoostingClassifier:
    """The usual estimator of this study."""
    return HistGradientBoostingClassifier(
        max_iter=rounds, learning_rate=0.1, max_leaf_nodes=leaves, early_stopping=False, random_state=seed
    )


def bootstrapped(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """The nightly retrain: the champion's estimator on rows drawn anew."""
    return _predicted(boosted(0), _some(draw, learn, len(learn.labels)), world)


def other_settings(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """Other rounds and leaves, all rows."""
    model = boosted(0, int(draw.integers(20, 200)), int(draw.integers(4, 24)))
    return _predicted(model, _some(draw, learn, len(learn.labels)), world)


def fewer_rows(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """A part of the rows, from 3 to 30 %."""
    return _predicted(boosted(0), _some(draw, learn, int(len(learn.labels) * draw.uniform(0.03, 0.3))), world)


def fewer_features(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """One to three of the eight features are gone."""
    count = learn.features.shape[1]
    kept = draw.permutation(count)[: count - int(draw.integers(1, 4))]
    part = _some(draw, learn, len(learn.labels))
    narrow = Data(world.features[:, kept], world.labels)
    return _predicted(boosted(0), Data(part.features[:, kept], part.labels), narrow)


def logistic(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """Logistic regression of any regularisation."""
    model = LogisticRegression(C=float(10 ** draw.uniform(-4, 1)), max_iter=300)
    return _predicted(model, _some(draw, learn, len(learn.labels)), world)


def tree(draw: np.random.Generator, learn: Data, world: Data) -> Rows:
    """One decision tree of four to nine floors."""
    model = DecisionTreeClassifier(max_depth=int(draw.integers(4, 10)), min_samples_leaf=20, random_state=0)
    return _predicted(model, _some(draw, learn, len(learn.labels)), world)


MIX: Mapping[Callable[[np.random.Generator, Data, Data], Rows], int] = {
    bootstrapped: 120,
    other_settings: 80,
    fewer_rows: 80,
    fewer_features: 60,
    logistic: 30,
    tree: 30,
}
"""How many retrains of each kind."""


def _some(draw: np.random.Generator, data: Data, count: int) -> Data:
    """So many rows, drawn with replacement."""
    rows = draw.integers(0, len(data.labels), count)
    return Data(data.features[rows], data.labels[rows])


def _predicted(model: object, learn: Data, world: Data) -> Rows:
    return np.asarray(model.fit(learn.features, learn.labels).predict_proba(world.features))  # type: ignore[attr-defined]


def answers(given: Rows) -> Answers:
    """Probabilities as a predictor hands them in."""
    return Answers(pa.table({"p_0": given[:, 0], "p_1": given[:, 1]}), (0, 1))


def retrains(learn: Data, world: Data) -> tuple[Rows, Mapping[str, float], list[Retrain]]:
    """The champion's answers and its true values, and every challenger."""
    champion = _predicted(boosted(0), learn, world)
    labels = pa.chunked_array([world.labels])
    report = evaluate(answers(champion).predictions, labels, task="classification", classes=(0, 1), positive=1)
    values = {name: report.metrics[name].value or 0.0 for name in METRICS_HERE}
    found = []
    for make, count in MIX.items():
        for number in range(count):
            given = make(np.random.default_rng([number, len(make.__name__)]), learn, world)
            whole = compare(answers(given), answers(champion), labels, task="classification", positive=1)
            gains = {name: whole[name].value or 0.0 for name in METRICS_HERE}
            found.append(Retrain(make.__name__, given, gains))
    return champion, values, found


def bins(gain: float, margin: float) -> str:
    """How a true difference stands to the margin, in parts of it."""
    part = gain / margin
    edges = ((-1.25, "worse than the margin by a quarter or more"), (-1.0, "just worse than the margin"))
    for edge, name in (*edges, (-0.25, "within the margin"), (0.25, "about equal")):
        if part < edge:
            return name
    return "better"


ORDER = (
    "worse than the margin by a quarter or more",
    "just worse than the margin",
    "all that are worse than the margin",
    "made exactly as bad as the margin",
    "within the margin",
    "about equal",
    "better",
)


def promoted(name: str, improvement: Estimate, champion: float, rule: VersusChampion | None = None) -> bool:
    """Whether the gate lets it pass at the first look, by the default unless ``rule`` is another."""
    threshold = METRICS_HERE[name]
    asked = Threshold(name, minimum=threshold.minimum, maximum=threshold.maximum, versus_champion=rule)
    beside = Comparison(1, {name: champion}, {name: improvement})
    return judge([asked], {name: Estimate(0.5, improvement.rows)}, beside, look=1).promotes


def measured(world: Data, champion: Rows, values: Mapping[str, float], found: list[Retrain]) -> Iterator[tuple]:
    """Metric, bin, rows, ours, two numbers: for every metric, retrain, size and night; what is exactly at the margin too."""
    for number, one in enumerate(found):
        for rows in SIZES:
            draw = np.random.default_rng([number, rows])
            for _ in range(NIGHTS):
                seen = draw.integers(0, len(world.labels), rows)
                labels = pa.chunked_array([world.labels[seen]])
                both = (answers(one.given[seen]), answers(champion[seen]))
                improvements = compare(*both, labels, task="classification", positive=1)
                for name, value in values.items():
                    better = (improvements[name].value or 0.0) > 0
                    margin = -VersusChampion.default(METRICS[name], value).limit
                    ours = promoted(name, improvements[name], value)
                    kind = bins(one.gains[name], margin)
                    yield name, kind, rows, ours, better
                    if one.gains[name] < -margin:
                        yield name, ORDER[2], rows, ours, better
                    if one.gains[name] < 0:
                        exact = VersusChampion("max_drop", -one.gains[name])
                        yield name, ORDER[3], rows, promoted(name, improvements[name], value, exact), better


def table() -> Iterator[str]:
    """What the champion is worth, the mix, and one row for each metric, bin and size."""
    learn, world = rainfall()
    champion, values, found = retrains(learn, world)
    told = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    yield f"Champion: {told}. Mix: {', '.join(f'{make.__name__} {count}' for make, count in MIX.items())}."
    tally: dict[tuple[str, str, int], list[int]] = {}
    for name, kind, rows, ours, better in measured(world, champion, values, found):
        counts = tally.setdefault((name, kind, rows), [0, 0, 0])
        counts[0] += 1
        counts[1] += ours
        counts[2] += better
    yield "| metric | true difference | rows | retrains | this gate, default | `candidate > champion` |"
    yield "|---|---|---|---|---|---|"
    for name in values:
        for kind in ORDER:
            for rows in SIZES:
                if (counts := tally.get((name, kind, rows))) is not None:
                    shares = [f"{part / counts[0]:.1%}" for part in counts[1:]]
                    yield f"| {name} | {kind} | {rows:,} | {counts[0] // NIGHTS} | {' | '.join(shares)} |"


def main() -> int:
    """Print the table."""
    for line in table():
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
