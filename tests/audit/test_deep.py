"""Measured again from the predictions and labels themselves: a number that nobody measured is named, whoever signed it."""

from __future__ import annotations

import pytest

from audit.test_decisions import metric, resigned
from end_to_end.projects import rows


def deep(history):
    """Entry and reason of what is found, and the notes."""
    result = history.project.tell("verify", "--decisions", "--deep", "--json")
    assert "findings" in result.document, result.said
    found = [(finding["entry"], finding["reason"]) for finding in result.document["findings"]]
    return found, result.document["notes"], result.document["measured"]


def test_every_measurement_of_a_project_is_what_its_predictions_and_labels_say(history):
    found, notes, measured = deep(history)
    assert (found, measured) == ([], 4)
    assert not any("cannot be made again" in note for note in notes)
    assert "4 measurements made again" in history.project.tell("verify", "--decisions", "--deep").said


def test_numbers_that_were_edited_in_measurement_and_decision_alike_are_named(history):
    """Nothing follows wrongly from what is recorded: only the predictions know."""
    forged = metric("accuracy", 0.5)
    resigned(history, "EvaluationLogged", 1, forged, decide=forged, follow=True)
    shallow = history.project.tell("verify", "--decisions", "--json").document["findings"]
    assert not any("accuracy" in finding["reason"] for finding in shallow)
    found, _, _ = deep(history)
    assert any("it says metrics.accuracy 0.5" in reason for _, reason in found), found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda predicate: predicate["spreads"]["roc_auc"].update(error=1e-9), "spreads.roc_auc.error"),
        (lambda predicate: predicate["overlap"].update(expected=0.5), "overlap.expected"),
        (lambda predicate: predicate.update(rows=9), "rows 9"),
    ],
)
def test_each_member_that_was_edited_is_named(history, change, says):
    resigned(history, "EvaluationLogged", 1, change, follow=True)
    found, _, _ = deep(history)
    assert any(says in reason for _, reason in found), found


def test_a_comparison_that_was_edited_is_named(history):
    def closer(predicate):
        predicate["champion"]["improvements"]["roc_auc"]["value"] = 0.3

    resigned(history, "EvaluationLogged", 2, closer, follow=True)
    found, _, _ = deep(history)
    assert any("champion.improvements.roc_auc.value 0.3" in reason for _, reason in found), found


def test_what_is_not_here_any_more_is_named_and_is_no_failure(history):
    history.project.write("data/few.csv", rows(70, 6))
    found, notes, measured = deep(history)
    assert (found, measured) == ([], 3)
    [note] = [note for note in notes if "cannot be made again" in note]
    assert "little@3" in note
    assert "evaluation data are other ones now" in note


def test_predictions_that_were_edited_are_not_measured(history):
    path = history.layout.version("little", "command", 1) / "predictions.parquet"
    path.chmod(0o644)
    path.parent.chmod(0o755)
    history.flip(path, 200)
    _, notes, _ = deep(history)
    assert any("is not what was measured" in note for note in notes)


def test_what_was_measured_after_the_decision_is_measured_again_too(history):
    assert history.project.tell("evaluate", "little@1").status in (0, 7)
    found, _, measured = deep(history)
    assert (found, measured) == ([], 5)


def test_deep_goes_with_decisions(history):
    result = history.project.tell("verify", "--deep")
    assert (result.status, "--deep goes with --decisions" in result.said) == (2, True)
