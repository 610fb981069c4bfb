"""The agent profiles: kinds of specialist trainers, as data.

A profile names the program that trains and the one that predicts; both keep the contract of a folder
(``payload.json`` in, ``out/`` out), so a profile of a third party needs nothing of this package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

from noa_mlops.agents import lightgbm_parameters
from noa_mlops.records.documents import Json

Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """Something that a plan can set; ``choices`` empty: any value that the trainer takes; ``default`` None: no default."""

    name: str
    summary: str
    default: Json = None
    choices: tuple[Json, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "summary": self.summary, "default": self.default, "choices": list(self.choices)}


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """A kind of agent.

    ``task`` is None when the plan's thresholds decide it. ``train`` and ``predict`` are argument lists. With
    ``code_bearing`` the model can run code when it is loaded. ``requires`` lists modules that must be installed. ``preload``
    names a module that imports what the programs, modules of Python, would import: see `Job.preload`. ``extras`` are those of
    this package that install what it requires.
    """

    name: str
    summary: str
    train: tuple[str, ...]
    predict: tuple[str, ...]
    task: Task | None = None
    hyperparameters: tuple[Hyperparameter, ...] = ()
    data_format: Literal["parquet", "csv"] = "parquet"
    code_bearing: bool = True
    requires: tuple[str, ...] = ()
    preload: str = ""
    extras: str = "tabular"

    def preload_for(self, gpus: int) -> str:
        """`Job.preload` for an agent with so many GPUs; what a driver keeps may not live in a forked process."""
        return "" if gpus else self.preload

    def format_for(self, hyperparameters: Mapping[str, Json]) -> Literal["parquet", "csv"]:
        """The form in which data is handed to the agent; a plan may choose it where the profile says so."""
        offered = any(parameter.name == "data_format" for parameter in self.hyperparameters)
        asked = hyperparameters.get("data_format") if offered else None
        if asked == "csv":
            return "csv"
        return "parquet" if asked == "parquet" else self.data_format

    def missing(self) -> tuple[str, ...]:
        """The modules it needs that are not installed here."""
        return tuple(name for name in self.requires if find_spec(name) is None)

    def to_document(self) -> dict[str, Any]:
        """What people choose by, as JSON; the programs are left out."""
        return {
            "name": self.name,
            "task": self.task,
            "summary": self.summary,
            "hyperparameters": [parameter.to_document() for parameter in self.hyperparameters],
            "data_format": self.data_format,
            "code_bearing": self.code_bearing,
            "requires": list(self.requires),
        }


def builtin() -> Mapping[str, AgentProfile]:
    """The profiles of this package, by name."""
    profiles = (
        _sklearn("classification", "sklearn-classifier", _CLASSIFIERS),
        _sklearn("regression", "sklearn-regressor", _REGRESSORS),
        _lightgbm(),
        _pipeline(),
        AgentProfile(
            name="python",
            summary="Your own Python: train(job) and predict(job) of a module named under 'code'",
            train=_program("python", "train"),
            predict=_program("python", "predict"),
            hyperparameters=(
                Hyperparameter("module", "The code file with train(job) and predict(job); default: the first one"),
            ),
        ),
        _torch(),
        AgentProfile(
            name="command",
            summary="Any program in any language: reads NOA_PAYLOAD, writes to out/",
            train=_program("command", "train"),
            predict=_program("command", "predict"),
            hyperparameters=(
                Hyperparameter("command", "The program that trains and its arguments, as a list"),
                Hyperparameter("predict", "The program that predicts and its arguments, as a list"),
                Hyperparameter("data_format", "The form of the data files", "parquet", ("parquet", "csv")),
            ),
        ),
        AgentProfile(
            name="import",
            summary="A model folder made elsewhere, measured and promoted like any other",
            train=_program("imported", "train"),
            predict=_program("imported", "predict"),
            hyperparameters=(
                Hyperparameter("path", "The model's folder, relative to the project"),
                Hyperparameter("predict", "The program that predicts and its arguments, as a list"),
                Hyperparameter("module", "Instead of a program: the Python file with predict(job)"),
                Hyperparameter("data_format", "The form of the data files", "parquet", ("parquet", "csv")),
            ),
        ),
    )
    return MappingProxyType({profile.name: profile for profile in profiles})


_SKLEARN = "noa_mlops.trainers.preload"


def _program(module: str, step: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-m", f"noa_mlops.trainers.{module}", step)


def _sklearn(task: Task, name: str, estimators: tuple[str, ...]) -> AgentProfile:
    chosen = Hyperparameter("estimator", "The kind of model", estimators[0], estimators)
    rest = Hyperparameter("...", "Any parameter of that estimator, under scikit-learn's name, for example max_iter")
    return AgentProfile(
        name=name,
        summary=f"scikit-learn estimators for {task}, with columns of any type prepared",
        train=_program("sklearn", "train"),
        predict=_program("sklearn", "predict"),
        task=task,
        hyperparameters=(chosen, rest),
        code_bearing=False,
        requires=("sklearn", "skops", "numpy", "pyarrow"),
        preload=_SKLEARN,
    )


def _lightgbm() -> AgentProfile:
    return AgentProfile(
        name="lightgbm",
        summary="Gradient boosting by LightGBM, with columns of any type prepared; also quantiles",
        train=_program("lightgbm", "train"),
        predict=_program("lightgbm", "predict"),
        hyperparameters=tuple(
            Hyperparameter(name, summary, default, lightgbm_parameters.CHOICES.get(name, ()))
            for name, summary, default in lightgbm_parameters.PARAMETERS
        ),
        code_bearing=False,
        requires=("lightgbm", "numpy", "pyarrow"),
        preload="noa_mlops.trainers.preload_lightgbm",
    )


def _pipeline() -> AgentProfile:
    return AgentProfile(
        name="sklearn-pipeline",
        summary="Your own scikit-learn pipeline, handed over unfitted by noa_mlops.run",
        train=_program("pipeline", "train"),
        predict=_program("pipeline", "predict"),
        hyperparameters=(
            Hyperparameter("pipeline", "The .skops file of the unfitted pipeline, which stands under 'code' too"),
            Hyperparameter("trusted", "Types beyond scikit-learn's and your code's that it may hold, as a list"),
            Hyperparameter("...", "Any parameter of the pipeline, as set_params names it, for example step__parameter"),
        ),
        requires=("sklearn", "skops", "numpy", "pyarrow"),
        preload=_SKLEARN,
    )


def _torch() -> AgentProfile:
    return AgentProfile(
        name="torch",
        summary="Your own network: a torch.nn.Module of a file named under 'code', trained by our loop",
        train=_program("torch", "train"),
        predict=_program("torch", "predict"),
        hyperparameters=(
            Hyperparameter("module", "The code file with the network; default: the first one"),
            Hyperparameter(
                "model",
                "Class or function in it, called with the numbers of inputs and outputs and model_params",
                "Model",
            ),
            Hyperparameter("model_params", "More arguments for it, by name", {}),
            Hyperparameter("epochs", "Passes over the training rows", 20),
            Hyperparameter("batch_size", "Rows of one step", 64),
            Hyperparameter("optimizer", "How weights are moved", "adamw", ("adamw", "adam", "sgd", "rmsprop")),
            Hyperparameter("learning_rate", "How far", 0.001),
            Hyperparameter("momentum", "Of sgd and rmsprop", 0.0),
            Hyperparameter("weight_decay", "How much weights are drawn to 0", 0.0),
            Hyperparameter(
                "patience", "Epochs without a better validation, then the best weights count; default: never"
            ),
            Hyperparameter("validation_share", "Share of the training rows to validate on after each epoch", 0.1),
            Hyperparameter("precision", "Of the computation; fp16 needs a GPU", "float32", ("float32", "bf16", "fp16")),
            Hyperparameter("standardize", "Numbers to mean 0 and variance 1, a numeric target too", default=True),
            Hyperparameter("deterministic", "Refuse operations that may answer otherwise each time", default=True),
        ),
        requires=("torch", "safetensors", "numpy", "pyarrow"),
        preload="noa_mlops.trainers.preload_torch",
        extras="tabular,torch",
    )


_BOTH = ("hist_gradient_boosting", "random_forest", "extra_trees", "gradient_boosting", "decision_tree")
_CLASSIFIERS = (*_BOTH, "logistic_regression", "linear_svm", "k_nearest_neighbors", "gaussian_nb", "mlp", "dummy")
_REGRESSORS = (
    *(*_BOTH, "linear", "ridge", "lasso", "elastic_net", "huber", "poisson", "quantile"),
    *("k_nearest_neighbors", "mlp", "dummy"),
)
