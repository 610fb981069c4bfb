"""A contract run in this process is refused in the words of a real run, and measured as one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from noa_mlops import DatasetInvalid, EvaluationFailed, PlanInvalid, TrainingFailed
from noa_mlops.testing import JobInvalid, UserCodeFailed, run_contract

MODEL = """
import json

import numpy as np

from neighbour import line

seen = []


def train(job):
    arrays = job.data.arrays()
    job.progress(step=1, of=1, message="fitted", loss=0.5)
    slope = line(arrays["x"], arrays[job.target]) * job.params.get("factor", 1)
    (job.out / "slope.json").write_text(json.dumps(slope))
    seen.append(job.seed)


def predict(job):
    assert not seen, "a variable lives on from training"
    assert job.target not in job.data.table().column_names
    return json.loads((job.model / "slope.json").read_text()) * job.data.arrays()["x"]
"""
NEIGHBOUR = "def line(x, y):\n    return float((x * y).sum() / (x * x).sum())\n"
X = np.arange(1.0, 41.0)
DATA = pa.table({"x": X, "y": 2 * X})
LABELS = pa.table({"x": X, "y": ["no", "yes"] * 20})


@pytest.fixture
def model(tmp_path):
    """A module with a neighbour that it imports."""
    (tmp_path / "neighbour.py").write_text(NEIGHBOUR)
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def forms(tmp_path):
    pandas = pytest.importorskip("pandas")
    csv.write_csv(DATA, tmp_path / "rows.csv")
    return {
        "arrow": DATA,
        "arrays": {"x": X, "y": 2 * X},
        "lists": DATA.to_pydict(),
        "pandas": pandas.DataFrame(DATA.to_pydict()),
        "path": tmp_path / "rows.csv",
    }


@pytest.mark.parametrize("form", ["arrow", "arrays", "lists", "pandas", "path"])
def test_trains_and_predicts_on_data_in_any_form(form, model, tmp_path):
    run = run_contract(model, forms(tmp_path)[form], target="y", params={"factor": 3}, task="regression")
    assert run.predictions.column("prediction").to_pylist() == pytest.approx(6 * X)
    assert json.loads((run.model / "slope.json").read_text()) == pytest.approx(6)
    (line,) = run.progress
    assert (line["message"], line["loss"]) == ("fitted", 0.5)
    assert run.metrics == {}


def test_a_frame_of_polars_or_of_anything_that_arrow_can_read_is_data_too(model):
    class Frame:
        """What polars and others give Arrow: a stream of its C interface."""

        def __arrow_c_stream__(self, requested_schema=None):
            return DATA.__arrow_c_stream__(requested_schema)

    assert run_contract(model, Frame(), target="y").predictions.num_rows == 40


def test_rows_held_back_are_measured_by_the_metrics_of_a_real_run(model):
    run = run_contract(model, DATA, target="y", params={"factor": 1.5}, split={"share": "25%", "seed": 3})
    assert run.predictions.num_rows == 10
    answers = run.predictions.column("prediction").to_numpy()
    assert run.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((answers / 3) ** 2)))
    assert run.metrics["mae"] == pytest.approx(np.mean(answers / 3))


def test_two_functions_are_a_contract():
    def train(job):
        (job.out / "rate").write_text(str(np.mean(job.data.arrays()["y"] == job.classes[1])))

    def predict(job):
        rate = float((job.model / "rate").read_text())
        return [[1 - rate, rate]] * job.data.rows

    run = run_contract((train, predict), LABELS, target="y", split={"share": "50%"})
    assert run.predictions.column_names == ["p_0", "p_1"]
    assert run.metrics["log_loss"] == pytest.approx(np.log(2))
    assert run.metrics["roc_auc"] == pytest.approx(0.5)


def test_a_module_is_a_contract_and_is_loaded_afresh_for_each_step(model, monkeypatch):
    monkeypatch.syspath_prepend(str(model.parent))
    import model as imported

    try:
        assert run_contract(imported, DATA, target="y").predictions.num_rows == 40
        assert imported.seen == []
    finally:
        for name in ("model", "neighbour"):
            sys.modules.pop(name, None)


def test_the_interpreter_is_left_as_it_was(model):
    before = (list(sys.path), set(sys.modules), os.getcwd(), sys.dont_write_bytecode)
    run_contract(model, DATA, target="y")
    after = (list(sys.path), set(sys.modules), os.getcwd(), sys.dont_write_bytecode)
    assert before[0] == after[0]
    assert not {"model", "neighbour", "user_model"} & after[1]
    assert before[2:] == after[2:]
    assert not list(model.parent.rglob("__pycache__"))


def test_what_a_contract_writes_lies_below_the_folder_that_is_given(model, tmp_path):
    run = run_contract(model, DATA, target="y", folder=tmp_path / "here")
    assert run.model.is_relative_to(tmp_path / "here")
    again = run_contract(model, DATA, target="y", folder=tmp_path / "here")
    assert again.model == run.model


def test_quantiles_are_asked_for_and_answered():
    def train(job):
        (job.out / "q").write_text(json.dumps(np.quantile(job.data.arrays()["y"], job.quantiles).tolist()))

    def predict(job):
        return [json.loads((job.model / "q").read_text())] * job.data.rows

    run = run_contract((train, predict), DATA, target="y", quantiles=[0.1, 0.9], split={"share": "50%"})
    assert run.predictions.column_names == ["q_10", "q_90"]
    assert "interval_coverage" in run.metrics


WRITES = "def train(job):\n    (job.out / 'm').write_bytes(b'm')\n"
REFUSED = [
    ("def train(job): pass", DATA, JobInvalid, r"train\(job\) of model.py wrote no file into job.out"),
    ("def train(job): return 1", DATA, JobInvalid, "what it returns is not kept"),
    ("x = 1", DATA, JobInvalid, r"model.py has no function train\(job\)"),
    ("import no_such_thing", DATA, UserCodeFailed, "cannot be imported at line 1 of model.py"),
    ("def train(job):\n    1 / 0", DATA, UserCodeFailed, r"failed at line 2 of model.py: ZeroDivisionError"),
    ("def train(job): job.model", DATA, JobInvalid, "a training has no model yet"),
    ("import os\ndef train(job):\n    os.symlink('/etc/passwd', job.out / 'm')\n    (job.out / 'n').touch()", DATA, TrainingFailed, "link"),
    (WRITES + "def predict(job): return [1.0]", DATA, JobInvalid, "1 predictions for 40 rows"),
    (WRITES + "def predict(job): return [float('nan')] * 40", DATA, JobInvalid, "40 of 40 predictions are not finite"),
    (WRITES + "def predict(job): return ['maybe'] * 40", LABELS, JobInvalid, r"'maybe' is none of the classes \['no', 'yes'\]"),
    (WRITES + "def predict(job): return [[0.5, 0.6]] * 40", LABELS, JobInvalid, "add up to 1"),
    (WRITES + "def predict(job): return None", DATA, JobInvalid, "returned nothing and wrote no predictions.parquet"),
    (WRITES + "def predict(job): (job.out / 'predictions.csv').write_text('prediction\\n1\\n')", DATA, EvaluationFailed, "given 40 rows and answered with 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data", "kind", "said"), REFUSED)
def test_what_a_real_run_would_refuse_is_refused(text, data, kind, said, tmp_path):
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(kind, match=said):
        run_contract(tmp_path / "model.py", data, target="y")


def test_an_error_of_the_code_can_be_looked_at():
    def train(job):
        raise RuntimeError("mine")

    with pytest.raises(UserCodeFailed, match="RuntimeError: mine") as caught:
        run_contract((train, train), DATA, target="y")
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"contract": "nowhere.py"}, PlanInvalid, "nowhere.py is no file"),
        ({"contract": (print,)}, PlanInvalid, r"is \(train, predict\)"),
        ({"target": "z"}, DatasetInvalid, "z"),
        ({"data": 7}, DatasetInvalid, "cannot be read as a table"),
        ({"data": "/nowhere/rows.csv"}, DatasetInvalid, "rows.csv"),
        ({"data": LABELS, "task": "regression"}, PlanInvalid, "would have to predict numbers"),
        ({"split": {"shar": "20%"}}, PlanInvalid, "share"),
        ({"quantiles": [5]}, PlanInvalid, "did you mean 0.05"),
        ({"params": {"module": "../x"}}, PlanInvalid, "module"),
    ],
)
def test_arguments_that_a_run_would_refuse_are_refused(arguments, kind, said, model):
    with pytest.raises(kind, match=said):
        run_contract(**{"contract": model, "data": DATA, "target": "y", **arguments})


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    module = next(block for block in blocks if block.startswith('"""features.py'))
    example = next(block for block in blocks if "run_contract" in block)
    (tmp_path / "features.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(compile(example, "test_features.py", "exec"), scope)
    tests = [function for name, function in scope.items() if name.startswith("test_")]
    assert len(tests) == 2
    for function in tests:
        function()
