"""A recorded version trained again: the same bytes, a model as good, or another one; and the record is left alone."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct

import pytest
from sklearn.linear_model import LogisticRegression

import noa_mlops as noa
from end_to_end.projects import TRAIN, Project, rows, until
from noa_mlops.agents import best_isolation

OWN = """\
import json, math


def train(job):
    table = job.data.table()
    x, label = table["x"].to_pylist(), table[job.target].to_pylist()
    means = [sum(v for v, y in zip(x, label) if y == k) / label.count(k) for k in (0, 1)]
    (job.out / "cut.json").write_text(json.dumps({"cut": sum(means) / 2 + NUDGE}))


def predict(job):
    cut = json.loads((job.model / "cut.json").read_text())["cut"]
    chances = [1 / (1 + math.exp(-20 * (x - cut))) for x in job.data.table()["x"].to_pylist()]
    job.write_predictions([[1 - p, p] for p in chances])
"""
"""The usual model in Python; how far its cut is nudged is told by a value in place of NUDGE."""

NET = """\
import torch


class Model(torch.nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(torch.nn.Linear(inputs, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, outputs))
"""
BASIC = {"isolation": "basic"}
COST = 'def evaluate(job):\n    return {"cost": {"per_row": abs(job.data.table()[job.target].to_numpy() - job.predictions()["p_1"].to_numpy())}}\n'


def sklearn(estimator: str, **hyperparameters):
    return {
        "agent_profile": "sklearn-classifier",
        "hyperparameters": {**hyperparameters, "estimator": estimator},
        "code": None,
        "seed": 3,
    }


PLANS = {
    "command": {},
    "python": {"agent_profile": "python", "hyperparameters": None, "code": ["src/own.py"]},
    "logistic_regression": sklearn("logistic_regression"),
    "random_forest": sklearn("random_forest", n_estimators=5),
    "hist_gradient_boosting": sklearn("hist_gradient_boosting", max_iter=5),
    "lightgbm": {
        "agent_profile": "lightgbm",
        "hyperparameters": {
            "num_iterations": 20,
            "early_stopping_round": 5,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
        },
        "code": None,
        "seed": 3,
    },
    "torch": {
        "agent_profile": "torch",
        "hyperparameters": {"epochs": 20, "batch_size": 16, "learning_rate": 0.05, "patience": 5},
        "code": ["src/net.py"],
        "seed": 3,
    },
}
"""What a plan changes of the usual one, by a name; a profile that promises the same bytes has a line here."""


@pytest.fixture
def project(folder) -> Project:
    folder.write("src/own.py", OWN.replace("NUDGE", "0"))
    folder.write("src/net.py", NET)
    folder.done("init")
    return folder


def ran(project: Project, status: int = 0, **changes) -> None:
    project.done("run", project.plan(**changes), status=status)


def again(project: Project, *arguments: str, status: int = 0):
    return project.done("run", "little@1", "--reproduce", "--json", *arguments, status=status).document


def nudged(project: Project, nudge: str, **changes) -> None:
    """Run the model in Python whose cut is nudged by the value of an expression."""
    project.write("src/own.py", OWN.replace("NUDGE", nudge))
    ran(project, **{**PLANS["python"], "resources": BASIC, **changes})


def recorded(project: Project) -> str:
    """All that a reproduction must leave alone: evidence, registry, models, and the workspaces of others."""
    workspaces = [
        f"storage/artifacts/workspaces/{path.name}"
        for path in sorted(project.workspace("").iterdir())
        if ".reproduce" not in path.name
    ]
    return project.state("storage/db", "registry", "storage/artifacts/little", *workspaces)


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_the_same_bytes_come_out_and_nothing_is_recorded(project, changes):
    ran(project, **changes)
    before = recorded(project)
    told = again(project)
    assert (told["sameness"], told["exit"], told["files"]) == ("bit-equal", 0, [])
    assert told["checksum"] == told["recorded"]
    assert recorded(project) == before
    payloads = [project.workspace(f"little-1{again}").joinpath("payload.json") for again in ("", ".reproduce")]
    assert payloads[0].read_bytes() == payloads[1].read_bytes()
    assert project.verifies()


def test_a_pipeline_of_a_notebook_comes_out_again(project, monkeypatch):
    monkeypatch.chdir(project.path)
    asked = {"data": "data/train.csv", "target": "label", "positive": 1, "thresholds": {"roc_auc": 0.7}}
    assert noa.run(LogisticRegression(), lifecycle="little", **asked).state == "champion"
    assert again(project)["sameness"] == "bit-equal"


def test_a_rejected_and_a_former_version_come_out_again_as_they_were_submitted(project):
    ran(project)
    ran(project, seed=1)
    ran(project, status=3, evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}})
    project.programs(train="exit 1\n")  # the code is that of the record, not what lies here now
    for version in (1, 2, 3):
        assert "BIT-EQUAL" in project.done("run", f"little@{version}", "--reproduce").said


def test_another_file_that_answers_alike_is_equal(project):
    project.programs(train=TRAIN + 'date +%s%N > "$NOA_OUT/when"\n')
    ran(project)
    told = again(project)
    assert told["sameness"] == "equal"
    assert [file["name"] for file in told["files"]] == ["when"]
    assert told["measured"]["differing"] == 0
    assert told["environment"] == []
    said = project.done("run", "little@1", "--reproduce").said
    assert "EQUAL  little@1" in said
    assert "0 of 1200 rows are answered otherwise" in said
    assert "the training itself is not repeatable" in said


def test_unseeded_randomness_that_changes_little_is_equal_in_every_metric_that_is_asked(project):
    project.write("src/cost.py", COST)
    asked = {"roc_auc": 0.8, "log_loss": 0.6, "own.cost": {"max": 0.5}}
    nudged(
        project,
        '__import__("random").SystemRandom().uniform(1e-6, 1e-3)',
        code=["src/own.py", "src/cost.py"],
        evaluation={"dataset_path": "data/eval.csv", "evaluator": "cost:evaluate", "metric_thresholds": asked},
    )
    told = again(project)
    assert told["sameness"] == "equal"
    assert told["measured"]["differing"] > 1000
    metrics = {metric["metric"]: metric for metric in told["measured"]["metrics"]}
    assert set(metrics) == set(asked)
    assert metrics.pop("roc_auc")["reason"] == "it moved on no row"  # the order of the rows is as it was
    for metric in metrics.values():
        assert -metric["margin"] < metric["lower"] <= metric["improvement"] <= metric["upper"] < metric["margin"]


def test_a_worse_model_is_different_metric_by_metric(project):
    """Its trainer reads what no plan names, which a basic agent can and a sealed one cannot."""
    outside = project.write("outside", "0")
    nudged(project, f"float(open({str(outside)!r}).read())", evaluation=measured_by(accuracy=0.6, roc_auc=0.6))
    outside.write_text("0.3")
    before = recorded(project)
    told = again(project, status=4)
    assert told["sameness"] == "different"
    accuracy, area = told["measured"]["metrics"]
    assert accuracy["recorded"] == project.entries()[3]["predicate"]["metrics"]["accuracy"]
    assert accuracy["now"] - accuracy["recorded"] == pytest.approx(accuracy["improvement"])
    assert not accuracy["equal"]
    assert accuracy["upper"] < -accuracy["margin"] < 0
    assert area["equal"], "the order of the rows is as it was"
    said = project.done("run", "little@1", "--reproduce", status=4).said
    assert "DIFFERENT  little@1" in said
    assert "cut.json" in said
    assert recorded(project) == before
    model = project.path / told["model"] / "cut.json"
    assert json.loads(model.read_text())["cut"] > 0.6


def measured_by(**thresholds):
    return {"dataset_path": "data/eval.csv", "metric_thresholds": thresholds}


def test_what_was_redacted_of_the_record_is_said_to_be(project):
    """The checksum stands in the ledger; which files and which environment it was stands in objects."""
    project.programs(train=TRAIN + 'date +%s%N > "$NOA_OUT/when"\n')
    ran(project)
    trained = project.entries()[2]
    environment = trained["predicate"]["buildDefinition"]["internalParameters"]["environment"]["digest"]["sha256"]
    for digest in (environment, trained["subject"][0]["digest"]["sha256"]):
        project.done("redact", digest, "--reason", "asked for")
    told = again(project)
    assert told["sameness"] == "equal"
    assert told["environment"] == [{"name": "environment", "recorded": "redacted", "now": None}]
    assert told["files"] == [{"name": "the list of files", "recorded": "redacted", "now": None}]
    said = project.done("run", "little@1", "--reproduce").said
    assert "Environment environment is not there, was redacted" not in said
    assert "redacted" in said


def test_without_measurement_or_its_answers_other_bytes_are_different(project):
    project.programs(train=TRAIN + 'date +%s%N > "$NOA_OUT/when"\n')
    ran(project, status=3, evaluation=None)
    told = again(project, status=4)
    assert told["measured"] is None
    assert "nothing was measured" in told["unmeasured"]
    ran(project, status=3, evaluation=measured_by(roc_auc=0.9999))
    project.workspace("little-2").joinpath("predictions.parquet").unlink()
    told = project.done("run", "little@2", "--reproduce", "--json", status=4).document
    assert told["measured"]["differing"] is None
    assert "its predictions are gone" in told["measured"]["metrics"][0]["reason"]
    assert told["measured"]["metrics"][0]["now"] == told["measured"]["metrics"][0]["recorded"]


def installed(folder, name: str, version: str, points: str = "") -> None:
    """A package, as far as its metadata go."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(points)


def test_what_differs_in_the_environment_is_named(project, home):
    installed(home / "then", "weatherlib", "1.0")
    installed(home / "then", "gauges", "3.1")
    installed(home / "now", "weatherlib", "1.1")
    plan = project.plan()
    done = project.noa("run", plan, env={**os.environ, "PYTHONPATH": str(home / "then")})
    assert done.status == 0, done.said
    checked = project.noa(
        "run", "little@1", "--reproduce", "--dry-run", env={**os.environ, "PYTHONPATH": str(home / "now")}
    )
    assert "package weatherlib 1.1, was 1.0" in checked.out
    assert "nothing was run" in checked.out
    result = project.noa(
        "run", "little@1", "--reproduce", "--json", env={**os.environ, "PYTHONPATH": str(home / "now")}
    )
    assert result.status == 0, result.said
    assert result.document["environment"] == [
        {"name": "package gauges", "recorded": "3.1", "now": None},
        {"name": "package weatherlib", "recorded": "1.0", "now": "1.1"},
    ]


def test_a_profile_that_is_not_installed_any_more_is_named(project, home):
    installed(home / "then", "shells", "1.0", "[noa_mlops.profiles]\nshelled = shelled:PROFILE\n")
    (home / "then" / "shelled.py").write_text(
        "from dataclasses import replace\nfrom noa_mlops.agents.profiles import builtin\n"
        'PROFILE = replace(builtin()["command"], name="shelled")\n'
    )
    plan = project.plan(agent_profile="shelled")
    done = project.noa("run", plan, env={**os.environ, "PYTHONPATH": str(home / "then")})
    assert done.status == 0, done.said
    refused = project.done("run", "little@1", "--reproduce", status=2)
    assert "little@1 cannot be trained again here: there is no agent profile 'shelled'" in refused.err
    assert "Install the package that brings it." in refused.err


def test_no_key_is_needed(project, home, monkeypatch):
    ran(project)
    monkeypatch.setenv("NOA_KEYS", str(home / "none"))
    assert again(project)["sameness"] == "bit-equal"
    assert not (home / "none").exists()


def _redacted(project):
    digest = project.entries()[1]["predicate"]["code"][0]["sha256"]
    project.done("redact", digest, "--reason", "asked for")


def _lost(project):
    digest = project.entries()[1]["predicate"]["code"][0]["sha256"]
    (project.path / "storage/db/evidence/objects" / digest).unlink()


def _other_labels(project):
    project.write("data/eval.csv", rows(1200, 3))


REFUSED = {
    "another version": (lambda project: None, "little@9", 2, "there is no little@9 here"),
    "no version": (lambda project: None, "little", 2, "'little' names no recorded version: noa run LIFECYCLE@N"),
    "a plan": (lambda project: None, "plan.json", 2, "'plan.json' names no recorded version"),
    "changed data": (lambda p: p.write("data/train.csv", rows(200, 9)), "little@1", 2, "its training data changed"),
    "changed rows to measure on": (_other_labels, "little@1", 2, "its evaluation data changed"),
    "no data": (lambda p: (p.path / "data/train.csv").unlink(), "little@1", 2, "data/train.csv"),
    "lost code": (_lost, "little@1", 4, "cannot be read"),
    "redacted code": (_redacted, "little@1", 2, "the code src/train.sh of little@1 was redacted"),
}


@pytest.mark.parametrize(("change", "name", "status", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_what_cannot_be_trained_again_is_refused_in_words(promoted, change, name, status, message, arguments):
    change(promoted)
    before = promoted.state()
    refused = promoted.done("run", name, "--reproduce", *arguments, status=status)
    assert message in refused.err
    assert refused.err.count("\n") <= 3
    assert promoted.state() == before


def test_a_version_on_its_way_is_left_to_its_run(project):
    project.programs(train=SLOW)
    project.write("slow", "")
    project.start("run", project.plan(resources=BASIC))
    until((project.workspace("little-1") / "running").exists)
    refused = project.done("run", "little@1", "--reproduce", status=5)
    assert "little@1 is on its way" in refused.err


def test_a_version_that_was_never_trained_is_refused(project):
    project.programs(train="exit 3\n")
    ran(project, status=6)
    refused = project.done("run", "little@1", "--reproduce", status=2)
    assert "little@1 failed, so there is no model of it" in refused.err
    assert "noa logs little@1 says why" in refused.err


def test_a_training_that_fails_now_says_where_its_words_are(project):
    outside = project.write("outside", "0")
    nudged(project, f"float(open({str(outside)!r}).read())")
    outside.unlink()
    failed = project.done("run", "little@1", "--reproduce", status=6)
    assert "little@1 (entry 2) could not be trained again" in failed.err
    assert str(project.workspace("little-1.reproduce")) in failed.err
    assert project.champion() == 1


SLOW = f"touch running\nwhile [ -e ../../../../slow ]; do sleep 0.05; done\n{TRAIN}"
"""A trainer, as basic agent, that waits while there is a file in the project."""


@pytest.fixture
def waiting(project):
    """A project whose little@1 waits when it is trained again, and the command that does it."""
    project.programs(train=SLOW)
    ran(project, resources=BASIC)
    project.write("slow", "")
    process = project.start("run", "little@1", "--reproduce")
    running = project.workspace("little-1.reproduce") / "running"
    until(running.exists)
    return process


def test_killed_it_leaves_nothing_that_disturbs_anybody(project, waiting):
    before = recorded(project)
    refused = project.done("run", "little@1", "--reproduce", status=5)
    assert "little-1.reproduce is in use by another process" in refused.err
    waiting.send_signal(signal.SIGKILL)
    waiting.wait()
    (project.path / "slow").unlink()
    assert recorded(project) == before
    assert project.verifies()
    assert again(project)["sameness"] == "bit-equal"
    ran(project, resources=BASIC)
    assert project.champion() == 2
    project.done("doctor", "--clean", "--older-than", "0s")
    assert not project.workspace("little-1.reproduce").exists()


def test_interrupted_it_begins_anew(project, waiting):
    waiting.send_signal(signal.SIGTERM)
    _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 143
    assert "the reproduction of little@1 was interrupted" in said
    (project.path / "slow").unlink()
    assert again(project)["sameness"] == "bit-equal"


@pytest.mark.skipif(best_isolation() != "sealed", reason="this kernel offers no Landlock")
def test_a_machine_that_isolates_less_is_refused_and_one_that_isolates_more_is_named(project):
    ran(project)
    refused = project.noa("run", "little@1", "--reproduce", preexec_fn=_without_landlock)
    assert refused.status == 5
    assert "little@1 was trained by a sealed agent, this machine can only do 'basic'" in refused.err
    done = project.noa("run", project.plan(seed=1), preexec_fn=_without_landlock)
    assert done.status == 0, done.said
    told = project.done("run", "little@2", "--reproduce", "--json").document
    assert told["environment"] == [{"name": "isolation", "recorded": "basic", "now": "sealed"}]


def _without_landlock() -> None:
    """A kernel without Landlock, for what is executed next: its first call (444) is answered with ENOSYS (seccomp(2))."""
    load, unless, answer = 0x20, 0x15, 0x06
    steps = [(load, 0, 0, 0), (unless, 0, 1, 444), (answer, 0, 0, 0x00050000 | 38), (answer, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    holder = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_ulong(ctypes.addressof(holder)), 0, 0):
        raise OSError(ctypes.get_errno(), "cannot take Landlock away")


def test_the_processor_is_part_of_the_record(promoted):
    entry = promoted.entries()[2]["predicate"]["buildDefinition"]["internalParameters"]["environment"]
    described = json.loads((promoted.path / "storage/db/evidence/objects" / entry["digest"]["sha256"]).read_bytes())
    assert described["processor"]
