"""A search, checked before anything runs, and the rows that its trials have.

The rows to compare on are split off the training data, in the way that the evaluation rows were: the latest ones, whole
groups, or some of every class. The evaluation data has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from noa_mlops.agents import AgentProfile
from noa_mlops.datasets import Dataset, Parts, split
from noa_mlops.errors import PlanInvalid
from noa_mlops.lifecycle.objective import Objective
from noa_mlops.records.documents import compact
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.search import Search
from noa_mlops.records.split import Split
from noa_mlops.trainers.hyperparameters import check_hyperparameters

SHARE = 0.2
"""Share of the training rows that trials are compared on."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What is searched for, and on which rows: ``parts.train`` to learn from, ``parts.evaluation`` to compare on."""

    search: Search
    parts: Parts


def trials_of(plan: TrainingPlan, profile: AgentProfile, train: Dataset, target: str, aim: Objective) -> Trials | None:
    """The trials that the plan asks for, None when it asks for none. Raises `PlanInvalid`, `DatasetInvalid`."""
    if plan.search is None:
        return None
    if profile.name == "import":
        raise PlanInvalid("search: a model that was made elsewhere has nothing to search for")
    if find_spec("optuna") is None:
        raise PlanInvalid(
            "search: the package optuna is not installed here", hint="Install it: pip install 'noa-mlops[search]'."
        )
    _check_metric(plan, plan.search, aim)
    for corner in plan.search.corners():
        if wrong := check_hyperparameters(profile.name, {**plan.hyperparameters, **corner}):
            raise PlanInvalid(
                f"search.space: a trial with {compact(corner).decode()[:200]} would be refused: {'; '.join(wrong)}"
            )
    return Trials(plan.search, split(train, _split(plan, train), target))


def _check_metric(plan: TrainingPlan, search: Search, aim: Objective) -> None:
    metric = METRICS[search.metric]
    if metric.task != aim.task:
        raise PlanInvalid(f"search.metric: {metric.name} measures {metric.task}, but this is {aim.task}")
    if metric.binary_only and len(aim.classes or ()) != 2:
        raise PlanInvalid(f"search.metric: {metric.name} is defined for two classes, not {len(aim.classes or ())}")
    if metric.needs == "quantiles" and not plan.quantiles:
        raise PlanInvalid(f"search.metric: {metric.name} measures quantiles, and the plan asks for none")


def _split(plan: TrainingPlan, train: Dataset) -> Split:
    """As the evaluation rows were split off; from data of its own: by group where the definition declares one."""
    held = plan.evaluation.split if plan.evaluation is not None else None
    if held is not None and held.by is not None:
        return Split(by=held.by, last=SHARE)
    group = held.by_group if held is not None else train.definition.group
    return Split(by_group=group, share=SHARE, seed=plan.seed)
