"""The verdict from the record alone."""

import math

import pytest

from noa_mlops.gate import decide_recorded, declared_gate, judge_recorded, threshold_document
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.events import EvaluationLogged
from noa_mlops.records.fairness import Fairness
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.plan import EvaluationPlan, TrainingPlan
from noa_mlops.records.spread import Moments
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Verdict
from noa_mlops.records.versus import VersusChampion

SPREAD = Moments(error=0.02, skew=0.0, freedom=999.0, units=1000, floor=0.001)
AREA = Threshold("roc_auc", minimum=0.7)
COMPARED = Threshold("roc_auc", minimum=0.7, versus_champion=VersusChampion("max_drop", 0.1))
BESIDE = Comparison(3, {"roc_auc": 0.9}, {"roc_auc": Estimate(0.0, 1000, spread=SPREAD)})
LEAK = Overlap(shared=1, rows=1000, expected=0.0, error=0.0, by_key=True)
CLEAN = Overlap(shared=0, rows=1000, expected=0.0, error=0.0, by_key=True)


def recorded(value=0.9, *, spread=True, **changes):
    fields = {
        "seq": 3,
        "timestamp": "2026-01-01T00:00:00Z",
        "lifecycle_id": "rain",
        "version": 4,
        "checksum": "a" * 64,
        "metrics": {"roc_auc": value},
        "not_computed": {},
        "rows": 1000,
        "dataset": {},
        "predictions": None,
        "spreads": {"roc_auc": SPREAD.to_document()} if spread else {},
    }
    return EvaluationLogged(**fields | changes)


def beside(comparison=BESIDE, **changes):
    return recorded(champion=comparison.to_document(), **changes)


def test_nothing_measured_fails_whatever_is_declared():
    verdict = judge_recorded([AREA], None, None)
    assert [violation.reason for violation in verdict.violations] == ["was not measured"]


def test_a_metric_that_could_not_be_computed_fails_by_the_reason_that_was_recorded():
    silent = recorded(None, spread=False, not_computed={"roc_auc": "one class only"})
    assert judge_recorded([AREA], silent, None).violations[0].reason == "was not measured: one class only"
    assert judge_recorded([AREA], recorded(None, spread=False), None).violations[0].reason.endswith("no value")


@pytest.mark.parametrize("value", [True, "0.9", [0.9], {"value": 0.9}, math.nan, math.inf, -math.inf])
def test_what_is_recorded_and_no_number_passes_nothing(value):
    """No verifier writes such a value; whoever computes the verdict is told, or the threshold is violated."""
    try:
        verdict = judge_recorded([AREA], recorded(value, spread=False), None)
    except (TypeError, ValueError):
        return
    assert [violation.reason for violation in verdict.violations] == ["is not a number but bool"]


def test_the_recorded_spread_decides_where_a_confidence_is_asked_for():
    sure = Threshold("roc_auc", minimum=0.85, confidence=0.95)
    assert judge_recorded([sure], recorded(), None).promotes
    assert judge_recorded([sure], recorded(0.86), None).outcome == "inconclusive"
    assert judge_recorded([sure], recorded(spread=False), None).outcome == "inconclusive"


def test_the_recorded_look_decides():
    sure = Threshold("roc_auc", minimum=0.863, confidence=0.95)
    assert judge_recorded([sure], recorded(look=1), None).promotes
    assert not judge_recorded([sure], recorded(look=2), None).promotes
    changed = [sure, Threshold("roc_auc", versus_champion=VersusChampion("max_drop", 0.1), minimum=0.1)]
    assert len(judge_recorded(changed, beside(look=1), 7).reasons) == 1
    assert len(judge_recorded(changed, beside(look=2), 7).reasons) == 2


def test_a_measurement_beside_the_champion_in_force_is_held_against_it():
    assert judge_recorded([COMPARED], beside(), 3).promotes
    worse = Comparison(3, {"roc_auc": 0.9}, {"roc_auc": Estimate(-0.3, 1000, spread=SPREAD)})
    assert judge_recorded([COMPARED], beside(worse), 3).violations[0].rule == "champion"


@pytest.mark.parametrize(
    ("measured", "champion", "now"),
    [
        (beside(), 4, "it is @4 now"),
        (beside(), None, "there is none now"),
        (recorded(), 3, "it is @3 now"),
    ],
)
def test_a_measurement_beside_another_champion_decides_nothing(measured, champion, now):
    verdict = judge_recorded([COMPARED], measured, champion)
    assert verdict.outcome == "inconclusive"
    assert f"the champion changed while this was measured, {now}" in verdict.reasons[0]


def test_a_failed_threshold_fails_also_where_the_champion_changed():
    assert judge_recorded([COMPARED], beside(value=0.1), 7).outcome == "fail"


def test_a_plan_that_asks_for_no_champion_does_not_care_which_one_it_is():
    alone = Threshold("roc_auc", minimum=0.7, versus_champion=VersusChampion("none"))
    assert judge_recorded([alone], beside(), 7).promotes


@pytest.mark.parametrize(("overlap", "outcome"), [(LEAK, "fail"), (CLEAN, "pass")])
def test_rows_that_training_has_seen_prove_nothing(overlap, outcome):
    verdict = judge_recorded([AREA], recorded(overlap=overlap.to_document()), None)
    assert verdict.outcome == outcome
    assert (verdict.unclean is None) == (outcome == "pass")


def test_a_leak_adds_to_what_else_speaks_against_the_challenger():
    verdict = judge_recorded([AREA], recorded(0.1, overlap=LEAK.to_document()), None)
    assert (len(verdict.violations), verdict.unclean is None) == (1, False)


def test_without_thresholds_a_leak_decides_nothing():
    assert judge_recorded([], recorded(overlap=LEAK.to_document()), None).outcome == "inconclusive"


SLICED = Threshold("roc_auc", minimum=0.7, slices=("town",))


def by_town(*values):
    cells = [{"value": value, "spread": SPREAD.to_document()} for value in values]
    return {"town": {"values": ["a", "b"], "rows": [1000, 1000], "metrics": {"roc_auc": cells}}}


def test_the_recorded_slices_decide():
    assert judge_recorded([SLICED], recorded(slices=by_town(0.9, 0.8)), None).promotes
    assert judge_recorded([SLICED], recorded(slices=by_town(0.9, 0.5)), None).violations[0].value == 0.5
    assert judge_recorded([SLICED], recorded(), None).reasons == ("roc_auc: was not measured by town",)


def test_recorded_groups_make_the_difference_of_slices_less_certain():
    fair = Threshold("roc_auc", minimum=0.1, fairness=Fairness("town", max_difference=0.1))
    apart = by_town(0.9, 0.74)
    assert judge_recorded([fair], recorded(slices=apart), None).outcome == "fail"
    grouped = recorded(slices=apart, group_by={"column": "week", "groups": 50})
    assert judge_recorded([fair], grouped, None).outcome == "pass"


def test_what_the_plan_lets_pass_with_a_note_stays_noted_whatever_else_is_wrong():
    content = Threshold("roc_auc", minimum=0.7, slices=("town",), on_small_slice="warn", min_rows=2000)
    sliced = by_town(0.9, 0.8)
    assert len(judge_recorded([content], recorded(slices=sliced), None).notes) == 1
    assert len(judge_recorded([content], recorded(slices=sliced), 7).notes) == 1
    assert len(judge_recorded([content], recorded(slices=sliced, overlap=LEAK.to_document()), None).notes) == 1


def plan(**evaluation):
    declared = EvaluationPlan(**evaluation) if evaluation else None
    return TrainingPlan("rain", "sklearn-classifier", "data/rain.csv", target="rain", evaluation=declared)


DECLARED = plan(dataset_path="data/other.csv", metric_thresholds=(AREA,))
RENOUNCED = plan(gate="none", reason="a first try")
SILENT = plan()


@pytest.mark.parametrize(("asked", "gate"), [(DECLARED, "declared"), (RENOUNCED, "none"), (SILENT, "absent")])
def test_a_plan_declares_thresholds_or_that_there_is_no_gate_or_nothing(asked, gate):
    assert declared_gate(asked) == gate


def test_a_decision_records_every_threshold_with_all_that_it_says():
    assert threshold_document(DECLARED) == {"roc_auc": AREA.spelled_out()}
    assert threshold_document(SILENT) == {}


def test_what_follows_from_a_verdict_depends_on_the_plan_and_the_rollout():
    passed = Verdict("pass")
    assert decide_recorded(DECLARED, passed, recorded(), "ready").promotes
    assert decide_recorded(DECLARED, passed, recorded(), "blocked").reasons == ("drift",)
    assert decide_recorded(SILENT, passed, recorded(), "ready").reasons == ("no_gate",)
    assert decide_recorded(RENOUNCED, Verdict("inconclusive", reasons=("nothing",)), None, "ready").promotes


def test_a_champion_that_could_not_be_measured_holds_back_a_challenger_that_passes():
    mute = Comparison(3, {}, {}, unavailable="its file cannot be read")
    assert judge_recorded([COMPARED], beside(mute), 3).promotes
    assert decide_recorded(DECLARED, Verdict("pass"), beside(mute), "ready").reasons == ("champion", "approval")
    assert decide_recorded(DECLARED, Verdict("pass"), beside(), "ready").promotes
