"""The profile torch: a network of the user's code, trained by our loop, in a process of its own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
import torch

from noa_mlops.agents.profiles import builtin
from noa_mlops.trainers.contract import Column
from noa_mlops.trainers.encoding import encode, learn
from noa_mlops.trainers.hyperparameters import check_beside, check_hyperparameters
from noa_mlops.trainers.launch import launch
from noa_mlops.trainers.model_checkpoints import ModelCheckpoints
from noa_mlops.trainers.network_inputs import learn_inputs, network_inputs, validation_rows
from noa_mlops.trainers.network_settings import NAMES, RULES, NetworkSettings
from noa_mlops.trainers.rules import accepts
from noa_mlops.trainers.torch import predict, train
from trainers.workspaces import mixed_table

NET = """
import torch


class Model(torch.nn.Sequential):
    def __init__(self, inputs, outputs, hidden=16):
        super().__init__(
            torch.nn.Linear(inputs, hidden),
            torch.nn.BatchNorm1d(hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.1),
            torch.nn.Linear(hidden, outputs),
        )
"""
QUICK = {"epochs": 12, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture
def network(training):
    """Makes the workspace of a training with a code file."""

    def make(name: str = "train", code: str = NET, *, params: dict | None = None, **fields):
        made = training(name, profile="torch", hyperparameters={**QUICK, **(params or {})}, code=["net.py"], **fields)
        (made.path / "code" / "net.py").write_text(code)
        return made

    return make


@pytest.fixture
def step(monkeypatch, capfd):
    """Runs the step of a workspace in this process, where torch is loaded already; its exit status and what it said."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)

    def run(workspace) -> tuple[int, str]:
        monkeypatch.setenv("NOA_PAYLOAD", str(workspace.path / "payload.json"))
        status = launch(train, predict, [workspace.payload["step"]])
        return status, capfd.readouterr().err

    return run


@pytest.fixture
def done(step):
    """The same, for a step that must succeed; its workspace."""

    def run(workspace):
        status, said = step(workspace)
        assert status == 0, said
        return workspace

    return run


def test_learns_classes_from_columns_of_every_type_and_answers_probabilities(network, prediction, done):
    trained = done(network(params={"patience": 5}))
    answers = done(prediction(trained)).answers
    assert answers.column_names == ["p_0", "p_1"]
    assert np.allclose(answers["p_0"].to_numpy() + answers["p_1"].to_numpy(), 1)
    reports = [line for line in trained.progress if "log_loss" in line]
    assert min(line["log_loss"] for line in reports) < 0.5
    assert {"step", "of", "loss", "log_loss", "accuracy"} <= reports[0].keys()


def test_learns_numbers_and_answers_in_their_unit(network, prediction, done):
    trained = done(network(target="spent", params={"epochs": 60}))
    facts = json.loads((trained.out / "model.json").read_text())
    reports = [line for line in trained.progress if "rmse" in line]
    assert facts["validation"] == {name: reports[-1][name] for name in ("rmse", "mae")}
    table = mixed_table(200, seed=5)
    answers = done(prediction(trained, table=table)).answers["prediction"].to_numpy()
    truth = table["spent"].to_numpy()
    assert np.sqrt(np.mean((answers - truth) ** 2)) < 0.7 * truth.std()


SLOW = """
import time

import torch


class Model(torch.nn.Linear):
    def forward(self, rows):
        if self.training:
            time.sleep(0.2)
        return super().forward(rows)
"""


def test_the_same_job_gives_the_same_bytes_in_a_process_of_its_own(network, done):
    first, again = done(network("first")), network("again")
    ended = again.run("torch")
    assert ended.returncode == 0, ended.stderr
    for name in ("model.safetensors", "model.json"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()
    other = done(network("other", seed=8))
    assert (first.out / "model.safetensors").read_bytes() != (other.out / "model.safetensors").read_bytes()


def test_stops_early_and_keeps_the_weights_of_the_best_epoch(network, done):
    params = {"epochs": 400, "patience": 3, "learning_rate": 0.1}
    trained = done(network(params=params))
    facts = json.loads((trained.out / "model.json").read_text())
    losses = [line["log_loss"] for line in trained.progress if "log_loss" in line]
    assert facts["epoch"] == 1 + losses.index(min(losses))
    assert facts["epochs"] == len(losses) == facts["epoch"] + 3
    assert facts["validation"]["log_loss"] == min(losses)
    assert facts["validation_rows"] == 30
    fewer = done(network("fewer", params={**params, "epochs": facts["epoch"], "patience": None}))
    weights = [(workspace.out / "model.safetensors").read_bytes() for workspace in (trained, fewer)]
    assert weights[0] == weights[1]


def test_a_checkpoint_of_other_hyperparameters_or_a_damaged_one_is_not_used(network, step, done):
    params = {"batch_size": 512, "epochs": 7}  # a second and a half
    trained = done(network("slow", SLOW, params=params))
    kept = trained.path / "checkpoint" / "training.pt"
    whole = kept.read_bytes()
    for name, data, hyperparameters, reason in (
        ("damaged", whole[:-9] + b"?" + whole[-8:], params, "is damaged"),
        ("cut", whole[:100], params, "is damaged"),
        ("foreign", whole, {**params, "weight_decay": 0.1}, "is of another plan"),
    ):
        again = network(name, SLOW, params=hyperparameters)
        (again.path / "checkpoint" / "training.pt").write_bytes(data)
        status, said = step(again)
        assert status == 0
        assert f"the checkpoint of the training {reason}" in said
        assert [line["step"] for line in again.progress if "loss" in line] == [1, 2, 3, 4, 5, 6, 7]
    same = network("same", SLOW, params=params)
    (same.path / "checkpoint" / "training.pt").write_bytes(whole)
    assert next(line["step"] for line in done(same).progress if "loss" in line) > 1
    assert (same.out / "model.safetensors").read_bytes() == (trained.out / "model.safetensors").read_bytes()


def test_a_checkpoint_with_code_in_it_does_not_run_it(tmp_path):
    canary = tmp_path / "canary"

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    body = io.BytesIO()
    torch.save({"progress": Hostile()}, body)
    identity = bytes(32)
    digest = hashlib.sha256(body.getbuffer()).digest()
    (tmp_path / "training.pt").write_bytes(identity + digest + body.getvalue())
    assert ModelCheckpoints(tmp_path, identity).load("cpu") is None
    assert not canary.exists()


@pytest.mark.parametrize(
    ("code", "params", "message"),
    [
        ("import nonexistent", {}, "net.py cannot be imported at line 1 of net.py: ModuleNotFoundError"),
        ("def f(:", {}, "net.py cannot be imported at line 1 of net.py: SyntaxError"),
        ("import torch", {}, "net.py has no class or function Model; the hyperparameter 'model' names it"),
        (NET, {"model_params": {"hiden": 3}}, "hiden=3) of net.py failed: TypeError"),
        ("Model = lambda i, o: 3", {}, "Model of net.py makes a int, not a torch.nn.Module"),
        (NET + "\nMore = lambda i, o: Model(i, 7)", {"model": "More"}, "gives the shape (32, 7) for 32 rows; it must give (32, 2)"),
        (NET, {"optimizer": "sgd", "learning_rate": 1e30}, "in epoch 1: lower learning_rate, now 1e+30"),
        (NET + "\nclass Bad(Model):\n    def forward(self, x): return super().forward(x) if self.training else x[:, :2] * torch.nan", {"model": "Bad"}, "log_loss is nan in epoch 1"),
        ("import torch\nModel = lambda i, o: torch.nn.Linear(5, o)", {}, "Model of net.py failed in training: RuntimeError: mat1 and mat2"),
        ("import torch\nModel = lambda i, o: torch.nn.Linear(i, 10**12)", {}, "out of memory (MemoryError) torch asked for"),
        (NET, {"validation_share": 0.0001, "patience": 1}, "300 rows are too few for validation_share 0.0001"),
    ],
)  # fmt: skip
def test_says_in_one_line_what_cannot_be_done(network, step, code, params, message):
    status, said = step(network(code=code, params=params))
    lines = said.splitlines()
    assert status in (1, 2, 12)
    assert lines[-1].startswith("noa: ")
    assert message in lines[-1]
    assert len(lines[-1]) < 300


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_every_optimizer_and_a_lower_precision_learn(network, done, optimizer):
    workspace = done(network(params={"optimizer": optimizer, "precision": "bf16", "epochs": 30}))
    losses = [line["loss"] for line in workspace.progress if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "hyperparameter 'epochs' of torch must be integer [1, 1000000], not 0"),
        ({"optimizer": "lbfgs"}, '\'optimizer\' of torch must be "adamw" | "adam" | "sgd" | "rmsprop"'),
        ({"learning_rat": 1}, "did you mean learning_rate"),
        ({"lr": 0.1}, "named 'learning_rate' here"),
        ({"model": "net.Model"}, "'model' must be the name of a class or function"),
        ({"model_params": {"a b": 1}}, "'model_params' must be arguments by name"),
        ({"patience": 3, "validation_share": 0}, "'patience' needs rows to validate on"),
        ({"momentum": 0.9}, "'momentum' belongs to the optimizers sgd and rmsprop"),
        ({"module": "src/net.py"}, "write 'net.py'"),
    ],
)
def test_refuses_hyperparameters_before_anything_runs(given, message):
    (problem,) = check_hyperparameters("torch", given)
    assert message in problem


@pytest.mark.parametrize(
    ("given", "beside", "message"),
    [
        ({}, {"code": [], "gpus": 0}, "code: torch needs the Python file with the network"),
        ({"module": "other"}, {"code": ["src/net.py"], "gpus": 0}, "'other' is not among the code files: net.py"),
        ({"precision": "fp16"}, {"code": ["net.py"], "gpus": 0}, "fp16 needs a GPU"),
        ({}, {"code": ["net.py"], "gpus": 2}, "torch trains on one GPU, not 2"),
    ],
)
def test_refuses_what_does_not_go_with_the_rest_of_the_plan(given, beside, message):
    (problem,) = check_beside("torch", given, **beside)
    assert message in problem.replace('"', "'")


def test_what_is_listed_is_what_is_accepted_with_the_same_defaults():
    listed = {parameter.name: parameter for parameter in builtin()["torch"].hyperparameters}
    assert tuple(listed) == NAMES
    for name, default in asdict(NetworkSettings()).items():
        assert listed[name].default == default
        if name in RULES:
            assert accepts(RULES[name], default)
            assert all(accepts(RULES[name], choice) for choice in listed[name].choices)


def test_gaps_and_unseen_categories_become_zeros_and_a_column_that_says_where():
    columns = [Column("size", "category"), Column("age", "float")]
    table = pa.table({"size": ["s", "s", "m", None], "age": [1.0, 3.0, None, 5.0]})
    encodings = learn(table, columns, 64)
    inputs = learn_inputs(encode(table, encodings), encodings, standardize=True)
    later = pa.table({"size": ["m", "x"], "age": [3.0, None]})
    given = network_inputs(encode(later, encodings), inputs)
    assert given.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_validation_rows_are_the_same_share_of_every_class(share):
    truth = np.repeat([0, 1, 2], [40, 80, 200])
    held = validation_rows(truth, share, seed=1)
    assert [int(held[truth == c].sum()) for c in range(3)] == [40 * share, 80 * share, 200 * share]
    assert not np.array_equal(held, validation_rows(truth, share, seed=2))
