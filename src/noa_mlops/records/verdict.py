"""What was measured and what follows from it: estimates, the verdict of the gate, the decision.

These records stand in ledger lines, so each has a JSON form. A number that does not exist is None and carries
the reason; NaN and infinities cannot be held at all. Emptiness is not success: a verdict that passes has
nothing against it, every other says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.metrics import Task
from noa_mlops.records.quantiles import plain_number
from noa_mlops.records.spread import Spread, read_spread

if TYPE_CHECKING:
    from noa_mlops.records.plan import Threshold

Outcome: TypeAlias = Literal["pass", "fail", "inconclusive"]
"""The words of a verdict."""

Status: TypeAlias = Literal["ready", "blocked"]
"""The words of a decision, and of the rollout of a lifecycle."""

Reason: TypeAlias = Literal["threshold", "champion", "hygiene", "inconclusive", "drift", "approval", "no_gate"]
"""Why a decision is what it is."""

ClassLabel: TypeAlias = int | bool | str
"""One class of a classification target."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric as measured over ``rows`` rows; ``value`` is None when it could not be computed, ``reason`` says why.

    ``spread`` says how sure the value is; None: nothing is known about that. Raises `ValueError` for a value that is not
    finite, for a value and a reason together or neither, and for a spread without a value.
    """

    value: float | None
    rows: int
    reason: str | None = None
    spread: Spread | None = None

    def __post_init__(self) -> None:
        if self.value is None and self.spread is not None:
            raise ValueError("what has no value has no spread")
        if (self.value is None) == (self.reason is None):
            raise ValueError("an estimate has either a value or the reason why there is none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a measurement; give None and the reason")

    @classmethod
    def of(cls, value: float, rows: int) -> Estimate:
        """An estimate of a computed value; one that is not finite becomes None with that reason."""
        number = float(value)
        if math.isfinite(number):
            return cls(number, rows)
        return cls(None, rows, "the result is not a finite number")

    def to_document(self) -> dict[str, Any]:
        """JSON form: ``value`` and ``rows``, and ``reason`` when there is no value."""
        value = None if self.value is None else plain_number(self.value)
        document: dict[str, Any] = {"value": value, "rows": self.rows}
        if self.reason is not None:
            document["reason"] = self.reason
        if self.spread is not None:
            document["spread"] = self.spread.to_document()
        return document

    def bounds(self, error: float) -> tuple[float, float] | None:
        """One-sided bounds, each wrong with probability ``error``; together an interval wrong with twice that.

        None when nothing can be bounded; `unbounded` says why.
        """
        if self.value is None or self.spread is None or self.spread.problem is not None:
            return None
        return self.value - self.spread.below(error), self.value + self.spread.above(error)

    @property
    def unbounded(self) -> str | None:
        """Why there are no bounds; None when there are."""
        if self.value is None:
            return f"was not measured: {self.reason}"
        return "has no spread" if self.spread is None else self.spread.problem

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Estimate:
        """The estimate that `to_document` wrote. Raises `ValueError` for anything else."""
        value, rows, reason = document.get("value"), document.get("rows"), document.get("reason")
        number, spread = value is None or type(value) in (int, float), document.get("spread")
        if not (number and type(rows) is int and isinstance(reason, str | None) and isinstance(spread, Mapping | None)):
            raise ValueError(f"{dict(document)!r:.80} is not an estimate")
        known = None if spread is None else read_spread(spread)
        return cls(None if value is None else float(value), rows, reason, known)


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What the verifier measured; it alone saw predictions and labels together.

    ``rows`` counts the rows with a label, the ones that were measured; ``missing_labels`` the others.
    ``unseen_labels`` counts rows whose class did not occur in training. ``classes`` is the class list of the
    model, in its order, None for regression; ``positive`` the class that precision, recall and F1 speak of,
    None unless there are two. ``decision_threshold`` is the probability from which a row counts as positive.
    """

    metrics: Mapping[str, Estimate]
    rows: int
    missing_predictions: int
    unseen_labels: int
    task: Task
    classes: tuple[ClassLabel, ...] | None
    positive: ClassLabel | None
    missing_labels: int = 0
    decision_threshold: float | None = None

    def to_document(self) -> dict[str, Any]:
        """JSON form, every metric by its name."""
        return {
            "task": self.task,
            "metrics": {name: estimate.to_document() for name, estimate in self.metrics.items()},
            "rows": self.rows,
            "missing_predictions": self.missing_predictions,
            "missing_labels": self.missing_labels,
            "unseen_labels": self.unseen_labels,
            "classes": None if self.classes is None else list(self.classes),
            "positive": self.positive,
            "decision_threshold": self.decision_threshold,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EvaluationReport:
        """The report that `to_document` wrote. Raises `KeyError` or `ValueError` for anything else."""
        metrics = {name: Estimate.from_document(value) for name, value in document["metrics"].items()}
        classes = document["classes"]
        return cls(
            metrics=metrics,
            rows=document["rows"],
            missing_predictions=document["missing_predictions"],
            unseen_labels=document["unseen_labels"],
            task=document["task"],
            classes=None if classes is None else tuple(classes),
            positive=document["positive"],
            missing_labels=document["missing_labels"],
            decision_threshold=document["decision_threshold"],
        )


@dataclass(frozen=True, slots=True)
class Violation:
    """One threshold that was not met; ``value`` is None when there was no number to hold against it.

    ``rule`` says by what: the threshold itself, or the comparison with the champion in its metric.
    """

    threshold: Threshold
    value: float | None
    reason: str
    rule: Literal["threshold", "champion"] = "threshold"

    def __str__(self) -> str:
        return f"{self.threshold}: {self.reason}"

    def to_document(self) -> dict[str, Any]:
        """JSON form: the metric, what its threshold says, the value, the reason, and the rule unless it is the threshold."""
        document = {"metric": self.threshold.metric, **self.threshold.spelled_out(), "value": self.value}
        document["reason"] = self.reason
        return document if self.rule == "threshold" else document | {"rule": self.rule}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer over measurements, with everything that speaks against the challenger.

    ``reasons`` say what could not be known, ``unclean`` why the data proves nothing, None when nothing is wrong with it;
    ``notes`` what could not be known and decides nothing, because the plan says so.
    Raises `ValueError` for a pass that has something against it, and for a fail or an inconclusive without a
    reason.
    """

    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    reasons: tuple[str, ...] = ()
    unclean: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.unclean is not None and self.outcome != "fail":
            raise ValueError("what was measured on unclean data fails")
        if self.outcome not in ("pass", "fail", "inconclusive"):
            raise ValueError(f"{self.outcome!r} is no verdict")
        if (self.outcome == "pass") == bool(self.against or self.violations):
            raise ValueError("a verdict passes when nothing is against it, else it says what is")
        if self.outcome == "inconclusive" and self.violations:
            raise ValueError("a violated threshold is a fail")

    @property
    def against(self) -> tuple[str, ...]:
        """What is against the challenger beside its violations, in sentences."""
        return self.reasons if self.unclean is None else (self.unclean, *self.reasons)

    @property
    def promotes(self) -> bool:
        """Whether the measurements allow promotion: nothing but a pass does."""
        return self.outcome == "pass"

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "verdict": self.outcome,
            "violations": [violation.to_document() for violation in self.violations],
            "reasons": [*self.against, *self.notes],
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict together with the state of the rollout: may this challenger become the champion now?

    ``asked`` is what people must do before a held one does, None when its plan asks for nothing of its own. Raises
    `ValueError` for a ready decision on a verdict that does not pass, unless the plan declared that there is no gate, and
    for a blocked one without a reason.
    """

    status: Status
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    asked: ApprovalRule | None = None

    def __post_init__(self) -> None:
        if self.status not in ("ready", "blocked"):
            raise ValueError(f"{self.status!r} is no decision")
        if self.status == "blocked" and not self.reasons:
            raise ValueError("a blocked decision says why")
        if self.status == "ready" and not self._may_be_ready():
            raise ValueError("a verdict that does not pass is not ready")

    def _may_be_ready(self) -> bool:
        return self.verdict.promotes or (self.verdict.outcome == "inconclusive" and self.reasons == ("no_gate",))

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes the champion."""
        return self.status == "ready"

    @property
    def admissible(self) -> bool:
        """Whether the challenger is the champion now, or may be by people's word alone."""
        return self.promotes or self.verdict.promotes or not {"drift", "approval"}.isdisjoint(self.reasons)

    def to_document(self) -> dict[str, Any]:
        """JSON form: the verdict's outcome, the status, and the reasons of the decision and of the verdict."""
        return {
            "verdict": self.verdict.outcome,
            "status": self.status,
            "reasons": list(self.reasons),
            "violations": [violation.to_document() for violation in self.verdict.violations],
            "notes": [*self.verdict.against, *self.verdict.notes],
            **({} if self.asked is None else {"approvals": self.asked.to_document()}),
        }
