"""What each row adds to a metric: against the jackknife, the definition, and scikit-learn's own figures."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from noa_mlops.evaluation import Answers, compare, evaluate
from noa_mlops.evaluation.influence import moments
from noa_mlops.evaluation.score_influence import area
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.spread import Moments, PairedProportion, Proportion

RNG = np.random.default_rng(20261122)


def forecasts(rows, classes, strength=1.2, rng=RNG):
    truth = rng.integers(0, classes, rows)
    scores = np.exp(rng.normal(size=(rows, classes)) + strength * np.eye(classes)[truth])
    given = np.round(scores / scores.sum(axis=1, keepdims=True), 2)
    return truth, given / given.sum(axis=1, keepdims=True)


def table(given):
    return pa.table({f"p_{place}": given[:, place] for place in range(given.shape[1])})


def measured(truth, given, **more):
    return evaluate(table(given), pa.array(truth), task="classification", classes=range(given.shape[1]), **more).metrics


def jackknife(values):
    """The standard error from the values with one row left out each."""
    values = np.asarray(values)
    return np.sqrt((values.size - 1) * values.var())


@pytest.mark.parametrize("classes", [2, 3])
def test_standard_errors_of_classifications_are_those_of_the_jackknife(classes):
    truth, given = forecasts(80, classes)
    whole = measured(truth, given)
    left_out = [measured(np.delete(truth, row), np.delete(given, row, axis=0)) for row in range(80)]
    for name, estimate in whole.items():
        if estimate.value is None or name == "ece":  # its bins move when a row goes
            continue
        values = [one[name].value for one in left_out]
        if None not in values:  # a slope may not exist without a certain row
            assert estimate.spread.standard_error() == pytest.approx(jackknife(values), rel=0.12), name


def test_standard_errors_of_regressions_are_those_of_the_jackknife():
    truth = RNG.normal(15, 1, 90)
    guessed = truth + RNG.standard_t(5, 90)

    def metrics(rows):
        return evaluate(pa.table({"prediction": guessed[rows]}), pa.array(truth[rows]), task="regression").metrics

    every = np.arange(90)
    whole, left_out = metrics(every), [metrics(np.delete(every, row)) for row in range(90)]
    for name in (
        "mae",
        "rmse",
        "rmsle",
        "mape",
        "smape",
        "wape",
        "mean_error",
        "r2",
        "pinball_10",
        "pinball_50",
        "pinball_90",
    ):
        error = jackknife([one[name].value for one in left_out])
        assert whole[name].spread.standard_error() == pytest.approx(error, rel=0.05), name
    assert whole["max_error"].spread is None


@pytest.mark.parametrize("classes", [2, 3])
def test_every_interval_is_made_as_the_table_says(classes):
    truth, given = forecasts(400, classes)
    numbers = pa.table({"prediction": RNG.exponential(1, 400)})
    of_numbers = evaluate(numbers, pa.array(RNG.exponential(1, 400)), task="regression").metrics
    for name, estimate in {**measured(truth, given), **of_numbers}.items():
        wanted = {"score": Proportion, None: type(None)}.get(METRICS[name].interval, Moments)
        assert estimate.value is None or isinstance(estimate.spread, wanted), name


def test_bounds_of_one_model_miss_the_truth_about_as_often_as_they_say():
    """A population that is known: its metrics over very many rows are the truth, 5 % may miss it on each side."""
    rng, trials, rows = np.random.default_rng(11), 200, 400
    names = ("specificity", "npv", "cohen_kappa", "calibration_slope", "calibration_intercept")

    def draw(rows):
        truth = (rng.random(rows) < 0.3).astype(int)
        odds = 0.8 * (rng.normal(size=rows) + 1.5 * truth - 1.2) + 0.3
        given = 1 / (1 + np.exp(-odds))
        return truth, np.column_stack([1 - given, given])

    known = measured(*draw(400_000))
    missed = dict.fromkeys(names, 0)
    for _ in range(trials):
        found = measured(*draw(rows))
        for name in names:
            lower, upper = found[name].bounds(0.05)
            missed[name] += not lower <= known[name].value <= upper
    for name, misses in missed.items():
        assert 0.03 <= misses / trials <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials), name


def test_bounds_of_a_regression_miss_the_truth_about_as_often_as_they_say():
    rng, trials, rows = np.random.default_rng(12), 200, 300
    names = ("mean_error", "rmsle", "smape", "wape")

    def metrics(rows):
        truth = rng.gamma(2, 3, rows)
        return evaluate(
            pa.table({"prediction": truth * np.exp(0.25 * rng.normal(size=rows)) + 0.2}),
            pa.array(truth),
            task="regression",
        ).metrics

    known = metrics(400_000)
    missed = dict.fromkeys(names, 0)
    for _ in range(trials):
        found = metrics(rows)
        for name in names:
            lower, upper = found[name].bounds(0.05)
            missed[name] += not lower <= known[name].value <= upper
    for name, misses in missed.items():
        assert 0.03 <= misses / trials <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials), name


def delong(truth, given):
    """The definition, pair by pair: structural components and their covariances (DeLong 1988, equations 4 to 6)."""
    pairs = (given[truth][:, None] > given[~truth]) + 0.5 * (given[truth][:, None] == given[~truth])
    return pairs.mean(), pairs.mean(axis=1), pairs.mean(axis=0)


def test_the_area_has_the_variance_of_delong_alone_and_paired_with_ties():
    truth = RNG.random(200) < 0.3
    one = np.round(RNG.normal(size=200) + truth, 1)
    two = np.round(RNG.normal(size=200) * 0.5 + one + 0.3 * truth, 1)
    (_, v10, v01), (_, w10, w01) = delong(truth, one), delong(truth, two)
    alone = v10.var(ddof=1) / v10.size + v01.var(ddof=1) / v01.size
    paired = (v10 - w10).var(ddof=1) / v10.size + (v01 - w01).var(ddof=1) / v01.size
    assert moments(area(truth, one)).error ** 2 == pytest.approx(alone, rel=1e-12)
    assert moments(area(truth, one) - area(truth, two)).error ** 2 == pytest.approx(paired, rel=1e-12)


OVARIAN_CANCER = """
30 58 10 0  32 63  5 1  39 68  3 1  28 48  6 0  32 58  3 1   9 40  5 0  25 57  8 0  16 56  5 1  38 57  5 1
37 67  6 1  32 54  4 1  38 66  6 1  41 66  5 1  36 57  5 1  43 70  4 1  36 67  4 0  23 44  6 1  42 76  4 0
40 66  6 0  35 58  6 1  38 68  7 1  30 47  8 0  45 74  5 1  37 74  5 1  31 66  6 1  41 82  6 1  43 70  5 1
43 65  4 1  32 51  5 1  26 47  6 1  33 68  6 0  17 40  7 0  37 61  5 1  33 63  7 1  42 77  6 1  35 62  5 1
29 57  9 0  21 48  7 1  28 62  8 0  40 70  7 1  33 57  6 1  37 69  5 1  36 66  5 1
"""
"""Albumin and total protein (g/l), Krebs-Goplerud score, and whether surgery helped: the 43 complete cases of DeLong 1988."""


def test_the_areas_of_the_delong_paper_have_the_errors_that_are_published_alone_and_paired():
    """SAS/STAT user's guide, the LOGISTIC procedure, example "Comparing Receiver Operating Characteristic Curves"."""
    albumin, protein, score, helped = np.array(OVARIAN_CANCER.split(), dtype=float).reshape(-1, 4).T
    truth, scores = helped == 0, {"albumin": -albumin, "protein": -protein, "score": score}
    published = {"albumin": (0.7366, 0.0927), "protein": (0.6478, 0.1000), "score": (0.7258, 0.1028)}
    for name, (value, error) in published.items():
        assert delong(truth, scores[name])[0] == pytest.approx(value, abs=5e-5)
        assert moments(area(truth, scores[name])).error == pytest.approx(error, abs=5e-5)
    for name, error in {"albumin": 0.0953, "protein": 0.1046}.items():
        beside = area(truth, scores[name]) - area(truth, scores["score"])
        assert moments(beside).error == pytest.approx(error, abs=5e-5)


def test_a_share_of_rows_is_recorded_as_counts_and_by_group_as_moments():
    truth, given = forecasts(600, 2)
    assert measured(truth, given)["accuracy"].spread == Proportion(int(((given[:, 1] >= 0.5) == truth).sum()), 600)
    groups = pa.chunked_array([pa.array(np.arange(600) // 10)])
    spread = measured(truth, given, group_by=groups)["accuracy"].spread
    assert spread.units == 60


def test_rows_that_repeat_within_their_group_count_once():
    truth, given = forecasts(60, 2)
    once = measured(truth, given)
    tenfold = measured(
        np.repeat(truth, 10), np.repeat(given, 10, axis=0), group_by=pa.chunked_array([np.repeat(np.arange(60), 10)])
    )
    for name in ("accuracy", "log_loss", "roc_auc"):
        ratio = tenfold[name].spread.standard_error() / once[name].spread.standard_error()
        assert ratio == pytest.approx(1.0, abs=0.02), name


@pytest.mark.parametrize("groups", [None, pa.chunked_array([np.arange(400) // 5])])
def test_a_model_compared_with_itself_never_improves(groups):
    truth, given = forecasts(400, 2)
    itself = Answers(table(given), (0, 1))
    for improvement in compare(
        itself, itself, pa.chunked_array([truth]), task="classification", group_by=groups
    ).values():
        lower, upper = improvement.bounds(0.05)
        assert improvement.value == 0
        assert lower < 0 < upper


def test_an_improvement_is_positive_whichever_way_the_metric_goes():
    truth, good = forecasts(2000, 2, strength=3)
    bad = 0.5 + (good - 0.5) * np.where(RNG.random(2000) < 0.3, -1, 1)[:, None]
    found = compare(
        Answers(table(good), (0, 1)), Answers(table(bad), (0, 1)), pa.chunked_array([truth]), task="classification"
    )
    for name in ("accuracy", "roc_auc", "log_loss", "brier", "mcc", "recall"):
        assert found[name].bounds(0.05)[0] > 0, name
    assert isinstance(found["accuracy"].spread, PairedProportion)
    assert found["recall"].spread.of == int((truth == 1).sum())
    assert found["specificity"].spread.of == int((truth == 0).sum())


def test_a_slope_improves_by_coming_nearer_to_one_from_either_side():
    truth = RNG.random(3000) < 0.5
    odds = np.where(truth, 1.0, -1.0) + RNG.normal(size=3000)
    given = {factor: 1 / (1 + np.exp(-2 * odds * factor)) for factor in (0.5, 1.05, 3.0)}
    tables = {factor: Answers(table(np.column_stack([1 - p, p])), (0, 1)) for factor, p in given.items()}
    labels = pa.chunked_array([truth.astype(int)])
    for worse in (0.5, 3.0):
        found = compare(tables[1.05], tables[worse], labels, task="classification")["calibration_slope"]
        assert found.bounds(0.05)[0] > 0


def test_what_only_one_of_two_models_gives_cannot_be_compared():
    truth, given = forecasts(100, 2)
    found = compare(
        Answers(table(given), (0, 1)),
        Answers(pa.table({"prediction": given.argmax(axis=1)}), (0, 1)),
        pa.chunked_array([truth]),
        task="classification",
    )
    assert found["roc_auc"].value is None
    assert "champion" in found["roc_auc"].reason
    assert found["accuracy"].value is not None


@pytest.mark.parametrize("rows", [300, 1000])
def test_bounds_miss_the_truth_about_as_often_as_they_say(rows):
    """Paired differences whose truth is zero: two models that err alike. 5 % on each side, within Monte-Carlo error."""
    rng, missed = np.random.default_rng(7), {}
    trials = 150
    for _ in range(trials):
        truth = rng.random(rows) < 0.35
        shared = rng.normal(size=rows) + 1.2 * truth
        pair = []
        for _ in range(2):
            p = 1 / (1 + np.exp(-(shared + 0.5 * rng.normal(size=rows) - 0.6)))
            pair.append(Answers(table(np.column_stack([1 - p, p])), (0, 1)))
        found = compare(*pair, pa.chunked_array([truth.astype(int)]), task="classification")
        for name in ("accuracy", "recall", "f1", "mcc", "roc_auc", "average_precision", "log_loss", "brier"):
            lower, upper = found[name].bounds(0.05)
            missed.setdefault(name, []).append(not lower <= 0 <= upper)
    for name, misses in missed.items():
        assert np.mean(misses) <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials), name
        assert np.mean(misses) >= 0.02, name


@pytest.mark.parametrize("rows", [100, 300])
def test_bounds_of_one_model_miss_its_known_truth_about_as_often_as_they_say(rows):
    """Normal scores, whose area and share of right answers are known; normal errors, whose means are. 5 % on each side."""
    rng, trials, missed = np.random.default_rng(11), 200, {}
    apart, sigma = 1.2, 2.0
    known = {
        "roc_auc": stats.norm.cdf(apart / np.sqrt(2)),
        "accuracy": stats.norm.cdf(apart / 2),
        "recall": stats.norm.cdf(apart / 2),
        "mae": sigma * np.sqrt(2 / np.pi),
        "rmse": sigma,
        "pinball_90": 0.5 * sigma * np.sqrt(2 / np.pi),
    }
    for _ in range(trials):
        truth = rng.random(rows) < 0.5
        given = 1 / (1 + np.exp(-apart * (rng.normal(size=rows) + apart * (truth - 0.5))))
        labels = rng.normal(10, 3, rows)
        guessed = pa.table({"prediction": labels + sigma * rng.normal(size=rows)})
        found = dict(measured(truth.astype(int), np.column_stack([1 - given, given])))
        found |= evaluate(guessed, pa.array(labels), task="regression").metrics
        for name, value in known.items():
            lower, upper = found[name].bounds(0.05)
            missed.setdefault(name, []).append((upper < value, lower > value))
    for name, misses in missed.items():
        for share in np.mean(misses, axis=0):
            assert share <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials), name
        assert np.mean(misses) > 0.0, name
