from __future__ import annotations

import json
import shutil
import zipfile
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from trainers.workspaces import mixed_table


def columns(**types):
    return [{"name": name, "type": kind} for name, kind in types.items()]


def small_table(**changed):
    return pa.table({"age": [float(i % 7) for i in range(40)], "bought": ["yes", "no"] * 20, **changed})


def test_equal_jobs_give_equal_bytes_and_another_seed_gives_others(training):
    forest = {"estimator": "random_forest", "n_estimators": 5}
    first, again, other = (training(str(i), hyperparameters=forest, seed=i // 2) for i in range(3))
    for workspace in (first, again, other):
        assert workspace.run("sklearn").returncode == 0
    for name in ("model.skops", "model.json"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()
    assert (first.out / "model.skops").read_bytes() != (other.out / "model.skops").read_bytes()


def test_the_stages_are_reported_while_training(training):
    workspace = training(table=small_table())
    assert workspace.run("sklearn").returncode == 0
    stages = [line["message"].split(":")[0] for line in workspace.progress]
    assert stages == ["read", "prepare", "fit", "save", "done"]
    assert [line["step"] for line in workspace.progress] == [1, 2, 3, 4, 5]


def test_free_text_is_left_out_and_said_so(training):
    workspace = training()
    done = workspace.run("sklearn")
    assert done.returncode == 0
    assert "noa: column 'remark' is left out" in done.stderr
    facts = json.loads((workspace.out / "model.json").read_text())
    assert "remark" not in facts["features"]
    assert "column 'remark' is left out" in facts["notes"][0]
    assert any("column 'remark' is left out" in line["message"] for line in workspace.progress)


def test_probabilities_come_in_the_order_of_the_classes_even_when_training_lacks_one(training, prediction):
    labels = ["b" if i % 7 > 3 else "c" for i in range(40)]
    trained = training(table=small_table(bought=labels))
    trained.change(classes=["a", "b", "c"], hyperparameters={"estimator": "decision_tree"})
    assert trained.run("sklearn").returncode == 0
    asked = prediction(trained, table=pa.table({"age": [0.0, 6.0]}))
    assert asked.run("sklearn").returncode == 0
    assert asked.answers.to_pydict() == {"p_0": [0, 0], "p_1": [0, 1], "p_2": [1, 0]}


@pytest.mark.parametrize("classes", [[False, True], [0, 1], [3, 10]])
def test_labels_may_be_booleans_or_integers(classes, training, prediction):
    trained = training(table=small_table(bought=[classes[i % 7 > 3] for i in range(40)]))
    trained.change(classes=classes, hyperparameters={"estimator": "linear_svm"})
    assert trained.run("sklearn").returncode == 0
    asked = prediction(trained, table=pa.table({"age": [0.0, 6.0]}))
    assert asked.run("sklearn").returncode == 0
    assert asked.answers.column("prediction").to_pylist() == classes


def test_rows_without_a_label_are_not_learnt_from(training):
    trained = training(table=small_table(bought=["yes", "no", None, None] * 10))
    assert trained.run("sklearn").returncode == 0
    assert json.loads((trained.out / "model.json").read_text())["rows"] == 20


def test_no_rows_give_no_predictions(training, prediction):
    trained = training(table=small_table())
    assert trained.run("sklearn").returncode == 0
    asked = prediction(trained, table=pa.table({"age": pa.array([], pa.float64())}))
    assert asked.run("sklearn").returncode == 0
    assert asked.answers.num_rows == 0
    assert asked.answers.column_names == ["p_0", "p_1"]


def test_arrow_types_of_every_width_are_numbers_and_times(training, prediction):
    rows = 40
    table = pa.table(
        {
            "small": pa.array(range(rows), pa.uint8()),
            "money": pa.array(range(rows), pa.int64()).cast(pa.decimal128(30, 2)),
            "half": pa.array(np.arange(rows, dtype=np.float16)),
            "huge": [1e300, -1e300, float("inf"), None] * 10,
            "zoned": pa.array([datetime(2024, 3, 1, 12, tzinfo=UTC)] * rows, pa.timestamp("ns", tz="Europe/Paris")),
            "clock": pa.array([3_600_000] * rows, pa.time32("ms")),
            "number": pa.array([1, 2] * 20).dictionary_encode(),
            "y": [float(i) for i in range(rows)],
        }
    )
    kinds = dict(
        zip(table.column_names, ["int", "float", "float", "float", "time", "time", "category", "float"], strict=True)
    )
    trained = training(table=table, target="y", profile="sklearn-regressor")
    trained.change(columns=columns(**kinds), hyperparameters={"estimator": "ridge"})
    parquet.write_table(table, trained.path / "data/train.parquet")
    assert trained.run("sklearn").returncode == 0
    asked = prediction(trained)
    parquet.write_table(table.drop_columns("y"), asked.path / "data/features.parquet")
    assert asked.run("sklearn").returncode == 0
    assert asked.answers.num_rows == rows


def test_time_and_categories_can_be_all_there_is(training, prediction):
    table = mixed_table().select(["colour", "since", "spent"])
    trained = training(table=table, target="spent", profile="sklearn-regressor")
    trained.change(columns=columns(colour="category", since="time", spent="float"))
    assert trained.run("sklearn").returncode == 0
    asked = prediction(trained, table=table.select(["colour", "since"]))
    assert asked.run("sklearn").returncode == 0


def refusal(workspace):
    done = workspace.run("sklearn")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("noa: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"learning_rat": 1}, "did you mean learning_rate"),
        ({"max_depth": "deep"}, "'max_depth' of hist_gradient_boosting must be"),
        ({"estimator": "__class__"}, 'estimator "__class__" is not known'),
        ({"; touch CANARY": "$(touch CANARY)"}, 'has no hyperparameter "; touch CANARY"'),
        ({"class_weight": {"maybe": 1}}, "class_weight names 'maybe'"),
        ({"class_weight": {"yes": "touch CANARY"}}, "class_weight of 'yes' must be a number above 0"),
        (
            {"estimator": "logistic_regression", "solver": "lbfgs", "l1_ratio": 0.5},
            "logistic_regression cannot be fitted",
        ),
        ({"estimator": "k_nearest_neighbors", "n_neighbors": 900}, "the model cannot predict: Expected n_neighbors"),
    ],
)
def test_a_wrong_hyperparameter_is_refused_in_one_line(hyperparameters, said, training, prediction):
    workspace = training(table=small_table(), hyperparameters=hyperparameters)
    if "n_neighbors" in hyperparameters:
        assert workspace.run("sklearn").returncode == 0
        workspace = prediction(workspace, table=pa.table({"age": [1.0]}))
    assert said in refusal(workspace)
    assert not list(workspace.path.rglob("*CANARY*"))
    assert not list(workspace.out.iterdir())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"target": None}, "names no target"),
        ({"target": "price"}, "no column 'price', the target"),
        ({"classes": ["yes"]}, "has 1 classes in training"),
        ({"classes": ["no", "perhaps"]}, "has 'yes', which is none of the classes ['no', 'perhaps']"),
        ({"classes": [0, 1]}, "unlike the classes [0, 1]"),
        ({"columns": columns(weight="float", bought="text")}, "the data has no column 'weight'"),
        ({"columns": columns(age="time", bought="text")}, "holds double where points in time were declared"),
        ({"columns": columns(bought="text")}, "there is no column to learn from"),
        ({"profile": "sklearn"}, "is not trained by scikit-learn"),
        ({"data": {"train": "data/absent.parquet"}}, "absent.parquet cannot be read"),
        ({"data_format": "xlsx"}, "data format 'xlsx' is not known"),
        ({"data_format": "csv"}, "train.parquet cannot be read"),
        ({"profile": "sklearn-regressor", "classes": None}, "is text; a regression learns numbers"),
    ],
)
def test_data_that_does_not_fit_the_plan_is_refused_in_one_line(changed, said, training):
    workspace = training(table=small_table())
    workspace.change(**changed)
    assert said in refusal(workspace)


def test_a_target_that_is_not_finite_is_refused(training):
    table = pa.table({"age": [1.0, 2.0], "spent": [1.0, float("inf")]})
    workspace = training(table=table, target="spent", profile="sklearn-regressor")
    assert "1 values that are not finite" in refusal(workspace)


@pytest.fixture
def model(training):
    trained = training(table=small_table())
    assert trained.run("sklearn").returncode == 0
    return trained


def test_a_missing_column_is_named_at_prediction(model, prediction):
    assert "no column 'age'" in refusal(prediction(model, table=pa.table({"visits": [1]})))


def test_a_type_that_is_not_trusted_is_never_constructed(model, prediction, tmp_path):
    with zipfile.ZipFile(model.out / "model.skops") as source:
        parts = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(parts["schema.json"])
    schema["__class__"], schema["__module__"] = "Popen", "subprocess"
    with zipfile.ZipFile(model.out / "model.skops", "w") as target:
        for name, data in {**parts, "schema.json": json.dumps(schema)}.items():
            target.writestr(name, data)
    said = refusal(prediction(model, table=pa.table({"age": [1.0]})))
    assert "types that are not trusted: subprocess.Popen" in said


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"\x80\x04\x95 pickle"])
def test_a_damaged_model_is_refused(data, model, prediction):
    (model.out / "model.skops").write_bytes(data)
    said = refusal(prediction(model, table=pa.table({"age": [1.0]})))
    assert "model.skops is damaged or of another version" in said


def test_a_model_made_with_other_versions_says_so_and_answers(model, prediction):
    facts = json.loads((model.out / "model.json").read_text())
    facts["libraries"]["numpy"] = "1.0"
    (model.out / "model.json").write_text(json.dumps(facts))
    done = prediction(model, table=pa.table({"age": [1.0]})).run("sklearn")
    assert done.returncode == 0
    assert "noa: the model was made with other versions: numpy 1.0, here " in done.stderr


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (b"{", "is not JSON"),
        (b'{"format": 99}', "has the format 99; this version reads 1"),
        (b'{"format": 1}', "lacks classes, columns, libraries, task"),
        (b'{"format": 1, "task": "regression", "classes": [], "columns": [], "libraries": {}}', "is for regression"),
        (b'{"format": 1, "task": "classification", "classes": [], "columns": [{}], "libraries": {}}', "no columns"),
    ],
)
def test_facts_that_are_not_ours_are_refused(facts, said, model, prediction):
    (model.out / "model.json").write_bytes(facts)
    done = prediction(model, table=pa.table({"age": [1.0]})).run("sklearn")
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_a_model_file_behind_a_link_is_not_read(model, prediction, tmp_path):
    shutil.move(model.out / "model.skops", tmp_path / "elsewhere")
    (model.out / "model.skops").symlink_to(tmp_path / "elsewhere")
    done = prediction(model, table=pa.table({"age": [1.0]})).run("sklearn")
    assert done.returncode == 2
    assert "symbolic link" in done.stderr


def test_classes_that_differ_from_the_training_are_refused(model, prediction):
    asked = prediction(model, table=pa.table({"age": [1.0]}), classes=["yes", "no"])
    assert "the model knows the classes ['no', 'yes']" in refusal(asked)


@pytest.mark.parametrize("arguments", [["fit"], [], ["train", "predict"]])
def test_the_command_line_is_one_step(arguments, training):
    import sys

    from trainers.workspaces import run

    done = run([sys.executable, "-I", "-m", "noa_mlops.trainers.sklearn", *arguments], training(table=small_table()))
    assert (done.returncode, done.stderr) == (2, "noa: expected one argument, train or predict\n")
