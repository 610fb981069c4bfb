"""The way back: a former champion is the champion again, because an operator decided it."""

from __future__ import annotations

from noa_mlops.errors import NotFound, PlanInvalid
from noa_mlops.ledger import KeyStore, LedgerEntry, LedgerReader, LifecycleState, version_scope
from noa_mlops.lifecycle.acts import ActRequest, record, request_act
from noa_mlops.records.events import DECISION
from noa_mlops.records.layout import Layout, address

ROLLBACK = "rollback"


def request_rollback(ledger: LedgerReader, lifecycle_id: str, to: int | None, reason: str) -> ActRequest:
    """The act that brings ``lifecycle_id@to`` back, by default the champion before; not yet signed.

    Raises `NotFound` when there is no champion, or none before it.
    """
    lifecycle = ledger.state.lifecycle(lifecycle_id)
    if lifecycle.champion is None or lifecycle.answerable is None:
        raise NotFound(f"{lifecycle_id} has no champion, so there is nothing to roll back")
    version = champion_before(ledger, lifecycle_id) if to is None else to
    target = lifecycle.versions.get(version)
    if target is None or target.checksum is None or target.status != "former":
        raise NotFound(
            f"{address(lifecycle_id, version)} was never champion, or is it now",
            hint=f"Champions of former days: {_former(lifecycle) or 'none'}.",
        )
    scope = version_scope(lifecycle_id, version, target.checksum)
    return request_act(ledger.origin, ROLLBACK, scope, lifecycle.answerable, reason)


def champion_before(ledger: LedgerReader, lifecycle_id: str) -> int:
    """The version that the champion replaced when it was promoted. Raises `NotFound`."""
    champion = ledger.state.lifecycle(lifecycle_id).champion
    if champion is None:
        raise NotFound(f"{lifecycle_id} has no champion")
    decision = ledger.history(lifecycle_id, champion)[-1].predicate[DECISION]
    if decision["replaces"] is None:
        raise NotFound(f"{address(lifecycle_id, champion)} is the first champion; there is none before it")
    return int(decision["replaces"])


def roll_back(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record the act; its version is the champion. Raises as `noa_mlops.lifecycle.acts.record`."""
    if request.signed.act.act != ROLLBACK:
        raise PlanInvalid("the request is not about a rollback")
    return record(layout, request, keystore)


def _former(lifecycle: LifecycleState) -> str:
    return ", ".join(f"@{version.version}" for version in lifecycle.versions.values() if version.status == "former")
