"""Models that answer quantiles: known answers, intervals, what is refused."""

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import Answers, Asked, compare, evaluate
from noa_mlops.records.levels import columns, interval, lacking
from noa_mlops.records.quantiles import normal_quantile
from noa_mlops.records.spread import Moments, Proportion

THREE = (0.1, 0.5, 0.9)


def table(given, levels=THREE):
    return pa.table({name: np.asarray(given)[:, place] for place, name in enumerate(columns(levels))})


def measured(labels, given, levels=THREE, **more):
    return evaluate(table(given, levels), pa.array(labels), task="regression", asked=Asked(levels), **more).metrics


def test_gives_the_winkler_score_of_three_rows_as_by_hand():
    metrics = measured([5.0, 11.0, -2.0], [[0, 4, 10], [0, 5, 10], [0, 5, 10]])
    # 80 % interval of width 10, so 2/0.2 for each unit outside: 10, 10 + 10 * 1, 10 + 10 * 2
    assert metrics["interval_score"].value == pytest.approx(20.0)
    assert metrics["interval_width"].value == 10.0
    assert metrics["interval_coverage"].value == 1 / 3
    assert metrics["mae"].value == pytest.approx((1 + 6 + 7) / 3)
    assert metrics["pinball_10"].value == pytest.approx((0.5 + 1.1 + 0.9 * 2) / 3)


def test_the_true_quantiles_hold_what_they_promise_and_score_best():
    rng = np.random.default_rng(3)
    mean = rng.normal(0, 5, 20_000)
    labels = mean + rng.normal(size=20_000)
    ends = normal_quantile(0.1) * np.array([-1, 0, 1])
    true = mean[:, None] + ends
    best = measured(labels, true)
    assert best["interval_coverage"].value == pytest.approx(0.8, abs=0.01)
    assert best["quantile_crossing"].value == 0
    for factor in (0.7, 1.4):
        other = measured(labels, mean[:, None] + factor * ends)
        assert best["interval_score"].value < other["interval_score"].value
        assert best["pinball_mean"].value < other["pinball_mean"].value


def test_the_order_of_the_columns_does_not_matter_and_crossings_are_counted():
    given = np.array([[1.0, 2.0, 3.0], [1.0, 0.5, 3.0], [4.0, 4.0, 4.0]])
    shuffled = table(given).select(["q_90", "q_10", "q_50"])
    report = evaluate(shuffled, pa.array([2.0, 2.0, 4.0]), task="regression", asked=Asked(THREE))
    assert report.metrics["quantile_crossing"].value == 1 / 3
    assert report.metrics["interval_coverage"].value == 1.0


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ((0.1, 0.5, 0.9), (0, 2)),
        ((0.025, 0.1, 0.9, 0.975), (0, 3)),
        ((0.05, 0.1, 0.5, 0.9), (1, 3)),
        ((0.1, 0.5), None),
        ((0.5,), None),
        ((0.3, 0.7), (0, 1)),
    ],
)
def test_the_interval_lies_between_the_outermost_levels_that_mirror_each_other(levels, found):
    assert interval(levels) == found


def test_says_what_a_metric_lacks_instead_of_a_value():
    metrics = measured([1.0, 2.0], [[0.5], [1.5]], levels=(0.3,))
    for name in ("mae", "pinball_10", "interval_coverage", "quantile_crossing"):
        assert metrics[name].value is None
        assert metrics[name].reason == lacking(name, (0.3,))
    assert metrics["pinball_mean"].value == pytest.approx(0.3 * 0.5)
    point = evaluate(pa.table({"prediction": [1.0]}), pa.array([1.0]), task="regression").metrics
    assert "pinball_mean" not in point


def test_names_levels_by_their_percent():
    assert columns((0.005, 0.025, 0.07, 0.29, 0.5)) == ("q_0.5", "q_2.5", "q_7", "q_29", "q_50")


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        (pa.table({"prediction": [1.0]}), "expected one for each quantile: q_10, q_50, q_90"),
        (pa.table({"q_10": [1.0], "q_50": [1.0]}), "expected one for each"),
        (pa.table({"q_10": [1.0], "q_50": [1.0], "q_90": [1.0], "mae": [0.0]}), "expected one for each"),
        (pa.table({"q_10": [1.0], "q_50": [1.0], "q_90": [float("nan")]}), "q_90 have 1 values that are not finite"),
        (pa.table({"q_10": [1.0], "q_50": ["1"], "q_90": [2.0]}), "must be numbers"),
    ],
)
def test_refuses_predictions_that_are_no_quantiles(predictions, said):
    with pytest.raises(EvaluationFailed, match=said):
        evaluate(predictions, pa.array([1.0]), task="regression", asked=Asked(THREE))


def test_a_row_without_a_quantile_leaves_every_metric_without_a_value():
    predictions = pa.table({"q_10": [1.0, None], "q_50": [1.0, 2.0], "q_90": [3.0, 4.0]})
    report = evaluate(predictions, pa.array([1.0, 2.0]), task="regression", asked=Asked(THREE))
    assert report.missing_predictions == 1
    assert {estimate.value for estimate in report.metrics.values()} == {None}


def draw(rng, rows, factor):
    """Labels, and quantiles whose spread is ``factor`` times the right one."""
    mean = rng.normal(0, 2, rows)
    labels = mean + rng.gamma(2, 1, rows) - 2
    ends = np.array([-1.4, -0.3, 1.9]) * factor
    return labels, mean[:, None] + ends + 0.2 * rng.normal(size=(rows, 3))


def test_bounds_miss_the_truth_about_as_often_as_they_say():
    rng, trials = np.random.default_rng(5), 200
    names = ("interval_coverage", "interval_width", "interval_score", "pinball_mean", "pinball_90", "quantile_crossing")
    known = measured(*draw(rng, 400_000, 0.4))
    missed = dict.fromkeys(names, 0)
    for _ in range(trials):
        found = measured(*draw(rng, 300, 0.4))
        for name in names:
            lower, upper = found[name].bounds(0.05)
            missed[name] += not lower <= known[name].value <= upper
    for name, misses in missed.items():
        assert 0.03 <= misses / trials <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials), name
    assert isinstance(found["interval_coverage"].spread, Proportion)
    assert isinstance(found["interval_score"].spread, Moments)


def test_coverage_improves_by_coming_nearer_to_its_nominal_value_from_either_side():
    rng = np.random.default_rng(6)
    labels, right = draw(rng, 4000, 1.0)
    for factor in (0.4, 4.0):
        wrong = right + np.array([-1.4, -0.3, 1.9]) * (factor - 1)
        found = compare(
            Answers(table(right), asked=Asked(THREE)),
            Answers(table(wrong), asked=Asked(THREE)),
            pa.chunked_array([labels]),
            task="regression",
        )
        assert found["interval_coverage"].bounds(0.05)[0] > 0
        assert found["interval_score"].bounds(0.05)[0] > 0


def test_models_that_promise_different_coverage_or_answer_no_quantiles_cannot_be_compared_in_it():
    labels, given = draw(np.random.default_rng(7), 100, 1.0)
    ours = Answers(table(given), asked=Asked(THREE))
    wider = Answers(table(given, (0.05, 0.5, 0.95)), asked=Asked((0.05, 0.5, 0.95)))
    point = Answers(pa.table({"prediction": given[:, 1]}))
    column = pa.chunked_array([labels])
    assert "promise different" in compare(ours, wider, column, task="regression")["interval_coverage"].reason
    beside = compare(ours, point, column, task="regression")
    assert beside["interval_score"].reason == "the champion gives no quantiles"
    assert beside["mae"].value == 0.0
    assert compare(ours, point, column, task="regression")["pinball_50"].value == 0.0
