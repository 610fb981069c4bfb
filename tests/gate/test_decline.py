"""Challengers that are each a little worse cannot walk the champion down without end."""

from dataclasses import replace

import numpy as np
import pytest

from noa_mlops.gate import judge_recorded, proven_recorded
from noa_mlops.gate.decline import stricter
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.events import EvaluationLogged
from noa_mlops.records.proven import NOTHING_PROVEN, ProvenGain, proven_document, read_proven
from noa_mlops.records.spread import Moments, PairedProportion, Proportion
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

ROWS = 20_000
RIGHT = Threshold("accuracy", 0.5)


def share(value, rows=ROWS):
    return Proportion(round(value * rows), rows)


def measured(version, spreads, comparison=None, look=1):
    return EvaluationLogged(
        seq=version,
        timestamp="2026-01-01T00:00:00Z",
        lifecycle_id="rain",
        version=version,
        checksum="a" * 64,
        metrics={name: spread.hits / spread.of for name, spread in spreads.items()},
        not_computed={},
        rows=ROWS,
        dataset={},
        predictions=None,
        spreads={name: spread.to_document() for name, spread in spreads.items()},
        look=look,
        champion=None if comparison is None else comparison.to_document(),
        slices={},
    )


def against(champion, gained, **more):
    """A comparison on rows of which a tenth is answered rightly by one of the two alone."""
    apart = ROWS // 10
    pairs = PairedProportion((apart + round(gained * ROWS)) // 2, (apart - round(gained * ROWS)) // 2, ROWS)
    improvement = Estimate((pairs.gained - pairs.lost) / ROWS, ROWS, spread=pairs)
    return Comparison(champion, {"accuracy": 0.9}, {"accuracy": improvement}, **more)


def after(versions, proven=NOTHING_PROVEN, thresholds=(RIGHT,), *, first=True):
    """What holds after these versions were promoted one after the other."""
    for place, event in enumerate(versions):
        proven = proven_recorded(thresholds, event, proven, anew=first and place == 0)
    return proven


def walk(steps, draw, *, held):
    """The truth of the champion after challengers that are each worse than it by ``steps`` are measured and judged."""
    truth, champion = 0.9, 1
    proven = after([measured(1, {"accuracy": share(truth)})])
    for version, step in enumerate(steps, 2):
        seen = draw.binomial(ROWS, truth - step) / ROWS
        event = measured(version, {"accuracy": share(seen)}, against(champion, -step))
        if judge_recorded([RIGHT], event, champion, proven if held else NOTHING_PROVEN).promotes:
            proven = proven_recorded([RIGHT], event, proven, anew=False)
            truth, champion = truth - step, version
    return truth


@pytest.mark.parametrize("seed", range(20))
def test_ten_challengers_each_worse_by_less_than_a_drop_do_not_walk_the_champion_down(seed):
    draw = np.random.default_rng(seed)
    assert walk([0.014] * 10, draw, held=False) < 0.77
    assert walk([0.014] * 10, draw, held=True) > 0.9 - 2 * 0.02 - 0.006


def test_the_first_champion_proves_its_lower_bound_less_two_drops():
    proven = after([measured(1, {"accuracy": share(0.9)})])
    lower = 0.9 - share(0.9).below(0.05)
    assert proven == {"accuracy": ProvenGain(lower - 0.04, 1)}


@pytest.mark.parametrize(
    ("versus", "drops"),
    [(VersusChampion("max_drop", 0.005), 0.01), (VersusChampion("min_gain", 0.0), 0.04), (None, 0.04)],
)
def test_two_drops_are_what_the_plan_allows_else_the_default(versus, drops):
    asked = Threshold("accuracy", 0.5, versus_champion=versus)
    proven = after([measured(1, {"accuracy": share(0.9)})], thresholds=[asked])
    assert proven["accuracy"].limit == pytest.approx(0.9 - share(0.9).below(0.05) - drops)


def test_a_gain_that_is_shown_raises_the_limit_and_one_that_is_not_leaves_it():
    first = measured(1, {"accuracy": share(0.8)})
    better = measured(2, {"accuracy": share(0.9)}, against(1, 0.02))
    lucky = measured(2, {"accuracy": share(0.9)}, against(1, 0.002))
    again = measured(2, {"accuracy": share(0.9)}, against(1, 0.02, identical=True))
    mute = measured(2, {"accuracy": share(0.9)}, Comparison(1, {}, {}, "it cannot be read"))
    assert after([first, better])["accuracy"] == ProvenGain(0.9 - share(0.9).below(0.05) - 0.04, 2)
    for event in (lucky, again, mute):
        assert after([first, event]) == after([first])
    worse = measured(3, {"accuracy": share(0.7)}, against(2, 0.02))
    assert after([first, better, worse]) == after([first, better])


def test_a_version_that_is_shown_to_be_beyond_the_limit_fails_and_is_inconclusive_up_to_it():
    proven = {"accuracy": ProvenGain(0.85, 3)}

    def verdict(value, comparison):
        return judge_recorded([RIGHT], measured(5, {"accuracy": share(value)}, comparison), 4, proven)

    assert verdict(0.86, against(4, 0.0)).promotes
    unsure = verdict(0.851, against(4, 0.0))
    assert unsure.outcome == "inconclusive"
    assert "0.85 is left of what @3 has shown: about" in unsure.reasons[0]
    failed = verdict(0.84, against(4, 0.0))
    assert failed.violations[0].rule == "champion"
    assert failed.violations[0].reason.endswith("0.85 is left of what @3 has shown")
    assert verdict(0.84, against(4, 0.0, identical=True)).promotes
    assert verdict(0.84, Comparison(4, {}, {}, "it cannot be read")).outcome == "fail"


def test_the_look_counts_for_what_was_proven_too():
    proven = {"accuracy": ProvenGain(0.85, 3)}
    clear = 0.85 + share(0.85).below(0.03)
    assert judge_recorded([RIGHT], measured(5, {"accuracy": share(clear)}, against(4, 0.0)), 4, proven).promotes
    later = measured(5, {"accuracy": share(clear)}, against(4, 0.0), look=4)
    assert judge_recorded([RIGHT], later, 4, proven).outcome == "inconclusive"


def test_what_is_not_compared_has_no_limit():
    alone = Threshold("accuracy", 0.5, versus_champion=VersusChampion("none"))
    assert after([measured(1, {"accuracy": share(0.9)})], thresholds=[alone]) == {}
    beyond = measured(5, {"accuracy": share(0.84)})
    assert judge_recorded([alone], beyond, 4, {"accuracy": ProvenGain(0.85, 3)}).promotes


def loss(value, error=0.001):
    spread = Moments(error, 0.0, 19_999.0, ROWS, 0.001)
    return replace(measured(1, {}), metrics={"log_loss": value}, spreads={"log_loss": spread.to_document()})


def test_where_less_is_better_the_limit_is_the_greatest_value():
    asked = Threshold("log_loss", maximum=0.9)
    proven = after([loss(0.5)], thresholds=[asked])
    assert proven["log_loss"].limit == pytest.approx(0.5 + 1.645 * 0.001 + 2 * 0.02 * 0.5, abs=1e-4)
    limit = proven["log_loss"].limit
    for value, outcome in ((limit - 0.003, "pass"), (limit, "inconclusive"), (limit + 0.003, "fail")):
        assert judge_recorded([asked], loss(value), None, proven).outcome == outcome
    assert stricter(proven, {"log_loss": ProvenGain(limit + 0.1, 2)}) == proven
    assert stricter(proven, {"log_loss": ProvenGain(limit - 0.1, 2)})["log_loss"].version == 2


def test_a_metric_that_is_best_inside_its_range_has_no_limit_and_one_without_a_bound_sets_none():
    slope = Threshold("calibration_slope", 0.8, 1.2)
    event = measured(1, {"calibration_slope": Proportion(1, 1)})
    assert after([event], thresholds=[slope]) == {}
    unknown = replace(measured(1, {"accuracy": share(0.9)}), spreads={})
    assert after([unknown]) == {}


def test_after_drift_what_held_before_holds_no_more():
    before = {"accuracy": ProvenGain(0.9, 3), "recall": ProvenGain(0.9, 3)}
    event = measured(5, {"accuracy": share(0.8)}, against(4, -0.1))
    assert proven_recorded([RIGHT], event, before, anew=True).keys() == {"accuracy"}
    assert proven_recorded([RIGHT], event, before, anew=True)["accuracy"].version == 5
    assert proven_recorded([RIGHT], event, before, anew=False) == before


def test_without_a_measurement_nothing_changes():
    before = {"accuracy": ProvenGain(0.9, 3)}
    assert proven_recorded([], None, before, anew=False) == before
    assert proven_recorded([], None, before, anew=True) == {}


def test_is_written_and_read_again():
    proven = {"accuracy": ProvenGain(0.9, 3), "log_loss": ProvenGain(2.0, 1)}
    assert read_proven(proven_document(proven)) == proven


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"acuracy": {"limit": 0.9, "version": 1}},
        {"accuracy": 0.9},
        {"accuracy": {"limit": 0.9}},
        {"accuracy": {"limit": 0.9, "version": 1, "more": 1}},
        {"accuracy": {"limit": True, "version": 1}},
        {"accuracy": {"limit": 1.1, "version": 1}},
        {"accuracy": {"limit": "0.9", "version": 1}},
        {"accuracy": {"limit": 0.9, "version": 0}},
        {"accuracy": {"limit": 0.9, "version": True}},
        {"log_loss": {"limit": float("inf"), "version": 1}},
        {"calibration_slope": {"limit": 1.0, "version": 1}},
    ],
)
def test_what_cannot_be_proven_is_refused(document):
    with pytest.raises(ValueError, match=r"limit|mapping"):
        read_proven(document)
