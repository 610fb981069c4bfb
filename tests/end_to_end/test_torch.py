"""A plan of the profile torch, by the command that people use: killed and continued, refused, and measured on a GPU."""

from __future__ import annotations

import contextlib
import json
import os
import signal

import pytest

from end_to_end.conftest import surroundings
from end_to_end.projects import PREDICT, TRAIN, lay_out, until
from noa_mlops.agents import AgentFactory, Gpus, RuntimeManager
from noa_mlops.agents.workspace import mark_of
from noa_mlops.lifecycle import open_orchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan

NET = """
import time

import torch


class Model(torch.nn.Sequential):
    def __init__(self, inputs, outputs, pause=0.0):
        super().__init__(torch.nn.Linear(inputs, 16), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, outputs))
        self.pause = pause

    def forward(self, rows):
        if self.training:
            time.sleep(self.pause)
        return super().forward(rows)
"""
TORCH = {
    "agent_profile": "torch",
    "code": ["src/net.py"],
    "hyperparameters": {"epochs": 20, "batch_size": 512, "learning_rate": 0.05},
    "seed": 5,
}
KILLED = {**TORCH["hyperparameters"], "patience": 20, "model_params": {"pause": 0.12}}


def training(path, **changes):
    """A project with a plan of the profile torch."""
    project = lay_out(path)
    project.write("src/net.py", NET)
    project.plan(**{**TORCH, **changes})
    assert project.tell("init").status == 0
    return project


def measured(project):
    """The metrics that the verifier computed, and the files of the model."""
    entry = next(entry for entry in project.entries() if entry["noa_entry"]["type"] == "EvaluationLogged")
    model = project.path / "storage/artifacts/little/torch/1/model"
    return entry["predicate"]["metrics"], {path.name: path.read_bytes() for path in model.iterdir()}


def reported(project):
    """The epochs that the trainer told of, in this attempt."""
    lines = (project.workspace("little-1") / "progress.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines if '"loss"' in line]


def test_a_training_killed_midway_goes_on_and_ends_in_the_same_metrics_and_bytes(home, monkeypatch):
    whole = training(home / "whole", hyperparameters=KILLED)
    whole.done("run", "plan.json")
    for name, value in surroundings(home / "elsewhere").items():
        monkeypatch.setenv(name, value)
    killed = training(home / "killed", hyperparameters=KILLED)
    running = killed.start("run", "plan.json")
    kept = killed.workspace("little-1") / "checkpoint" / "training.pt"
    until(kept.exists, 60)
    trainer = until(lambda: trainers_of(killed))[0]
    running.kill()
    running.wait()
    with contextlib.suppress(ProcessLookupError):  # its supervisor was faster
        os.kill(trainer, signal.SIGKILL)
    before = reported(killed)
    assert 1 <= len(before) < 20
    killed.done("run", "plan.json")
    first = reported(killed)[0]
    assert first > 1
    assert f"goes on after epoch {first - 1}\n" in (killed.workspace("little-1") / "stderr.log").read_text()
    assert [entry["noa_entry"]["type"] for entry in killed.entries()].count("Submitted") == 1
    (metrics, files), (expected, same) = measured(killed), measured(whole)
    assert files == same
    assert files.keys() == {"model.json", "model.safetensors"}
    assert metrics == pytest.approx(expected, abs=1e-9)  # rows are asked about in another order


def trainers_of(project):
    """The processes that work in the workspace of the trainer."""
    mark, found = mark_of(project.workspace("little-1")), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as environment:
                if mark in environment.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return found


def test_more_gpus_than_there_are_are_refused_before_anything_runs(home):
    wanted = len(Gpus().present()) + 1
    project = training(home / "project", agent_profile="python", hyperparameters={}, resources={"gpus": wanted})
    refused = project.tell("run", "plan.json")
    assert refused.status == 2
    assert f"resources.gpus: the plan asks for {wanted} GPU" in refused.err
    assert not project.workspace("little-1").exists()


def test_every_agent_of_a_run_has_the_gpus_that_the_plan_asks_for(home, folder):
    for name in ("nvidia0", "nvidia1"):
        folder.write(f"../dev/{name}", "")
    said = '\necho "$CUDA_VISIBLE_DEVICES $(grep -c \'"gpus":2\' payload.json)" > "$NOA_OUT/gpus"\n'
    folder.programs(TRAIN + said, PREDICT + said)
    folder.done("init")
    machine = Gpus(home / "dev", home / "nowhere", home / "leases")
    plan = TrainingPlan.parse((folder.path / folder.plan(resources={"gpus": 2})).read_bytes(), "plan.json")
    with open_orchestrator(Layout.of(folder.path), AgentFactory(), RuntimeManager(machine)) as orchestrator:
        orchestrator.run_plan(plan)
    for out in (folder.path / "storage/artifacts/little/command/1/model", folder.workspace("little-1.predict") / "out"):
        assert (out / "gpus").read_text() == "0,1 1\n"
    assert folder.champion() == 1
    assert folder.verifies()


def test_a_network_without_code_is_refused_before_anything_runs(home):
    project = training(home / "project", code=None)
    refused = project.tell("run", "plan.json")
    assert refused.status == 2
    assert "code: torch needs the Python file with the network" in refused.err


@pytest.mark.skipif(not Gpus().present(), reason="this machine has no GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_trains_and_predicts_on_a_gpu(home, precision):
    given = {**TORCH["hyperparameters"], "precision": precision}
    resources = {"gpus": 1, "memory": "16GiB"}
    project = training(home / "project", hyperparameters=given, resources=resources)
    project.done("run", "plan.json")
    assert project.champion() == 1
