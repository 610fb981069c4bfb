"""The decision: a verdict, together with what the plan says about its gate and where the rollout stands."""

from __future__ import annotations

from typing import Literal, TypeAlias

from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.verdict import Decision, Reason, Status, Verdict

Gate: TypeAlias = Literal["declared", "none", "absent"]
"""What a plan says about its gate: thresholds; expressly none, with a reason; or nothing at all."""


def decide(
    verdict: Verdict, *, gate: Gate, rollout: Status = "ready", compared: bool = True, asked: ApprovalRule | None = None
) -> Decision:
    """Whether the challenger becomes the champion now.

    A failed verdict blocks whatever else holds. A passed one is held while the rollout is blocked, and until as many
    people have enabled it as its plan has ``asked`` for. A plan that declared no gate on purpose is ready without a
    verdict and marked so for good; one that is silent is blocked. ``compared`` is false when there is a champion that could
    not be measured beside the challenger: one that passes is held then, for somebody to look. Raises `ValueError` for
    words that are not known.
    """
    if gate not in ("declared", "none", "absent"):
        raise ValueError(f"{gate!r} says nothing about a gate")
    if rollout not in ("ready", "blocked"):
        raise ValueError(f"{rollout!r} is no state of a rollout")
    if verdict.outcome == "fail":
        return Decision("blocked", verdict, _against(verdict))
    if gate == "absent":
        return Decision("blocked", verdict, ("no_gate",))
    if gate == "declared" and verdict.outcome == "inconclusive":
        return Decision("blocked", verdict, ("inconclusive",))
    ungated: tuple[Reason, ...] = ("no_gate",) if gate == "none" else ()
    held = _held_by(rollout, compared=compared or gate == "none", asked=asked)
    return Decision("blocked" if held else "ready", verdict, (*ungated, *held), asked if held else None)


def _held_by(rollout: Status, *, compared: bool, asked: ApprovalRule | None) -> tuple[Reason, ...]:
    """Why a version that nothing speaks against waits for people."""
    drift: tuple[Reason, ...] = ("drift",) if rollout == "blocked" else ()
    champion: tuple[Reason, ...] = () if compared or drift else ("champion",)
    approval: tuple[Reason, ...] = ("approval",) if champion or asked is not None else ()
    return (*drift, *champion, *approval)


def _against(verdict: Verdict) -> tuple[Reason, ...]:
    """What a failed verdict failed by, each once."""
    broken: tuple[Reason, ...] = tuple(dict.fromkeys(violation.rule for violation in verdict.violations))
    unclean: tuple[Reason, ...] = () if verdict.unclean is None else ("hygiene",)
    return unclean + broken or ("threshold",)
