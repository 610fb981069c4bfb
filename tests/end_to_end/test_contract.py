"""Modules that keep the contract badly, and a boosting by LightGBM: whole runs by the command."""

import json

import pytest

import noa_mlops

TRAIN = "def train(job):\n    (job.out / 'm').write_bytes(b'm')\n"
PREDICT = "def predict(job):\n    return {answer}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import time\ntime.sleep(600)\n", "close to its time limit of 3 s it is at line 2 of model.py, in <module>"),
        ("while True:\n    pass\n", "close to its time limit of 3 s it is at line"),
        ("def train(job):\n    import time\n    time.sleep(600)\n", "it is at line 3 of model.py, in train"),
    ],
)
def test_a_module_that_hangs_is_killed_and_said_where_it_was(promoted, text, said):
    promoted.write("model.py", text)
    plan = promoted.plan(agent_profile="python", code=["model.py"], hyperparameters={}, resources={"time": "3s"})
    result = promoted.noa("run", plan)
    assert result.status == 6, result.said
    assert "killed at its time limit (not finished after 3 s)" in result.out
    assert said in result.out
    assert promoted.verifies()


def test_a_module_that_prints_a_gigabyte_is_cut_short_and_trained(promoted):
    flood = "for _ in range(1024):\n    print('x' * (1 << 20), end='')\n"
    promoted.write("model.py", flood + TRAIN + PREDICT.format(answer="[[0.5, 0.5]] * job.data.rows"))
    result = promoted.noa("run", promoted.plan(agent_profile="python", code=["model.py"], hyperparameters={}))
    assert result.status == 3, result.said
    logs = [path for path in promoted.path.rglob("*stdout.log*") if path.stat().st_size > 1000]
    assert logs
    assert all(path.stat().st_size < 9 << 20 for path in logs)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("[[0.5, 0.5]]", "the predictor exited with status 2: noa: 1 predictions for 60 rows; give one per row"),
        ("['maybe'] * job.data.rows", "'maybe' is none of the classes [0, 1]"),
        ("[[float('nan'), 1]] * job.data.rows", "probabilities must be finite and add up to 1"),
    ],
)
def test_predictions_that_cannot_be_an_answer_fail_the_run_in_the_words_of_the_contract(promoted, answer, said):
    promoted.write("model.py", TRAIN + PREDICT.format(answer=answer))
    result = promoted.noa("run", promoted.plan(agent_profile="python", code=["model.py"], hyperparameters={}))
    assert result.status == 6, result.said
    assert said.split("for")[0] in result.out


BOOSTING = {"agent_profile": "lightgbm", "code": None, "hyperparameters": {"num_iterations": 20, "min_data_in_leaf": 5}}


@pytest.mark.parametrize("cpus", [1, 2])
def test_boosting_is_sealed_measured_promoted_and_served_alike_however_agents_start(promoted, cpus):
    plan = promoted.plan(**BOOSTING, lifecycle_id="boosted", resources={"cpus": cpus})
    first, again = (promoted.noa("run", plan, "--json") for _ in range(2))
    assert first.status == 0, first.said
    assert first.document["isolation"] == "sealed"
    assert first.document["checksum"] == again.document["checksum"]
    manifest = json.loads((promoted.path / first.document["artifact"] / "manifest.json").read_bytes())
    assert manifest["code_bearing"] is False
    assert [file["path"] for file in manifest["files"]] == ["model.json", "model.txt"]
    answers = noa_mlops.load("boosted", project=promoted.path).predict({"x": [0.1, 0.9], "y": [0.0, 0.0]})
    low, high = answers.column("p_1").to_pylist()
    assert low < 0.2
    assert high > 0.8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hyperparameters": {"learning_rat": 1}}, "did you mean learning_rate"),
        (
            {"hyperparameters": {"objective": "poisson"}},
            'objective "poisson" cannot learn a classification of 2 classes',
        ),
        ({"hyperparameters": {"objective": "quantile"}}, "the plan's own field 'quantiles'"),
    ],
)
def test_a_boosting_that_cannot_be_is_refused_before_anything_runs(promoted, changes, said):
    entries = len(promoted.entries())
    result = promoted.tell("run", promoted.plan(**{**BOOSTING, **changes}))
    assert result.status == 2, result.said
    assert said in result.said
    assert len(promoted.entries()) == entries
