from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.agents import AgentFactory
from noa_mlops.agents.lightgbm_parameters import CHOICES
from noa_mlops.records.metrics import METRICS
from noa_mlops.trainers.hyperparameters import check_classes, check_hyperparameters, check_quantiles
from noa_mlops.trainers.lightgbm_parameters import ALIASES, MANAGED, PARAMETERS
from noa_mlops.trainers.rules import accepts
from trainers.workspaces import mixed_table

QUICK = {"num_iterations": 8, "min_data_in_leaf": 5}


@pytest.fixture
def boosting(training):
    """Makes the workspace of a training by LightGBM."""

    def make(name="train", **fields):
        return training(name, profile="lightgbm", **{"hyperparameters": QUICK, **fields})

    return make


def trained(workspace):
    done = workspace.run("lightgbm")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert all(line.startswith("noa: column 'remark' is left out") for line in done.stderr.splitlines())
    return workspace


def told(workspace):
    return [line for line in workspace.progress if line["message"].startswith("fit") and "seconds" not in line]


def refusal(workspace, step=None, **environment):
    done = workspace.run("lightgbm", step, **environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("noa: ")
    assert (done.stderr.count("\n"), done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize(
    ("target", "hyperparameters"),
    [
        ("bought", QUICK),
        ("bought", {**QUICK, "objective": "multiclass", "boosting": "dart", "extra_trees": True}),
        ("bought", {**QUICK, "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}),
        ("bought", {**QUICK, "data_sample_strategy": "goss", "is_unbalance": True}),
        ("spent", {**QUICK, "lambda_l1": 1, "max_depth": 3, "early_stopping_round": 3}),
        *(("spent", {**QUICK, "objective": loss}) for loss in CHOICES["objective"] if loss not in ("binary", "multiclass")),
    ],
)  # fmt: skip
def test_learns_from_columns_of_every_type_and_answers_for_rows_with_gaps(
    target, hyperparameters, boosting, prediction
):
    model = trained(boosting(target=target, hyperparameters=hyperparameters))
    assert sorted(path.name for path in model.out.iterdir()) == ["model.json", "model.txt"]
    asked = prediction(model)
    assert trained(asked).answers.num_rows == 80
    answers = np.column_stack([column.to_numpy() for column in asked.answers.columns])
    assert answers.shape == (80, 2 if target == "bought" else 1)
    assert len(np.unique(answers[:, 0])) > 5


def test_learns_as_well_as_the_gradient_boosting_of_scikit_learn(boosting, training, prediction):
    from sklearn.metrics import roc_auc_score

    table, other = mixed_table(3000), mixed_table(1000, seed=5)
    truth = np.asarray(other.column("bought")) == "yes"
    areas = {}
    for module, workspace in (
        ("lightgbm", boosting(table=table, hyperparameters={})),
        ("sklearn", training("sklearn", table=table)),
    ):
        assert workspace.run(module).returncode == 0
        asked = prediction(workspace, f"{module} asked", table=other)
        assert asked.run(module).returncode == 0
        areas[module] = roc_auc_score(truth, asked.answers.column("p_1").to_numpy())
    assert areas["lightgbm"] == pytest.approx(areas["sklearn"], abs=0.01)
    assert areas["lightgbm"] > 0.9


def test_probabilities_of_several_classes_come_in_their_order_even_when_training_lacks_one(boosting, prediction):
    labels = ["b" if i % 7 > 3 else "c" if i % 7 > 1 else "d" for i in range(140)]
    table = pa.table({"age": [float(i % 7) for i in range(140)], "bought": labels})
    model = boosting(table=table)
    model.change(classes=["a", "b", "c", "d"])
    asked = prediction(trained(model), table=pa.table({"age": [0.0, 3.0, 6.0]}))
    answers = np.column_stack([column.to_numpy() for column in trained(asked).answers.columns])
    assert answers.argmax(axis=1).tolist() == [3, 2, 1]
    assert answers.sum(axis=1) == pytest.approx(1)


def test_the_answers_are_those_of_lightgbm_itself_on_the_file_that_was_written(boosting, prediction):
    import lightgbm

    x = np.linspace(-3, 3, 400)
    table = pa.table({"age": x, "spent": np.sin(x)})
    model = trained(boosting(table=table, target="spent"))
    asked = trained(prediction(model, table=table.select(["age"])))
    direct = lightgbm.Booster(model_file=model.out / "model.txt").predict(x[:, None])
    assert asked.answers.column("prediction").to_pylist() == direct.tolist()


@pytest.mark.parametrize("target", ["bought", "spent"])
def test_equal_jobs_give_equal_bytes_whatever_is_drawn_and_another_seed_gives_others(target, boosting):
    drawn = {
        **QUICK,
        "bagging_fraction": 0.6,
        "bagging_freq": 1,
        "feature_fraction": 0.6,
        "extra_trees": True,
        "early_stopping_round": 4,
    }
    first, again, other = (
        trained(boosting(str(i), target=target, table=mixed_table(2000), hyperparameters=drawn, cpus=2, seed=i // 2))
        for i in range(3)
    )
    for name in ("model.txt", "model.json"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()
    trees = [
        workspace.out.joinpath("model.txt").read_text().partition("parameters:")[0] for workspace in (first, other)
    ]
    assert trees[0] != trees[1]


def test_a_seed_of_any_size_that_a_plan_may_have_is_taken(boosting):
    trained(boosting(seed=2**32 - 1))


def test_quantiles_are_learnt_each_and_answered_in_their_order(boosting, prediction):
    random = np.random.default_rng(3)
    x = random.uniform(0, 10, 4000)
    table = pa.table({"age": x, "spent": 2 * x + random.normal(0, 1, 4000)})
    model = boosting(
        table=table, target="spent", quantiles=[0.1, 0.5, 0.9], hyperparameters={"early_stopping_round": 20}
    )
    trained(model)
    names = ["model.q_10.txt", "model.q_50.txt", "model.q_90.txt"]
    assert sorted(path.name for path in model.out.glob("*.txt")) == names
    asked = trained(prediction(model, table=pa.table({"age": np.linspace(1, 9, 200)})))
    assert asked.answers.column_names == ["q_10", "q_50", "q_90"]
    low, middle, high = (column.to_numpy() for column in asked.answers.columns)
    assert np.mean(high - low) == pytest.approx(2 * 1.2816, rel=0.15)
    assert np.mean(np.abs(middle - 2 * np.linspace(1, 9, 200))) < 0.3
    assert {line["message"] for line in told(model)} == {"fit q_10", "fit q_50", "fit q_90"}
    assert "pinball_10" in told(model)[0]


def test_stops_early_on_rows_that_it_did_not_learn_from_and_keeps_the_best_round(boosting):
    model = boosting(table=mixed_table(1000), hyperparameters={"num_iterations": 2000, "early_stopping_round": 10})
    trained(model)
    (rounds,) = json.loads((model.out / "model.json").read_text())["rounds"]
    assert 1 <= rounds < 1000
    assert (model.out / "model.txt").read_text().count("\nTree=") == rounds
    assert "; ".join(line["message"] for line in model.progress).count("900 rows") == 1


@pytest.mark.parametrize(
    ("target", "names"),
    [("bought", {"log_loss", "roc_auc", "accuracy"}), ("spent", {"rmse", "mae", "r2"})],
)
def test_rounds_are_told_with_the_metrics_on_those_rows_under_our_names(target, names, boosting):
    hyperparameters = {"num_iterations": 40, "early_stopping_round": 40}
    model = trained(boosting(table=mixed_table(3000), target=target, hyperparameters=hyperparameters))
    first, last = told(model)[0], told(model)[-1]
    assert (first["step"], last["of"]) == (1, 40)
    assert names == set(first) & set(METRICS)
    better = [METRICS[name].direction == "lower" for name in sorted(names)]
    assert [last[name] < first[name] for name in sorted(names)] == better


def test_a_training_tells_its_first_round_every_tenth_and_the_last_whatever_the_machine_is_doing(boosting):
    model = trained(boosting(hyperparameters={"num_iterations": 305, "num_leaves": 4}))
    assert [said["step"] for said in told(model)] == [1, *range(10, 301, 10), 305]


@pytest.mark.parametrize(
    ("target", "name"), [("bought", "log_loss"), ("bought", "roc_auc"), ("spent", "rmse"), ("spent", "r2")]
)
def test_what_is_told_last_is_what_scikit_learn_computes_for_the_model_that_is_kept(target, name, boosting):
    import lightgbm
    from sklearn import metrics

    from noa_mlops.trainers.boosting import Aim, Rows, divided

    mixed = mixed_table(2000)
    table = pa.table({"age": np.linspace(0, 1, 2000), target: mixed.column(target)})
    model = trained(boosting(table=table, target=target, seed=4, hyperparameters={**QUICK, "early_stopping_round": 3}))
    labels = np.asarray(table.column(target))
    rows = Rows(
        np.asarray(table.column("age"))[:, None], (labels == "yes").astype(int) if target == "bought" else labels
    )
    _, judged = divided(rows, model.payload["hyperparameters"], Aim(2 if target == "bought" else 0, (), 4, 1))
    assert len(judged.labels) == 200
    answers = lightgbm.Booster(model_file=model.out / "model.txt").predict(judged.matrix)
    score = {"rmse": "root_mean_squared_error", "r2": "r2_score", "roc_auc": "roc_auc_score"}.get(name, name)
    assert told(model)[-1][name] == pytest.approx(getattr(metrics, score)(judged.labels, answers))
    assert [told(model)[-1]["step"]] == json.loads((model.out / "model.json").read_text())["rounds"]


def test_no_rows_give_no_predictions(boosting, prediction):
    model = trained(boosting(table=mixed_table().select(["age", "bought"])))
    asked = trained(prediction(model, table=pa.table({"age": pa.array([], pa.float64())})))
    assert (asked.answers.num_rows, asked.answers.column_names) == (0, ["p_0", "p_1"])


SMALL = mixed_table().select(["age", "bought"]).slice(0, 4)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hyperparameters": {"learning_rat": 1}}, 'no hyperparameter "learning_rat", did you mean learning_rate'),
        ({"hyperparameters": {"objective": "poisson"}}, 'objective "poisson" cannot learn a classification of 2 classes'),
        ({"target": "spent", "hyperparameters": {"objective": "binary"}}, 'objective "binary" cannot learn a regression'),
        ({"table": SMALL, "hyperparameters": {"early_stopping_round": 1}}, "early_stopping_round needs rows to judge by"),
        ({"target": "spent", "quantiles": [0.5], "hyperparameters": {"alpha": 1}}, "the plan's own field 'quantiles'"),
        ({"table": pa.table({"age": [1.0] * 40, "spent": [-1.0] * 40}), "target": "spent", "hyperparameters": {"objective": "gamma"}}, "LightGBM cannot be fitted: [gamma]: at least one target label is"),
        ({"hyperparameters": {"touch CANARY": 1}}, "no hyperparameter"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused_in_one_line(fields, said, boosting):
    workspace = boosting(**fields)
    assert said in refusal(workspace)
    assert not list(workspace.out.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the model file is damaged or not LightGBM's"),
        ("tree\nversion=v4\n", "the model file is damaged or not LightGBM's"),
        (None, "model.txt cannot be read"),
        ("\udcff", "model.txt cannot be read"),
        ("#!/bin/sh\ntouch CANARY\n", "the model file is damaged or not LightGBM's"),
    ],
)
def test_a_model_file_that_is_missing_or_damaged_is_refused_in_one_line(text, said, boosting, prediction):
    model = trained(boosting())
    if text is None:
        (model.out / "model.txt").unlink()
    else:
        (model.out / "model.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert said in refusal(prediction(model))


def test_a_system_without_openmp_is_told_what_to_install(boosting, tmp_path):
    (tmp_path / "libgomp.so.1").write_bytes(b"")
    said = refusal(boosting(), LD_LIBRARY_PATH=str(tmp_path))
    assert "LightGBM cannot be loaded" in said
    assert "install the system's OpenMP library, libgomp1 or libgomp" in said


def test_loading_what_is_preloaded_starts_no_thread(boosting):
    """A fork of a process with OpenMP threads would wait for them for ever."""
    import subprocess
    import sys

    from noa_mlops.agents.environment import of_zygote

    code = "import os, noa_mlops.trainers.preload_lightgbm; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=of_zygote(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_what_the_profile_lists_is_what_is_checked_and_what_lightgbm_takes():
    import lightgbm

    listed = {p.name: p for p in AgentFactory().profile("lightgbm").hyperparameters}
    assert listed.keys() == PARAMETERS.keys()
    for name, parameter in listed.items():
        for value in parameter.choices or (() if parameter.default is None else (parameter.default,)):
            assert accepts(PARAMETERS[name], value), name
    aliases = lightgbm.basic._ConfigAliases
    theirs = aliases._get_all_param_aliases()
    assert PARAMETERS.keys() - {"validation_fraction"} <= theirs.keys()
    assert not PARAMETERS.keys() & (MANAGED.keys() | ALIASES.keys())
    known = {alias: name for name, names in theirs.items() for alias in names}
    assert all(known.get(alias, name) == name for alias, name in ALIASES.items() if alias != "class_weight")


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"n_estimators": 5}, "'n_estimators' is written num_iterations"),
        ({"num_threads": 4}, "'num_threads' cannot be set: the number of processors is 'cpus' under 'resources'"),
        ({"seed": 4}, "'seed' cannot be set: the seed is the plan's own field 'seed'"),
        ({"num_leaves": 1}, "'num_leaves' of lightgbm must be integer [2, 131072], not 1"),
        ({"num_leaf": 5}, 'no hyperparameter "num_leaf", did you mean num_leaves'),
        ({"objective": "quantile"}, "the plan's own field 'quantiles'"),
        ({"boosting": "dart", "early_stopping_round": 5}, 'boosting "dart" cannot stop early'),
        ({"boosting": "rf"}, 'boosting "rf" needs feature_fraction below 1'),
        ({"is_unbalance": True, "scale_pos_weight": 2}, "exclude each other"),
        ({"validation_fraction": 0.2}, "'validation_fraction' needs early_stopping_round"),
    ],
)
def test_a_wrong_hyperparameter_is_refused_before_anything_runs(hyperparameters, said):
    (problem,) = check_hyperparameters("lightgbm", hyperparameters)
    assert said in problem


def test_an_objective_is_held_against_the_classes():
    assert check_classes("lightgbm", {"objective": "multiclass"}, 2) == ()
    assert check_classes("lightgbm", {"objective": "binary"}, 3)
    assert check_classes("sklearn-classifier", {"objective": "binary"}, 3) == ()
    assert check_quantiles("lightgbm", {"num_leaves": 5}) == ()
