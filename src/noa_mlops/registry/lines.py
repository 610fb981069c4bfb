"""The form of a mirror line: fields people read, and the ledger line itself, from which they all follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.records.documents import compact, parse_object
from noa_mlops.records.events import DECISION, LedgerLine

MIRRORED = frozenset(
    {
        "Genesis",
        "EvaluationLogged",
        "PromotionReady",
        "DriftScanned",
        "Investigated",
        "RolloutEnabled",
        "Overridden",
        "RolledBack",
        "Deployed",
        "Redacted",
        "PolicyChanged",
    }
)
"""Entry types that decide or measure."""

CAPABILITY = "ml.lifecycle.controller"
"""The capability in whose name every line is written."""

MAX_LINE = 1 << 18
"""Longest mirror line, in bytes: a ledger line of 65,535 escaped bytes and its readable fields."""


def project(entry: LedgerLine) -> bytes:
    """The mirror line of a ledger entry, without its newline; the same entry always gives the same bytes."""
    statement = parse_object(entry.line, limit=MAX_LINE)
    header, predicate = statement["noa_entry"], statement["predicate"]
    decision = predicate.get(DECISION, {})
    fields: dict[str, Any] = {
        "capability": CAPABILITY,
        "type": header["type"],
        "artifact": _artifact(statement, decision),
        "metrics": decision.get("metrics", predicate.get("metrics")),
        "thresholds": decision.get("thresholds"),
        "decision": _decision(header, decision),
        "rollout": _rollout(entry) if "lifecycle_id" in header else None,
        "timestamp": header["ts"],
        "line": entry.line.decode(),
    }
    return compact({name: value for name, value in fields.items() if value is not None})


def position(line: bytes) -> int | None:
    """The ledger index that a mirror line says it has; None for a line of another form."""
    try:
        text = parse_object(line, limit=MAX_LINE)["line"]
        seq = parse_object(text.encode(), limit=MAX_LINE)["noa_entry"]["seq"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return seq if type(seq) is int and seq >= 0 else None


def _artifact(statement: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any] | None:
    header = statement["noa_entry"]
    if header.get("version") is None:
        return None
    fields = {
        "path": decision.get("artifact", statement["predicate"].get("artifact")),
        "checksum": statement["subject"][0]["digest"]["sha256"],
        "lifecycle_id": header["lifecycle_id"],
        "profile": decision.get("profile", statement["predicate"].get("profile")),
        "version": header["version"],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _rollout(entry: LedgerLine) -> dict[str, Any]:
    """What may be rolled out after a line; with ``until``, only before that time, by an override."""
    rollout: dict[str, Any] = {"champion": entry.champion, "status": entry.status}
    return rollout if entry.until is None else rollout | {"until": entry.until}


def _decision(header: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any] | None:
    if "status" not in header:
        return None
    return {
        "status": header["status"],
        "verdict": decision.get("verdict"),
        "reasons": list(decision.get("reasons", ())),
    }
