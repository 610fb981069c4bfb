"""What to try next: Optuna's sampler and pruner, asked in a way that makes a search repeatable.

A proposal is a function of the search, the plan's seed and the trials it may know of, nothing else: a search that was cut
off goes on with the trials that it would have had. Sampler: tree-structured Parzen estimators (Bergstra et al. 2011),
after ten random draws; pruner: worse than the median of the others at that step (Golovin et al. 2017), after five trials.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from noa_mlops.records.documents import Json
from noa_mlops.records.search import Search, Trial

DIGITS = 6
"""Significant digits of a proposed number, so that it is the same on every machine."""

TRIES = 20
"""How often a proposal that was there before is asked for anew; a small space has no others left some time."""

MOST_STEPS = 10_000
"""Steps of one trial that are compared; what it reports after them is passed over."""


@dataclass(slots=True)
class Proposal:
    """Hyperparameters to try, and the trials known when they were proposed, which it is held against while it runs."""

    hyperparameters: Mapping[str, Json]
    curve: dict[int, float] = field(default_factory=dict)
    _asked: optuna.Trial | None = None

    def note(self, step: int, value: float) -> None:
        """Take the metric at a step as the trainer reports it; only the first report of a step counts."""
        if self._asked is not None and step not in self.curve and len(self.curve) < MOST_STEPS:
            self.curve[step] = value
            self._asked.report(value, step)

    @property
    def is_behind(self) -> bool:
        """Whether the best so far is worse than half of the others were at the last step noted."""
        return self._asked is not None and bool(self.curve) and self._asked.should_prune()


class Proposer:
    """Proposes the trials of one search."""

    def __init__(self, search: Search, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search = search
        self._seed = seed
        self._space: dict[str, BaseDistribution] = {
            name: _distribution(search.space[name]) for name in sorted(search.space)
        }

    def propose(self, number: int, known: Sequence[Trial], waiting: Sequence[Mapping[str, Json]]) -> Proposal:
        """Trial ``number`` (from 1), after the results ``known``; ``waiting`` are tried now, so other ones are wanted."""
        study = self._study(number, known)
        for hyperparameters in waiting:
            study.add_trial(self._trial(hyperparameters, state=TrialState.RUNNING))
        seen = [*(dict(trial.hyperparameters) for trial in known), *map(dict, waiting)]
        for _ in range(TRIES):
            asked = study.ask(self._space)
            if (proposed := self._proposed(asked.params)) not in seen:
                break
        return Proposal(proposed, _asked=asked)

    def importance(self, trials: Sequence[Trial]) -> dict[str, float]:
        """The share of the differences between trials that each hyperparameter accounts for; empty when nothing can be told.

        By PED-ANOVA (Watanabe et al. 2023), which needs no model of its own.
        """
        if sum(trial.value is not None for trial in trials) < 4 or len(self._space) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        try:
            with warnings.catch_warnings(action="ignore"):  # a hint that all trials are much alike
                found = optuna.importance.get_param_importances(self._study(0, trials), evaluator=evaluator)
        except (ValueError, RuntimeError):  # all values alike
            return {}
        return {name: round(float(share), DIGITS) for name, share in found.items()}

    def _study(self, number: int, known: Sequence[Trial]) -> optuna.Study:
        mixed = hashlib.sha256(f"{self._seed}:{number}".encode()).digest()
        study = optuna.create_study(
            direction="maximize" if self._search.higher_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(seed=int.from_bytes(mixed[:4], "big"), constant_liar=True),
            pruner=optuna.pruners.MedianPruner(),
        )
        for trial in known:
            study.add_trial(self._told(trial))
        return study

    def _told(self, trial: Trial) -> optuna.trial.FrozenTrial:
        curve = dict(trial.curve)
        if trial.value is not None:
            return self._trial(trial.hyperparameters, value=trial.value, intermediate_values=curve)
        state = TrialState.FAIL if trial.pruned_at is None else TrialState.PRUNED
        return self._trial(trial.hyperparameters, state=state, intermediate_values=curve)

    def _trial(self, hyperparameters: Mapping[str, Json], **told: Any) -> optuna.trial.FrozenTrial:
        params = {name: self._place(name, hyperparameters[name]) for name in self._space}
        return optuna.trial.create_trial(params=params, distributions=self._space, **told)

    def _place(self, name: str, value: Json) -> Any:
        """A value as the sampler knows it: one of a list by its place, since a value may be anything."""
        values = self._search.space[name]
        if not isinstance(values, Sequence):
            return value
        return next(place for place, listed in enumerate(values) if listed == value and type(listed) is type(value))

    def _proposed(self, params: Mapping[str, Any]) -> dict[str, Json]:
        return {name: _value(self._search.space[name], params[name]) for name in self._space}


def _distribution(values: Any) -> BaseDistribution:
    if isinstance(values, Sequence):
        return CategoricalDistribution(range(len(values)))
    low, high, log = values["low"], values["high"], bool(values.get("log"))
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _value(values: Any, drawn: Any) -> Json:
    if isinstance(values, Sequence):
        chosen: Json = values[drawn]
        return chosen
    if isinstance(drawn, int):
        return drawn
    return min(max(float(f"{drawn:.{DIGITS}g}"), float(values["low"])), float(values["high"]))
