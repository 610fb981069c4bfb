"""``noa verify --decisions``: every past decision, computed again from what was recorded before it.

Plan, measurement, the champion in force and the rollout are all that was ever judged, and all of it stands in the
ledger and its objects. So a statistic that was edited afterwards shows, even when whoever did it held the runtime's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from noa_mlops.audit.scans_again import scan_differences
from noa_mlops.errors import LedgerTampered, PlanInvalid
from noa_mlops.gate import (
    again_judged,
    decide_recorded,
    judge_recorded,
    proven_recorded,
    threshold_document,
    thresholds,
)
from noa_mlops.ledger import LedgerEntry, LedgerState, LifecycleState, get_object
from noa_mlops.records.documents import canonical
from noa_mlops.records.events import DECISION, EvaluationLogged, LifecycleEvent, PromotionReady, Submitted
from noa_mlops.records.floors import Floors
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.proven import proven_document


@dataclass(slots=True)
class _Grounds:
    """What a version's decision will rest on, as far as the ledger was read; ``lines`` are digests."""

    plan: str = ""
    submitter: Sequence[str] = ()
    floors: Floors | None = None
    measured: EvaluationLogged | None = None
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """Takes the ledger entry by entry and holds each decision against what it rests on.

    ``recomputed`` counts the decisions whose plan is there; ``without_plan`` has, for each of the others, its entry
    and the plan's digest. Only versions that have no decision yet are kept.
    """

    layout: Layout
    recomputed: int = 0
    without_plan: dict[int, tuple[str, str]] = field(default_factory=dict)
    _open: dict[tuple[str, int], _Grounds] = field(default_factory=dict)

    def take(
        self, event: LifecycleEvent, entry: LedgerEntry, statement: Mapping[str, Any], state: LedgerState
    ) -> Iterator[str]:
        """Why a decision does not follow from its grounds, one reason for each member; nothing for other entries.

        ``state`` is the ledger as it stood before the entry.
        """
        before = state.lifecycle(event.lifecycle_id)
        place = (event.lifecycle_id, event.version)
        if entry.type == "DriftScanned":  # told as a decision when it blocks, but the law decides that by itself
            yield from scan_differences(self.layout, statement["predicate"])
            return
        if isinstance(event, PromotionReady):
            yield from self._compare(event, statement["predicate"], self._open.pop(place, _Grounds()), before)
            return
        if isinstance(event, EvaluationLogged) and event.verdict is not None:
            yield from self._judge_again(event, event.verdict, before)
            return
        grounds = self._open.setdefault(place, _Grounds())
        grounds.lines.append(entry.digest)
        if isinstance(event, Submitted):
            grounds.plan, grounds.submitter = event.plan_digest, event.submitter
            grounds.floors = None if state.policy is None else state.policy.lifecycles.get(event.lifecycle_id)
        elif isinstance(event, EvaluationLogged):
            grounds.measured = event

    def notes(self, redacted: frozenset[str]) -> Iterator[str]:
        """Which decisions could not be computed again, and why."""
        for seq, (version, plan) in self.without_plan.items():
            why = "was redacted" if plan in redacted else "cannot be read"
            yield f"The decision on {version} (entry {seq}) cannot be computed again: its plan {plan[:16]} {why}."

    def _compare(
        self, event: PromotionReady, predicate: Mapping[str, Any], grounds: _Grounds, before: LifecycleState
    ) -> Iterator[str]:
        if [line["digest"]["sha256"] for line in predicate["inputAttestations"]] != grounds.lines:
            yield "its decision rests on other entries of this version than those that stand before it"
        yield from self._recompute(
            event,
            grounds.plan,
            lambda plan: _expected(plan, grounds, before),
            predicate[DECISION],
            grounds.floors,
        )

    def _judge_again(
        self, event: EvaluationLogged, recorded: Mapping[str, Any], before: LifecycleState
    ) -> Iterator[str]:
        """Hold the verdict that a measurement after the decision records against what it measured."""
        yield from self._recompute(
            event,
            str(recorded.get("plan")),
            lambda plan: again_judged(thresholds(plan), event, before.champion, before.proven).to_document(),
            recorded,
        )

    def _recompute(
        self,
        event: LifecycleEvent,
        plan_digest: str,
        expected: Callable[[TrainingPlan], Mapping[str, Any]],
        recorded: Mapping[str, Any],
        floors: Floors | None = None,
    ) -> Iterator[str]:
        """What is recorded otherwise than it follows from the plan of that digest, and where that is looser than its floors."""
        try:
            plan = TrainingPlan.parse(get_object(self.layout.objects, plan_digest), "plan.json")
        except LedgerTampered:
            self.without_plan[event.seq or 0] = (address(event.lifecycle_id, event.version), plan_digest)
            return
        except PlanInvalid as error:
            yield f"its decision cannot be computed again: the plan that was submitted is none ({error})"
            return
        self.recomputed += 1
        for fault in () if floors is None else floors.faults(plan):
            yield f"its plan is looser than the policy allowed when it was submitted: {fault}"
        try:
            follows = expected(plan)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            yield f"its decision cannot be computed again: no verifier wrote this measurement ({error!r:.200})"
            return
        yield from _differences(follows, recorded)


def _expected(plan: TrainingPlan, grounds: _Grounds, before: LifecycleState) -> Mapping[str, Any]:
    """The members of a recorded decision that follow from its grounds."""
    measured = grounds.measured
    verdict = judge_recorded(thresholds(plan), measured, before.champion, before.proven)
    decision = decide_recorded(plan, verdict, measured, before.admits, grounds.submitter)
    metrics = dict(measured.metrics) if measured is not None else {}
    expected = {"approvals": None, **decision.to_document(), "metrics": metrics, "thresholds": threshold_document(plan)}
    if before.proven or (
        measured is not None and measured.slices is not None
    ):  # else an older version may have decided
        proven = proven_recorded(thresholds(plan), measured, before.proven, anew=before.begins_anew)
        expected["proven"] = proven_document(proven)
    return expected


def _differences(expected: Mapping[str, Any], recorded: Mapping[str, Any]) -> Iterator[str]:
    """What is recorded otherwise; the order of a list says nothing, as it follows that of the plan as it was written."""
    for name, value in expected.items():
        said = recorded.get(name)
        if _unordered(said) != _unordered(value):
            yield f"its decision says {name} {said!r:.300}, but from what was recorded before it follows {value!r:.300}"


def _unordered(value: Any) -> Any:
    return sorted(value, key=canonical) if isinstance(value, list) else value
