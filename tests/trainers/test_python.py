from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

TRAIN = """
import json, numpy as np
from neighbour import mean

def train(job):
    values = job.data.arrays()[job.target]
    job.progress(step=1, of=2, message="half", loss=np.float32(0.5), broken=float("nan"))
    (job.out / "model.json").write_text(json.dumps({"mean": mean(values), "rate": job.params["rate"]}))

def predict(job):
    model = json.loads((job.model / "model.json").read_text())
    return np.full(job.data.table().num_rows, model["mean"] * model["rate"])
"""
NEIGHBOUR = "def mean(values):\n    return float(values.mean())\n"
TABLE = pa.table({"age": [1.0, 2.0, 3.0], "spent": [2.0, 4.0, 6.0]})


@pytest.fixture
def project(training):
    """Makes the workspace of a training with the given code files."""

    def make(*, table=TABLE, target="spent", code=None, **files):
        workspace = training(table=table, target=target, profile="python")
        for name, text in files.items():
            (workspace.path / "code" / f"{name}.py").write_text(text)
        workspace.change(**({"code": code} if code else {}))
        return workspace

    return make


def refusal(workspace, step=None, status=2):
    done = workspace.run("python", step)
    assert done.returncode == status, done.stderr
    return done.stderr.splitlines()[-1]


def test_trains_and_predicts_with_the_functions_of_a_module_and_its_neighbours(project, prediction):
    trained = project(model=TRAIN, neighbour=NEIGHBOUR)
    trained.change(hyperparameters={"module": "model", "rate": 2})
    done = trained.run("python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (line,) = trained.progress
    assert {name: line[name] for name in ("step", "of", "message", "loss")} == {
        "step": 1, "of": 2, "message": "half", "loss": 0.5,
    }  # fmt: skip
    assert "broken" not in line
    asked = prediction(trained, table=TABLE)
    assert asked.run("python").returncode == 0
    assert asked.answers.to_pydict() == {"prediction": [8.0, 8.0, 8.0]}
    assert not list(trained.path.rglob("__pycache__"))


def test_the_first_code_file_of_the_plan_is_the_module(project):
    workspace = project(neighbour=NEIGHBOUR, model=TRAIN, code=["model.py", "neighbour.py"])
    workspace.change(hyperparameters={"rate": 1})
    assert workspace.run("python").returncode == 0


def test_the_only_code_file_is_the_module(project):
    workspace = project(only="def train(job):\n    (job.out / 'm').write_bytes(b'm')\n")
    assert workspace.run("python").returncode == 0


def test_a_module_named_like_one_of_the_standard_library_is_still_the_users(project):
    workspace = project(json="def train(job):\n    (job.out / 'm').write_bytes(b'm')\n    job.progress(step=1)\n")
    assert workspace.run("python").returncode == 0
    assert workspace.progress[0]["step"] == 1


@pytest.mark.parametrize(
    ("files", "params", "said"),
    [
        ({}, {}, "the plan names no Python file under 'code'"),
        ({"a": "", "b": ""}, {}, "there are several code files, a.py, b.py; name one with the hyperparameter 'module'"),
        ({"a": ""}, {"module": "b"}, "module 'b' is not among the code files: a.py"),
        ({"a": ""}, {"module": "../../etc/passwd"}, "hyperparameter 'module' must be the name of a Python file"),
        ({"a": "x = 1"}, {}, "a.py has no function train(job)"),
        ({"a": "train = 1"}, {}, "a.py has no function train(job)"),
        ({"a": "def train(job): pass"}, {}, "wrote no file into job.out"),
        ({"a": "def train(job): return 1"}, {}, "wrote no file into job.out; what it returns is not kept"),
        ({"a": "def train(job): job.model"}, {}, "a training has no model yet"),
        ({"a": "def train(job): job.write_predictions([1])"}, {}, "belongs in predict(job), not in train(job)"),
    ],
)
def test_code_that_cannot_train_is_refused(files, params, said, project):
    workspace = project(**files)
    workspace.change(hyperparameters=params)
    assert said in refusal(workspace)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import no_such_thing",
            "a.py cannot be imported at line 1 of a.py: ModuleNotFoundError: No module named 'no_such_thing'",
        ),
        ("def train(job):\n  x = {}\n  x['k']", "train(job) of a.py failed at line 3 of a.py: KeyError: 'k'"),
        ("def train(job", "a.py cannot be imported at line 1 of a.py: SyntaxError: '(' was never closed"),
        ("def train(job): import sys; sys.exit('no')", "train(job) of a.py failed: it called sys.exit('no')"),
        (
            "def train(): pass",
            "train(job) of a.py failed: TypeError: train() takes 0 positional arguments but 1 was given",
        ),
        ("def train(job):\n  open('/no/such')", "FileNotFoundError: [Errno 2] No such file or directory: '/no/such'"),
    ],
)
def test_what_the_code_raises_is_named_with_its_place(text, said, project):
    assert said in refusal(project(a=text), status=1)


def test_the_traceback_shows_only_the_users_own_lines(project):
    done = project(a="def train(job):\n    inner()\n\ndef inner():\n    raise ValueError('bad')\n").run("python")
    assert "line 2, in train" in done.stderr
    assert "line 5, in inner" in done.stderr
    assert "noa_mlops" not in done.stderr


def test_running_out_of_memory_has_a_status_of_its_own(project):
    workspace = project(a="import numpy as np\ndef train(job):\n    np.ones((1 << 58,))\n")
    assert "MemoryError" in refusal(workspace, status=12)


PREDICTIONS = [
    ("job.data.table()", "the predictions have the columns ['age']; give prediction, or p_0, p_1"),
    ("[1, 2]", "2 predictions for 3 rows"),
    ("[1, None, 3]", "1 of 3 predictions are not finite numbers"),
    ("['a', 'b', 'c']", "predictions of a regression must be numbers"),
    ("[[1, 2], [1, 2], [1, 2]]", "predictions have the shape (3, 2); a regression needs (n,)"),
    ("[[1], [1, 2], [3]]", "predictions are no array"),
    ("None", "returned nothing and wrote no predictions.parquet"),
]


@pytest.mark.parametrize(("values", "said"), PREDICTIONS)
def test_predictions_that_cannot_be_an_answer_are_refused(values, said, project, prediction):
    trained = project(a=f"def predict(job):\n    return {values}\n")
    assert said in refusal(prediction(trained, table=TABLE))


CLASSES = pa.table({"age": [1.0, 2.0, 3.0], "bought": ["yes", "no", "yes"]})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("[0.2, 0.9, 0.1]", "the prediction 0.2 is none of the classes ['no', 'yes']; for probabilities give an array"),
        ("[[0.2, 0.9]] * 3", "probabilities must be finite and add up to 1"),
        ("[[0.2, 0.3, 0.5]] * 3", "have the shape (3, 3); this classification needs probabilities (n, 2)"),
        ("[None, 'yes', 'no']", "the prediction None is none of the classes"),
        ("[{}, {}, {}]", "the prediction {} is none of the classes"),
        ("[[-1, 2]] * 3", "probabilities must lie between 0 and 1"),
    ],
)
def test_classes_that_cannot_be_an_answer_are_refused(values, said, project, prediction):
    trained = project(table=CLASSES, target="bought", a=f"def predict(job):\n    return {values}\n")
    assert said in refusal(prediction(trained, table=CLASSES))


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ("['no', 'yes', 'no']", {"prediction": ["no", "yes", "no"]}),
        ("[[0.25, 0.75]] * 3", {"p_0": [0.25] * 3, "p_1": [0.75] * 3}),
        ("__import__('pyarrow').table({'prediction': ['no'] * 3})", {"prediction": ["no"] * 3}),
    ],
)
def test_classes_or_probabilities_are_answers(values, answer, project, prediction):
    trained = project(table=CLASSES, target="bought", a=f"def predict(job):\n    return {values}\n")
    asked = prediction(trained, table=CLASSES)
    assert asked.run("python").returncode == 0
    assert asked.answers.to_pydict() == answer


def test_predict_may_write_its_answer_itself(project, prediction):
    trained = project(
        a="def predict(job):\n    (job.out / 'predictions.csv').write_text('prediction\\n1\\n2\\n3\\n')\n"
    )
    asked = prediction(trained, table=TABLE)
    assert asked.run("python").returncode == 0
    assert (asked.out / "predictions.csv").exists()


def test_numbers_of_numpy_are_answers(project, prediction):
    trained = project(a="import numpy as np\ndef predict(job):\n    return np.arange(3, dtype=np.int8).reshape(3, 1)\n")
    asked = prediction(trained, table=TABLE)
    assert asked.run("python").returncode == 0
    assert asked.answers.column("prediction").to_numpy().tolist() == np.arange(3).tolist()


def test_what_was_printed_is_given_away_line_by_line_so_that_a_killed_process_has_said_it(project):
    trained = project(a="import time\n\ndef train(job):\n    print('half way')\n    time.sleep(600)\n")
    argv = [sys.executable, "-I", "-m", "noa_mlops.trainers.python", "train"]
    told = {"PATH": os.environ["PATH"], "NOA_PAYLOAD": str(trained.path / "payload.json")}
    with subprocess.Popen(argv, cwd=trained.path, env=told, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half way\n"
        process.kill()


@pytest.mark.parametrize(
    ("code", "place", "meaning"),
    [
        (
            "raise PermissionError(13, 'Permission denied', '/x')",
            "line 2",
            "sees its own folder only and has no network",
        ),
        ("import urllib.request as u; u.urlopen('http://nowhere.invalid')", "line 2", "has no network"),
        ("raise OSError(27, 'File too large')", "line 2", "by resources: {disk: ...}"),
    ],
)
def test_an_error_of_the_system_is_explained_as_it_is_meant_for_an_agent(code, place, meaning, project):
    said = refusal(project(a=f"def train(job):\n    {code}\n"), status=1)
    assert place in said
    assert said.endswith(meaning)
