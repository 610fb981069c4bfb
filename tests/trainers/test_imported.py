from __future__ import annotations

import os
import shutil

import pyarrow as pa
import pytest

TABLE = pa.table({"age": [float(i) for i in range(40)], "spent": [2.0 * i for i in range(40)]})
MODULE = "def predict(job):\n    return [float((job.model / 'w').read_text())] * job.data.table().num_rows\n"


@pytest.fixture
def given(training):
    """Makes the workspace of an import, with the files of the model folder."""

    def make(params=None, **files):
        workspace = training("import", table=TABLE, target="spent", profile="import")
        for name, text in files.items():
            path = workspace.path / "data/model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        workspace.change(hyperparameters={"path": "models/mine", **(params or {})})
        return workspace

    return make


def refusal(workspace):
    done = workspace.run("imported")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("noa: ")
    return done.stderr


def answers(trained, prediction):
    done = trained.run("imported")
    assert done.returncode == 0, done.stderr
    asked = prediction(trained, table=TABLE.slice(0, 3))
    done = asked.run("imported")
    assert done.returncode == 0, done.stderr
    return asked


def test_a_folder_predicts_with_a_module_of_its_own(given, prediction):
    trained = given({"module": "serve"}, **{"serve.py": MODULE, "w": "3"})
    asked = answers(trained, prediction)
    assert asked.answers.to_pydict() == {"prediction": [3.0] * 3}
    assert trained.progress[-1]["message"] == "copied 2 files"


def test_a_folder_predicts_with_a_program(given, prediction):
    script = '#!/bin/sh\nprintf "prediction\\n1\\n2\\n3\\n" > "$NOA_OUT/predictions.csv"\n'
    trained = given({"predict": ["model/bin/serve"]}, **{"bin/serve": script})
    (trained.path / "data/model/bin/serve").chmod(0o755)
    assert (answers(trained, prediction).out / "predictions.csv").read_text() == "prediction\n1\n2\n3\n"


def test_a_model_of_the_sklearn_profiles_predicts_by_itself(given, training, prediction):
    made = training(table=TABLE, target="spent", profile="sklearn-regressor", hyperparameters={"estimator": "linear"})
    assert made.run("sklearn").returncode == 0
    trained = given()
    shutil.copytree(made.out, trained.path / "data/model")
    predicted = answers(trained, prediction).answers.column("prediction").to_pylist()
    assert predicted == pytest.approx([0.0, 2.0, 4.0], abs=1e-9)


def test_anything_but_files_and_folders_is_refused(given, tmp_path):
    for number, make in enumerate((lambda path: path.symlink_to("/etc/passwd"), os.mkfifo)):
        workspace = given({"module": "serve"}, **{"serve.py": MODULE})
        make(workspace.path / "data/model/odd")
        assert "holds 'odd', which is neither a file nor a folder" in refusal(workspace)
        assert not list(workspace.out.iterdir())
        workspace.path.rename(tmp_path / f"done{number}")


@pytest.mark.parametrize(
    ("params", "files", "said"),
    [
        ({}, {}, "there is no model folder in data/model"),
        ({}, {"weights": "1"}, "the plan must say how it predicts"),
        ({"module": "serve"}, {"weights": "1"}, "module 'serve' is not among the code files"),
        ({"predict": "sh serve.sh"}, {"weights": "1"}, "'predict' must be a program and its arguments"),
        ({"predict": ["sh"], "module": "serve"}, {"weights": "1"}, "exclude each other"),
        ({"path": 3}, {"weights": "1"}, "'path' must name the folder of the model"),
    ],
)
def test_a_folder_that_cannot_predict_is_refused_before_it_is_copied(params, files, said, given):
    workspace = given(params, **files)
    assert said in refusal(workspace)
    assert not list(workspace.out.iterdir())


def test_an_empty_folder_is_refused(given):
    workspace = given({"module": "serve"})
    (workspace.path / "data/model").mkdir()
    assert "the model folder is empty" in refusal(workspace)
