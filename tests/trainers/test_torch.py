"""The profile torch: a network of the user's code, trained by our loop, in a process of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

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


def done(workspace):
    ended = workspace.run("torch")
    assert ended.returncode == 0, ended.stderr
    return workspace


def said(workspace) -> str:
    """The last line of a training that could not be done."""
    ended = workspace.run("torch")
    assert ended.returncode not in (0, -9), ended.stdout
    return ended.stderr.splitlines()[-1]


def test_learns_classes_from_columns_of_every_type_and_answers_probabilities(network, prediction):
    trained = done(network(params={"patience": 5}))
    answers = done(prediction(trained)).answers
    assert answers.column_names == ["p_0", "p_1"]
    assert np.allclose(answers["p_0"].to_numpy() + answers["p_1"].to_numpy(), 1)
    reports = [line for line in trained.progress if "log_loss" in line]
    assert min(line["log_loss"] for line in reports) < 0.5
    assert {"step", "of", "loss", "log_loss", "accuracy"} <= reports[0].keys()


def test_learns_numbers_and_answers_in_their_unit(network, prediction):
    trained = done(network(target="spent", params={"epochs": 60}))
    facts = json.loads((trained.out / "model.json").read_text())
    reports = [line for line in trained.progress if "rmse" in line]
    assert facts["validation"] == {name: reports[-1][name] for name in ("rmse", "mae")}
    from trainers.workspaces import mixed_table

    table = mixed_table(200, seed=5)
    answers = done(prediction(trained, table=table)).answers["prediction"].to_numpy()
    truth = table["spent"].to_numpy()
    assert np.sqrt(np.mean((answers - truth) ** 2)) < 0.7 * truth.std()
