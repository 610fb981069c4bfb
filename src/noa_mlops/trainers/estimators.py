"""The estimators of the sklearn profiles, as data: known without loading scikit-learn."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

DEFAULT = "hist_gradient_boosting"
"""The estimator of a plan that names none."""

KINDS: Mapping[str, str] = {"sklearn-classifier": "classifier", "sklearn-regressor": "regressor"}
"""Which table belongs to which agent profile."""

BINS = 255
"""Bins of a histogram gradient boosting that does not say ``max_bins``."""

MOST_CATEGORIES = 1000
"""Categories that are told apart before the rarest are thrown together; one-hot columns are fewer still."""

QUANTILE_SETTINGS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "hist_gradient_boosting": ({"loss": "quantile"}, "quantile"),
    "gradient_boosting": ({"loss": "quantile"}, "alpha"),
    "quantile": ({}, "quantile"),
}
"""The regressors that can learn a quantile: what must be set for it, and the parameter that takes the level."""

MANAGED: Mapping[str, str] = {
    "random_state": "the seed is the plan's own field 'seed'",
    "n_jobs": "the number of processors is 'cpus' under 'resources'",
    "verbose": "progress is reported anyway",
    "warm_start": "every version is trained from the start",
}
"""Parameters of scikit-learn that the plan sets elsewhere, and where."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """One estimator that a plan can name; ``kind`` is classifier or regressor.

    ``input`` is what it is given: ``native`` takes missing values and categories itself, for ``plain`` missing
    values are filled and categories one-hot, ``scaled`` is plain with numbers of mean 0 and variance 1.
    ``parameters`` maps each hyperparameter to its rule (`noa_mlops.trainers.rules`).
    """

    name: str
    kind: str
    module: str
    class_name: str
    input: Literal["native", "plain", "scaled"]
    scales_target: bool
    parameters: Mapping[str, str]

    def most_categories(self, values: Mapping[str, Any]) -> int:
        """Codes that a category column may have, given the hyperparameters: a native estimator needs a bin for each."""
        return int(values.get("max_bins", BINS)) if self.input == "native" else MOST_CATEGORIES


@cache
def estimators(kind: str) -> Mapping[str, Estimator]:
    """The estimators of ``classifier`` or ``regressor``, by name, the default first."""
    text = resources.files(__package__).joinpath("estimators.toml").read_text("utf-8")
    return MappingProxyType({name: _estimator(name, kind, facts) for name, facts in tomllib.loads(text)[kind].items()})


def _estimator(name: str, kind: str, facts: Mapping[str, Any]) -> Estimator:
    module, _, class_name = str(facts["class"]).rpartition(".")
    return Estimator(
        name=name,
        kind=kind,
        module=module,
        class_name=class_name,
        input=facts["input"],
        scales_target=facts.get("target") == "scaled",
        parameters=MappingProxyType(facts["parameters"]),
    )
