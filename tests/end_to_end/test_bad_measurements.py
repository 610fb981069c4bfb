"""Models that cannot be measured, or that say themselves how good they are: the verifier's word is the only one."""

import json
import math

import pytest

from end_to_end.projects import PLAN, PREDICT

ANSWERS = """awk -F, 'NR == 1 {{ print "{header}"; next }} {{ {body} }}' "$NOA_DATA" > "$NOA_OUT/predictions.csv"\n"""


def answer(header: str, body: str) -> str:
    """A predictor that prints one line for each row."""
    return ANSWERS.format(header=header, body=body)


GOOD = 'p = 1 / (1 + exp(-20 * ($1 - 0.5))); printf "%.9f,%.9f\\n", 1 - p, p'

CRASHES = {
    "crashes": ("echo no luck >&2; exit 3\n", "exit_status", "exited with status 3: no luck"),
    "is killed": ("kill -9 $$\n", "signal", "killed by signal 9"),
    "hangs": ("sleep 1000\n", "time_limit", "killed at its time limit"),
    "says nothing": ("true\n", "predictions", "left no predictions.parquet or predictions.csv"),
    "says two things": (
        f'{PREDICT}cp "$NOA_OUT/predictions.csv" "$NOA_OUT/predictions.parquet"\n',
        "predictions",
        "left both",
    ),
    "answers with a link": ('ln -s /etc/passwd "$NOA_OUT/predictions.csv"\n', "predictions", "symbolic link"),
    "answers with a folder": ('mkdir "$NOA_OUT/predictions.csv"\n', "predictions", "not a regular file"),
    "answers with garbage": ('printf "\\0\\1\\2" > "$NOA_OUT/predictions.parquet"\n', "predictions", "is not a table"),
    "leaves rows out": (answer("p_0,p_1", "if (NR > 9) print 0.5 FS 0.5"), "predictions", "answered with 1192"),
    "adds rows": (answer("p_0,p_1", "print 0.5 FS 0.5; print 0.5 FS 0.5"), "predictions", "answered with 2400"),
    "names other columns": (answer("yes,no", GOOD), "predictions", "'yes', 'no'"),
    "adds a column": (answer("p_0,p_1,p_2", "print 0.5 FS 0.5 FS 0"), "predictions", "'p_2'"),
    "says a certainty over 1": (answer("p_0,p_1", "print -0.5 FS 1.5"), "predictions", "outside of 0 to 1"),
    "does not add up to 1": (answer("p_0,p_1", "print 0.5 FS 0.2"), "predictions", "1"),
    "names an unknown class": (answer("prediction", "print 7"), "predictions", "7"),
    "answers with words": (answer("p_0,p_1", 'print "high,low"'), "predictions", "p_0"),
}


@pytest.mark.parametrize("case", CRASHES)
def test_a_model_that_cannot_be_measured_fails_its_run_and_changes_nothing_else(promoted, case):
    program, cause, words = CRASHES[case]
    promoted.programs(predict=program)
    resources = {"time": "1s"} if cause == "time_limit" else {}
    result = promoted.tell("run", promoted.plan(resources=resources), "--json")
    assert result.status == 6, result.said
    report = result.document
    assert report["failure"]["cause"] == cause
    assert words in report["failure"]["message"]
    assert len(report["failure"]["message"].splitlines()) == 1
    assert (report["state"], report["champion"], report["artifact"]) == ("failed", 1, None)
    kind, predicate = promoted.last_entry()
    assert (kind, predicate["cause"]) == ("EvaluationFailed", cause)
    view = promoted.tell("show", "little", "--json").document
    assert (view["champion"]["version"], view["rollout"]["status"]) == (1, "ready")
    assert promoted.verifies()


def test_the_next_run_after_a_failure_is_promoted(promoted):
    promoted.programs(predict="exit 1\n")
    assert promoted.tell("run", "plan.json").status == 6
    promoted.programs()
    assert promoted.tell("run", "plan.json").status == 0
    assert promoted.champion() == 3


def exactly(right: int) -> str:
    """A predictor of labels that is right in ``right`` of 100 rows, of which the second column says which."""
    return answer("prediction", f"print ($2 < {right} ? $1 : 1 - $1)")


@pytest.fixture
def exact(promoted):
    """Data on which a predictor can be right as often as it likes: the first feature is the label."""
    for name, count in (("train", 50), ("eval", 100)):
        lines = [f"{row % 2},{row},{row % 2}" for row in range(count)]
        promoted.write(f"data/{name}.csv", "\n".join(["x,y,label", *lines, ""]))
    promoted.programs(train='echo nothing > "$NOA_OUT/cut"\n', predict=exactly(80))
    return promoted


@pytest.mark.parametrize(
    ("bound", "status"),
    [
        (0.8, 0),
        ({"min": 0.8, "max": 0.8}, 0),
        ({"min": math.nextafter(0.8, 1)}, 3),
        ({"max": math.nextafter(0.8, 0)}, 3),
    ],
)
def test_a_metric_exactly_at_its_threshold_passes_and_one_step_beyond_does_not(exact, bound, status):
    evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": {"accuracy": bound}}
    result = exact.tell("run", exact.plan(evaluation=evaluation, lifecycle_id="alone"), "--json")
    assert result.status == status, result.said
    assert result.document["metrics"]["accuracy"] == 0.8
    assert result.document["champion"] == (1 if status == 0 else None)


@pytest.mark.parametrize(
    ("bound", "status"), [(0.5, 0), ({"max": math.nextafter(0.5, 0)}, 3), ({"min": 0.5}, 0), (0.25, 3), (0.75, 0)]
)
def test_a_bare_number_is_an_upper_bound_for_an_error(exact, bound, status):
    lines = [f"{row},0,{row}.5" for row in range(20)]
    exact.write("data/train.csv", "\n".join(["x,y,label", *lines, ""]))
    exact.write("data/eval.csv", "\n".join(["x,y,label", *lines[:10], ""]))
    exact.programs(train='echo nothing > "$NOA_OUT/cut"\n', predict=answer("prediction", "print $1"))
    evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": {"mae": bound}}
    result = exact.tell("run", exact.plan(evaluation=evaluation, lifecycle_id="alone"), "--json")
    assert result.status == status, result.said
    assert result.document["metrics"]["mae"] == 0.5


BOASTS = """\
echo '{"step": 1, "of": 1, "accuracy": 1.0, "roc_auc": 1.0, "promoted": true}' >> progress.jsonl
for name in metrics.json evaluation.json report.json manifest.json predictions.csv predictions.parquet; do
  echo '{"accuracy": 1.0, "roc_auc": 1.0, "status": "ready"}' > "$NOA_OUT/$name"
done
echo "accuracy: 1.0"
"""
AT_RANDOM = answer("p_0,p_1", 'p = int($2 * 7919) % 1000 / 1000; printf "%.9f,%.9f\\n", 1 - p, p')


def test_a_trainer_that_calls_its_random_model_perfect_is_not_believed(promoted):
    promoted.programs(train=BOASTS, predict=AT_RANDOM + 'echo \'{"roc_auc": 1.0}\' > "$NOA_OUT/metrics.json"\n')
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 3, result.said
    report = result.document
    assert (report["state"], report["status"], report["champion"]) == ("rejected", "blocked", 1)
    assert abs(report["metrics"]["roc_auc"] - 0.5) < 0.2
    assert abs(report["metrics"]["accuracy"] - 0.5) < 0.2
    evaluated = next(e for e in reversed(promoted.entries()) if e["noa_entry"]["type"] == "EvaluationLogged")
    assert evaluated["predicate"]["metrics"] == report["metrics"]
    assert promoted.verifies()


def test_what_a_trainer_says_of_itself_is_shown_and_not_recorded(promoted):
    promoted.programs(train=BOASTS, predict=AT_RANDOM)
    promoted.tell("run", "plan.json")
    recorded = json.dumps(promoted.entries()[5:])
    assert '"promoted"' not in recorded
    assert '"accuracy": 1.0' not in recorded
    shown = promoted.tell("show", "little@2").out
    assert "0.8" in shown


def test_files_that_a_trainer_adds_do_not_take_the_place_of_the_verifiers(promoted):
    """The promoted folder holds the trainer's files below model/, and predictions and manifest of our own."""
    promoted.programs(train='sh -c "true"\n' + BOASTS + 'echo 0.5 > "$NOA_OUT/cut"\n')
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 0, result.said
    folder = promoted.path / result.document["artifact"]
    assert json.loads((folder / "manifest.json").read_bytes())["lifecycle_id"] == "little"
    assert (folder / "predictions.parquet").read_bytes()[:4] == b"PAR1"
    assert (folder / "model/manifest.json").exists()
    assert promoted.verifies()


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"evaluation": None}, 3, "no_gate"),
        ({"evaluation": {"dataset_path": "data/eval.csv"}}, 3, "no_gate"),
        ({"evaluation": {"gate": "none", "reason": "shadow traffic only"}}, 0, "no_gate"),
    ],
)
def test_a_plan_without_thresholds_promotes_only_when_it_says_so_and_why(promoted, changes, status, reason):
    result = promoted.tell("run", promoted.plan(**changes), "--json")
    assert result.status == status, result.said
    assert result.document["reasons"] == [reason]
    assert result.document["champion"] == (2 if status == 0 else 1)
    kind, predicate = promoted.last_entry()
    assert kind == "PromotionReady"
    assert predicate["verificationResult"] == "FAILED"
    assert promoted.verifies()


def test_a_metric_that_cannot_be_computed_blocks(promoted):
    """One class only among the evaluation labels: there is no ROC curve."""
    lines = [f"0.9,0.{row},1" for row in range(10, 60)]
    promoted.write("data/eval.csv", "\n".join(["x,y,label", *lines, ""]))
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 3, result.said
    assert result.document["metrics"]["roc_auc"] is None
    assert [violation["metric"] for violation in result.document["violations"]] == ["roc_auc"]
    assert result.document["violations"][0]["reason"]
    assert promoted.champion() == 1


def test_evaluation_rows_of_which_none_has_a_label_block(promoted):
    lines = [f"0.{row},0.{row}," for row in range(100, 400)]
    promoted.write("data/eval.csv", "\n".join(["x,y,label", *lines, ""]))
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 3, result.said
    assert result.document["violations"][0]["reason"] == "was not measured: no row has a label"
    assert promoted.champion() == 1


def test_predictions_that_are_no_numbers_count_as_missing_and_block(promoted):
    promoted.programs(predict=answer("p_0,p_1", 'if (NR % 2) print "nan,nan"; else print "0.5,0.5"'))
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 3, result.said
    assert "600 of 1200 predictions are missing" in result.document["violations"][0]["reason"]
    assert promoted.champion() == 1


def test_a_threshold_for_another_kind_of_task_is_refused_before_anything_runs(promoted):
    evaluation = {**PLAN["evaluation"], "metric_thresholds": {"rmse": 1.0}}
    before = promoted.state()
    result = promoted.tell(
        "run", promoted.plan(agent_profile="sklearn-classifier", hyperparameters={}, code=[], evaluation=evaluation)
    )
    assert result.status == 2
    assert "rmse measures regression" in result.err
    assert promoted.state() == before
