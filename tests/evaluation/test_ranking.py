"""Ranking by group: known answers, agreement with scikit-learn, ties, intervals over queries."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as reference

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import Answers, Asked, compare, evaluate
from noa_mlops.evaluation.queries import Rankings, average_precision, ndcg, reciprocal_rank
from noa_mlops.evaluation.regression import Numbers

NAMES = ("ndcg", "ndcg_at_10", "mrr", "map")


def measured(relevance, scores, queries):
    return evaluate(
        pa.table({"prediction": np.asarray(scores, dtype=float)}),
        pa.array(np.asarray(relevance, dtype=float)),
        task="regression",
        asked=Asked(ranks=True),
        group_by=pa.chunked_array([queries]),
    ).metrics


def one(relevance, scores=None):
    """The rankings of a single query; without scores in the order of the rows."""
    given = np.arange(len(relevance), 0, -1) if scores is None else scores
    numbers = Numbers(np.asarray(relevance, float), np.asarray(given, float), np.zeros(len(relevance), dtype=np.int64))
    return Rankings.of(numbers)


def test_gives_the_documented_gains_of_scikit_learn():
    scores = [0.1, 0.2, 0.3, 4, 70]
    assert ndcg(one([10, 0, 0, 1, 5], scores))[0] == pytest.approx(0.69569, abs=1e-5)
    other = [0.05, 1.1, 1.0, 0.5, 0.0]
    assert ndcg(one([10, 0, 0, 1, 5], other))[0] == pytest.approx(0.49369, abs=1e-5)
    assert ndcg(one([10, 0, 0, 1, 5], other), 4)[0] == pytest.approx(0.35202, abs=1e-5)
    assert ndcg(one([10, 0, 0, 1, 5], [1, 0, 0, 0, 1]), 1)[0] == pytest.approx(0.75, abs=1e-12)  # ties


def test_gives_the_textbook_gain_of_six_documents():
    assert ndcg(one([3, 2, 3, 0, 1, 2]))[0] == pytest.approx(6.861 / 7.141, abs=2e-4)


def test_gives_the_textbook_mean_average_precision():
    """Croft, Metzler and Strohman, Search Engines, figure 8.3: 0.62 and 0.44, in the mean 0.53."""
    first, second = np.zeros(10), np.zeros(10)
    first[[0, 2, 5, 8, 9]] = 1
    second[[1, 4, 6]] = 1
    assert average_precision(one(first))[0] == pytest.approx(0.62, abs=0.005)
    assert average_precision(one(second))[0] == pytest.approx(0.44, abs=0.005)
    scores = np.tile(np.arange(10, 0, -1), 2)
    found = measured(np.concatenate([first, second]), scores, np.repeat(["one", "two"], 10))
    assert found["map"].value == pytest.approx(0.53, abs=0.005)


def test_gives_the_textbook_mean_reciprocal_rank():
    relevance = [0, 0, 1, 0, 1, 0, 1, 0, 0]  # ranks 3, 2 and 1
    found = measured(relevance, [3, 2, 1] * 3, np.repeat(["cat", "torus", "virus"], 3))
    assert found["mrr"].value == pytest.approx(11 / 18)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn_query_by_query(seed):
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 4, (30, 12)) * (rng.random((30, 12)) < 0.6)
    relevance[:, 0] = np.maximum(relevance[:, 0], 1)
    scores = np.round(rng.normal(size=(30, 12)) + 0.3 * relevance, 1)  # ties
    order = rng.permutation(360)
    queries = np.repeat(np.arange(30), 12)[order]
    found = measured(relevance.ravel()[order], scores.ravel()[order], queries)
    assert found["ndcg"].value == pytest.approx(reference.ndcg_score(relevance, scores))
    assert found["ndcg_at_10"].value == pytest.approx(reference.ndcg_score(relevance, scores, k=10))
    whole = relevance > 0
    precision = reference.label_ranking_average_precision_score(whole, scores)
    assert found["map"].value == pytest.approx(precision)


def test_a_constant_prediction_gains_nothing_from_its_ties():
    relevance = [0, 1, 0, 0]
    assert reciprocal_rank(one(relevance, [1, 1, 1, 1]))[0] == 0.25
    assert average_precision(one(relevance, [1, 1, 1, 1]))[0] == 0.25
    assert ndcg(one(relevance, [1, 1, 1, 1]))[0] == pytest.approx(np.mean(1 / np.log2(np.arange(4) + 2)))


def test_a_query_without_a_relevant_row_says_nothing_and_one_alone_is_undefined():
    found = measured([1, 0, 0, 0], [2, 1, 2, 1], ["a", "a", "b", "b"])
    assert [found[name].value for name in NAMES] == [1.0] * 4
    nothing = measured([0, 0], [2, 1], ["a", "a"])
    assert {nothing[name].reason for name in NAMES} == {"no query has a relevant row"}
    negative = measured([-1, 1], [2, 1], ["a", "a"])
    assert "1 labels are negative" in negative["ndcg"].reason


def test_is_measured_only_where_a_ranking_is_asked_for_and_never_without_groups():
    predictions, labels = pa.table({"prediction": [1.0, 2.0]}), pa.array([0.0, 1.0])
    assert "ndcg" not in evaluate(predictions, labels, task="regression").metrics
    with pytest.raises(EvaluationFailed, match="by groups of rows"):
        evaluate(predictions, labels, task="regression", asked=Asked(ranks=True))


def draw(rng, queries, strength):
    sizes = rng.integers(3, 15, queries)
    query = np.repeat(np.arange(queries), sizes)
    relevance = rng.integers(0, 3, query.size) * (rng.random(query.size) < 0.5)
    relevance[np.concatenate(([0], np.cumsum(sizes)[:-1]))] = 1
    return relevance, strength * relevance + rng.normal(size=query.size), query


def test_the_spread_is_that_of_the_mean_over_queries():
    relevance, scores, query = draw(np.random.default_rng(2), 80, 1.0)
    found = measured(relevance, scores, query)
    rankings = Rankings.of(Numbers(relevance.astype(float), scores, query))
    for name, values in (("ndcg", ndcg(rankings)), ("mrr", reciprocal_rank(rankings))):
        assert found[name].spread.standard_error() == pytest.approx(values.std(ddof=1) / np.sqrt(80), rel=1e-9)
        assert found[name].spread.units == 80


def test_bounds_over_queries_miss_the_truth_about_as_often_as_they_say():
    rng, trials = np.random.default_rng(8), 200
    known = measured(*draw(rng, 60_000, 0.8))
    missed = dict.fromkeys(NAMES, 0)
    for _ in range(trials):
        found = measured(*draw(rng, 80, 0.8))
        for name in NAMES:
            lower, upper = found[name].bounds(0.05)
            missed[name] += not lower <= known[name].value <= upper
    for name, misses in missed.items():
        assert 0.03 <= misses / trials <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials), name


def test_the_better_ranking_improves_and_pairs_by_query():
    rng = np.random.default_rng(9)
    relevance, scores, query = draw(rng, 400, 2.0)
    worse = scores + 1.5 * rng.normal(size=query.size)
    labels = pa.chunked_array([relevance.astype(float)])
    ours, theirs = (Answers(pa.table({"prediction": given}), asked=Asked(ranks=True)) for given in (scores, worse))
    found = compare(ours, theirs, labels, task="regression", group_by=pa.chunked_array([query]))
    for name in NAMES:
        assert found[name].bounds(0.05)[0] > 0, name
