"""The verdict from the record alone: what an EvaluationLogged entry says is all that was ever judged.

The run that decides and whoever computes the verdict again years later call the same function on the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from noa_mlops.gate.championship import compares
from noa_mlops.gate.decision import decide
from noa_mlops.gate.declared import declared_gate
from noa_mlops.gate.decline import proven_with, stricter
from noa_mlops.gate.judgement import judge
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.events import EvaluationLogged
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.proven import NOTHING_PROVEN, Proven
from noa_mlops.records.slices import Sliced, Slicing
from noa_mlops.records.spread import read_spread
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Decision, Estimate, Status, Verdict

if TYPE_CHECKING:
    from noa_mlops.records.plan import TrainingPlan


def judge_recorded(
    thresholds: Iterable[Threshold],
    measured: EvaluationLogged | None,
    champion: int | None,
    proven: Proven = NOTHING_PROVEN,
) -> Verdict:
    """The verdict over a recorded measurement; ``champion`` is the version in force when it is decided, ``proven`` what holds then.

    ``measured`` is None when nothing was measured. A measurement beside another champion than that, or none, cannot say that the challenger may replace it. Raises
    `ValueError` or `KeyError` for a record that no verifier wrote.
    """
    declared = tuple(thresholds)
    if measured is None:
        return judge(declared, {})
    verdict = _judged(declared, measured, champion, proven)
    seen = None if measured.overlap is None else Overlap.from_document(measured.overlap)
    if not declared or seen is None or not seen.leaks:
        return verdict
    return replace(verdict, outcome="fail", unclean=f"the evaluation data proves nothing: {seen}")


def again_judged(
    thresholds: Iterable[Threshold],
    measured: EvaluationLogged,
    champion: int | None,
    proven: Proven = NOTHING_PROVEN,
) -> Verdict:
    """Like `judge_recorded`, of a version that was decided on before: the champion itself stands beside nobody."""
    return judge_recorded(thresholds, measured, None if champion == measured.version else champion, proven)


def must_compare_again(
    thresholds: Iterable[Threshold], measured: EvaluationLogged | None, champion: int | None
) -> bool:
    """Whether nothing is against a recorded measurement but that it stands beside another champion than the one in force."""
    declared = tuple(thresholds)
    if measured is None or not compares(declared) or _beside(measured) == champion:
        return False
    return judge_recorded(declared, measured, champion).outcome == "inconclusive"


def _beside(measured: EvaluationLogged) -> int | None:
    comparison = comparison_recorded(measured)
    return None if comparison is None else comparison.champion


def proven_recorded(
    thresholds: Iterable[Threshold], measured: EvaluationLogged | None, before: Proven, *, anew: bool
) -> Proven:
    """The proven gains that hold once a version that passed by a recorded measurement is the champion.

    ``anew`` when it is the first one, or is enabled after drift: what held ``before`` does not count then.
    """
    held = NOTHING_PROVEN if anew else before
    if measured is None:
        return held
    comparison = None if anew else comparison_recorded(measured)
    if comparison is None and not anew:
        return held
    new = proven_with(
        thresholds, estimates_recorded(measured), comparison, version=measured.version, look=measured.look
    )
    return stricter(held, new)


def _judged(
    declared: tuple[Threshold, ...], measured: EvaluationLogged, champion: int | None, proven: Proven
) -> Verdict:
    metrics, comparison = estimates_recorded(measured), comparison_recorded(measured)
    beside = None if comparison is None else comparison.champion
    judged = partial(judge, declared, metrics, look=measured.look, slicing=_slicing(measured), proven=proven)
    if not compares(declared) or beside == champion:
        return judged(comparison)
    alone = judged()
    if alone.outcome == "fail":
        return alone
    now = "there is none now" if champion is None else f"it is @{champion} now"
    changed = f"the champion changed while this was measured, {now}: run the plan again"
    return replace(alone, outcome="inconclusive", reasons=(*alone.reasons, changed))


def decide_recorded(
    plan: TrainingPlan,
    verdict: Verdict,
    measured: EvaluationLogged | None,
    rollout: Status,
    submitter: Sequence[str] = (),
) -> Decision:
    """What follows from a verdict over a recorded measurement, by the plan, where the rollout stood and who submitted."""
    asked = None if plan.approvals is None else plan.approvals.asked(submitter)
    silent = measured is not None and measured.champion is not None and measured.champion["unavailable"] is not None
    return decide(verdict, gate=declared_gate(plan), rollout=rollout, compared=not silent, asked=asked)


def _slicing(measured: EvaluationLogged) -> Slicing:
    """The slices of a measurement; none in entries of older versions."""
    by = {column: Sliced.from_document(sliced) for column, sliced in (measured.slices or {}).items()}
    return Slicing(by, grouped=measured.group_by is not None)


def comparison_recorded(measured: EvaluationLogged) -> Comparison | None:
    """The comparison with the champion in a recorded measurement; None when there was none."""
    return None if measured.champion is None else Comparison.from_document(measured.champion)


def estimates_recorded(measured: EvaluationLogged) -> dict[str, Estimate]:
    """Every metric of a recorded measurement with its spread. Raises `ValueError` for a record that no verifier wrote."""
    return {name: _estimate(measured, name, value) for name, value in measured.metrics.items()}


def _estimate(measured: EvaluationLogged, name: str, value: float | None) -> Estimate:
    if value is None:
        return Estimate(None, measured.rows, measured.not_computed.get(name, "no value"))
    spread = measured.spreads.get(name)
    return Estimate(value, measured.rows, spread=None if spread is None else read_spread(spread))
