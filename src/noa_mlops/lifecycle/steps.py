"""What comes next. The whole way of a version is this one function over its recorded history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from noa_mlops.records.events import (
    EvaluationFailed,
    EvaluationLogged,
    PromotionReady,
    Recorded,
    Submitted,
    TrainingCompleted,
    TrainingFailed,
)


@dataclass(frozen=True, slots=True)
class Train:
    """Run the trainer in its workspace."""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Predict without labels, then measure with them."""

    trained: TrainingCompleted


@dataclass(frozen=True, slots=True)
class Decide:
    """Judge the measurements and append the decision; ``measured`` is None when the plan declares no data."""

    trained: TrainingCompleted
    measured: EvaluationLogged | None


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do; ``last`` says how it ended."""

    last: TrainingFailed | EvaluationFailed | PromotionReady


Step: TypeAlias = Train | Evaluate | Decide | Done


def next_step(history: Sequence[Recorded], *, evaluated: bool) -> Step:
    """What to do after ``history``, the entries of one version in order, the first being Submitted.

    ``evaluated`` says whether the plan names evaluation data. Resuming after a crash asks the same question.
    """
    match history[-1]:
        case Submitted():
            return Train()
        case TrainingCompleted() as trained:
            return Evaluate(trained) if evaluated else Decide(trained, None)
        case EvaluationLogged() as measured:
            return Decide(_trained(history), measured)
        case TrainingFailed() | EvaluationFailed() | PromotionReady() as last:
            return Done(last)
        case never:
            assert_never(never)


def _trained(history: Sequence[Recorded]) -> TrainingCompleted:
    """The entry that names the bytes; `admit` lets no measurement stand without one."""
    return next(event for event in reversed(history) if isinstance(event, TrainingCompleted))
