"""The meaning of the labels changes and the features do not: the data stay silent, the labels speak.

The concepts are those of SEA (Street and Kim 2001): three numbers from 0 to 10, of which the third says nothing; the
label is whether the first two sum up to at most a limit, which is another one for each variant.
"""

import numpy as np
import pyarrow as pa
import pytest

from drift.data import summary
from noa_mlops.drift import Labelled, judge_labels, scan
from noa_mlops.evaluation import evaluate
from noa_mlops.records.thresholds import Threshold

LIMITS = (8.0, 9.0, 7.0, 9.5)
ROWS = 20_000


def drawn(variant):
    features = np.random.default_rng(42 + variant).random((ROWS, 3)) * 10
    return features, (features[:, 0] + features[:, 1] > LIMITS[variant]).astype(int)


def known_to_the_champion(features, labels):
    """The metrics of a model that has learnt the first concept."""
    share = np.where(features[:, 0] + features[:, 1] > LIMITS[0], 0.9, 0.1)
    table = pa.table({"p_0": 1 - share, "p_1": share})
    return evaluate(table, pa.array(labels), task="classification", classes=[0, 1], positive=1).metrics


@pytest.mark.parametrize(
    ("variant", "rate", "finding"),
    [(0, 0.68, "clears"), (1, 0.595, "hurts"), (2, 0.755, "hurts"), (3, 0.5488, "hurts")],
)
def test_features_stay_silent_and_labels_speak(variant, rate, finding):
    then, now = drawn(0), drawn(variant)
    columns = [{f"x{place}": features[:, place] for place in range(3)} for features, _ in (then, now)]
    assert scan(summary(**columns[0]), summary(**columns[1])).outcome == "pass"
    assert now[1].mean() == pytest.approx(rate, abs=0.01)
    before, threshold = known_to_the_champion(*then), [Threshold("accuracy", minimum=0.8)]
    rows = Labelled(ROWS, ROWS, ROWS)
    assert judge_labels(threshold, known_to_the_champion(*now), before, rows).finding == finding
