"""Rollouts that are blocked, and how far the way out has been gone."""

from __future__ import annotations

from collections.abc import Iterator

from noa_mlops.audit.findings import Diagnosis
from noa_mlops.ledger import LedgerReader, LifecycleState
from noa_mlops.records.layout import address


def diagnose_incidents(ledger: LedgerReader) -> Iterator[Diagnosis]:
    """Each open incident, and the next command of the procedure."""
    for name, lifecycle in ledger.state.lifecycles.items():
        incident = lifecycle.incident
        if incident is None:
            continue
        entry = ledger.entry(incident.seq)
        scanned = entry.predicate["dataset"]["path"]
        what = f"{name} is blocked since entry {incident.seq} ({entry.ts}): {scanned} drifted"
        yield Diagnosis("rollout", what, _next(name, lifecycle))


def _next(name: str, lifecycle: LifecycleState) -> str:
    incident = lifecycle.incident
    if incident is None or incident.investigated is None:
        return f'noa diff {name}, then: noa investigate {name} --finding "..."'
    ready = [
        version
        for version in lifecycle.waiting
        if lifecycle.awaited(version) is not None and lifecycle.versions[version].first_seq > incident.investigated
    ]
    if ready:
        return f'noa enable {address(name, ready[-1])} --reason "..."'
    return "noa run PLAN, with evaluation data of now: what passes is held, to be enabled"
