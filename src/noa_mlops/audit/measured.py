"""A recorded measurement, metric by metric: value and interval against its threshold, improvement against what is asked.

The same functions of the gate that decided say here which of them was met, over the same record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.errors import LedgerTampered
from noa_mlops.gate import (
    against_champion,
    asked_of,
    comparison_recorded,
    error_at,
    error_of,
    estimates_recorded,
    held_against,
)
from noa_mlops.gate.finding import Finding
from noa_mlops.ledger import LedgerEntry
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import EvaluationLogged, decode
from noa_mlops.records.slices import Sliced, slice_name
from noa_mlops.records.thresholds import Threshold, read_thresholds
from noa_mlops.records.verdict import Estimate, Outcome


def measured_view(entry: LedgerEntry, thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from a measurement's record: ``look``, ``estimates``, ``champion`` and ``by_slice``.

    ``thresholds`` are those of the decision, those of a plan that was not decided on are empty. Every interval has two
    bounds, each wrong with the probability ``error`` that its look leaves; ``unbounded`` says why there is none. ``outcome``
    is what the gate says of that one number, None where nothing is asked of it. Raises `LedgerTampered` for an entry that
    no verifier wrote.
    """
    try:
        event = _measurement(entry)
        declared = {threshold.metric: threshold for threshold in read_thresholds(thresholds)}
        return {
            "look": event.look,
            "estimates": {
                name: _estimate(estimate, declared.get(name), event.look)
                for name, estimate in estimates_recorded(event).items()
            },
            "champion": _champion(comparison_recorded(event), declared, event.look),
            "by_slice": [_slices(column, sliced, event.look) for column, sliced in (event.slices or {}).items()],
        }
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise LedgerTampered(f"entry {entry.seq} is no measurement that a verifier wrote ({error!r:.200})") from error


def _measurement(entry: LedgerEntry) -> EvaluationLogged:
    event = decode(parse_object(entry.line, limit=len(entry.line)))
    if not isinstance(event, EvaluationLogged):
        raise TypeError(f"it is {entry.type}")
    return event


def _estimate(estimate: Estimate, threshold: Threshold | None, look: int) -> dict[str, Any]:
    confidence = None if threshold is None else threshold.confidence
    error = error_at(look) if confidence is None else error_of(confidence, look)
    outcome = None if threshold is None else _outcome(held_against(threshold, estimate, look))
    return {**_bounded(estimate, error), "outcome": outcome}


def _bounded(estimate: Estimate, error: float) -> dict[str, Any]:
    bounds = estimate.bounds(error)
    return {
        "value": estimate.value,
        "interval": None if bounds is None else list(bounds),
        "error": error,
        "unbounded": estimate.unbounded,
    }


def _champion(comparison: Comparison | None, declared: Mapping[str, Threshold], look: int) -> dict[str, Any] | None:
    """The improvement over the champion in each metric, and what is asked of it."""
    if comparison is None:
        return None
    return {
        "version": comparison.champion,
        "unavailable": comparison.unavailable,
        "identical": comparison.identical,
        "improvements": {
            name: {
                "champion": comparison.metrics.get(name),
                **_bounded(improvement, error_at(look)),
                **_asked(name, comparison, declared.get(name), look),
            }
            for name, improvement in comparison.improvements.items()
        },
    }


def _asked(name: str, comparison: Comparison, threshold: Threshold | None, look: int) -> dict[str, Any]:
    value = comparison.metrics.get(name)
    if threshold is None or not threshold.compares or value is None:
        return {"rule": None, "limit": None, "outcome": None}
    asked = asked_of(threshold, value)
    outcome = _outcome(against_champion(threshold, comparison, look))
    return {"rule": asked.rule, "limit": asked.limit, "outcome": outcome}


def _slices(column: str, document: Mapping[str, Any], look: int) -> dict[str, Any]:
    """The slices by one column, in the words of messages."""
    sliced = Sliced.from_document(document)
    return {
        "column": column,
        "slices": [slice_name(column, value) for value in sliced.values],
        "rows": list(sliced.rows),
        "metrics": {name: [_bounded(one, error_at(look)) for one in cells] for name, cells in sliced.metrics.items()},
    }


def _outcome(found: Finding) -> Outcome:
    return "fail" if found.violation is not None else "inconclusive" if found.unsure is not None else "pass"
