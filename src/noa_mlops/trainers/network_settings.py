"""The hyperparameters of the profile torch, as data: known without loading torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import shown
from noa_mlops.trainers.rules import accepts


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a network is trained; the hyperparameters of a plan over these defaults.

    ``patience`` is in epochs, None: all are made and the last weights kept. ``validation_share`` is cut from the training
    rows. ``standardize`` brings numbers, and the target of a regression, to mean 0 and variance 1.
    """

    module: str | None = None
    model: str = "Model"
    model_params: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 0.001
    momentum: float = 0.0
    weight_decay: float = 0.0
    patience: int | None = None
    validation_share: float = 0.1
    precision: str = "float32"
    standardize: bool = True
    deterministic: bool = True

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Any]) -> NetworkSettings:
        """The settings of checked hyperparameters."""
        return cls(**hyperparameters)


RULES: Mapping[str, str] = MappingProxyType(
    {
        "model_params": "mapping",
        "epochs": "integer [1, 1000000]",
        "batch_size": "integer [1, 16777216]",
        "optimizer": '"adamw" | "adam" | "sgd" | "rmsprop"',
        "learning_rate": "number (0, inf)",
        "momentum": "number [0, 1)",
        "weight_decay": "number [0, inf)",
        "patience": "integer [1, inf) | null",
        "validation_share": "number [0, 1)",
        "precision": '"float32" | "bf16" | "fp16"',
        "standardize": "boolean",
        "deterministic": "boolean",
    }
)
"""The rule of each hyperparameter that is no name in the user's code (`noa_mlops.trainers.rules`)."""

NAMES = tuple(one.name for one in fields(NetworkSettings))
"""Every hyperparameter of the profile."""

_ELSEWHERE = {
    "seed": "the plan's own field 'seed'",
    "lr": "named 'learning_rate' here",
    "device": "chosen by 'gpus' under 'resources'",
    "num_workers": "none: the columns of a plan are in memory",
    "loss": "cross entropy for a classification, mean squared error for a regression",
}
"""What people look for under another name, and where it is."""


def settings_problems(given: Mapping[str, Json]) -> Sequence[str]:
    """What is wrong with the values, and with how they go together, a message each; names that are none are not looked at."""
    wrong = [
        f"hyperparameter {name!r} of torch must be {rule}, not {shown(given[name])}"
        for name, rule in RULES.items()
        if name in given and not accepts(rule, given[name])
    ]
    model = given.get("model", "Model")
    if not isinstance(model, str) or not model.isidentifier():
        wrong.append("hyperparameter 'model' must be the name of a class or function in the code file")
    if isinstance(params := given.get("model_params"), Mapping) and not all(name.isidentifier() for name in params):
        wrong.append("hyperparameter 'model_params' must be arguments by name")
    if given.get("patience") is not None and given.get("validation_share") == 0:
        wrong.append("hyperparameter 'patience' needs rows to validate on: set 'validation_share' above 0")
    if given.get("momentum") and given.get("optimizer") not in ("sgd", "rmsprop"):
        wrong.append("hyperparameter 'momentum' belongs to the optimizers sgd and rmsprop")
    return wrong


def elsewhere(name: str) -> str:
    """Where the thing with a name that is no hyperparameter is found, to follow a message; empty when unknown."""
    return f" ({name} is {_ELSEWHERE[name]})" if name in _ELSEWHERE else ""
