"""One file is enough: the plan says which rows are held back, and the trainer never has them."""

from __future__ import annotations

import csv

from end_to_end.projects import rows

SPLIT = {"split": {"share": "20%", "seed": 7}, "metric_thresholds": {"roc_auc": 0.8}}


def fingerprints(entry):
    return {part: (data["fingerprint"], data["rows"]) for part, data in entry["predicate"]["datasets"].items()}


def test_one_file_leads_to_a_champion_measured_on_rows_held_back(folder):
    assert folder.tell("init").status == 0
    result = folder.tell("run", folder.plan(evaluation=SPLIT))
    assert result.status == 0, result.said
    submitted = next(entry for entry in folder.entries() if entry["noa_entry"]["type"] == "Submitted")
    assert {part: rows for part, (_, rows) in fingerprints(submitted).items()} == {"train": 160, "evaluation": 40}
    seen = folder.workspace("little-1") / "data" / "train.csv"
    with seen.open(newline="") as stream:
        assert len(list(csv.reader(stream))) == 161
    assert folder.verifies()


def test_the_same_file_is_divided_in_the_same_way_again(folder):
    assert folder.tell("init").status == 0
    name = folder.plan(evaluation=SPLIT)
    assert [folder.tell("run", name).status for _ in range(2)] == [0, 0]
    first, second = (fingerprints(e) for e in folder.entries() if e["noa_entry"]["type"] == "Submitted")
    assert first == second
    measured = [e["predicate"]["dataset"] for e in folder.entries() if e["noa_entry"]["type"] == "EvaluationLogged"]
    assert {data["fingerprint"] for data in measured} == {first["evaluation"][0]}


def test_the_check_of_a_plan_names_both_parts(folder):
    assert folder.tell("init").status == 0
    told = folder.tell("run", "--dry-run", folder.plan(evaluation=SPLIT), "--json").document
    assert [told["datasets"][part]["rows"] for part in ("train", "evaluation")] == [160, 40]


def test_a_class_that_is_only_early_is_named_before_anything_runs(folder):
    assert folder.tell("init").status == 0
    lines = rows(40, seed=3).splitlines()
    ordered = [lines[0], *sorted(lines[1:], key=lambda line: line[-1], reverse=True)]
    days = ["day", *(f"2026-01-{1 + index // 2:02}" for index in range(40))]
    folder.write("data/train.csv", "".join(f"{line},{day}\n" for line, day in zip(ordered, days, strict=True)))
    late = {"split": {"by": "day", "last": "10%"}, "metric_thresholds": {"roc_auc": 0.8}}
    result = folder.tell("run", folder.plan(evaluation=late))
    assert result.status == 2
    assert "evaluation.split: no row has the positive class 1" in result.err
