"""The way out of a blocked rollout: somebody looks, a version is trained after that, and an operator enables it."""

from __future__ import annotations

from noa_mlops.errors import LedgerConflict, NotAuthorised, NotFound, PlanInvalid
from noa_mlops.ledger import KeyStore, Ledger, LedgerEntry, LedgerReader, LifecycleState
from noa_mlops.ledger.incident_law import approving, enabling_problem, investigation_scope
from noa_mlops.ledger.trust_law import version_scope
from noa_mlops.lifecycle.acts import ActRequest, record, request_act
from noa_mlops.records.layout import Layout, address

INVESTIGATE = "investigate"
ENABLE = "enable"


def request_investigation(ledger: LedgerReader, lifecycle_id: str, finding: str) -> ActRequest:
    """The act that says what was found of the open incident; not yet signed. Raises `NotFound`, `LedgerConflict`."""
    lifecycle = _lifecycle(ledger, lifecycle_id)
    incident = lifecycle.incident
    if incident is None or lifecycle.answerable is None:
        raise NotFound(f"{lifecycle_id} has no open incident, so there is nothing to investigate")
    if incident.investigated is not None:
        raise LedgerConflict(
            f"the incident of {lifecycle_id} was investigated by entry {incident.investigated}",
            hint=f"Next: noa run PLAN, then noa enable {lifecycle_id}@N.",
        )
    scope = investigation_scope(lifecycle_id, incident.seq, incident.report)
    return request_act(ledger.origin, INVESTIGATE, scope, lifecycle.answerable, finding)


def request_enabling(ledger: LedgerReader, lifecycle_id: str, version: int, reason: str) -> ActRequest:
    """The act that makes a held version the champion; not yet signed.

    Raises `NotFound` for a version that there is not, `LedgerConflict` for one that may not be enabled, or not yet.
    """
    lifecycle = _lifecycle(ledger, lifecycle_id)
    target = lifecycle.versions.get(version)
    if target is None or target.checksum is None or lifecycle.answerable is None:
        raise NotFound(f"there is no {address(lifecycle_id, version)} that was trained")
    if problem := enabling_problem(ledger.state, lifecycle, target):
        raise LedgerConflict(
            f"noa enable {address(lifecycle_id, version)} {problem}", hint=_next(lifecycle_id, lifecycle)
        )
    scope = version_scope(lifecycle_id, version, target.checksum)
    return request_act(ledger.origin, ENABLE, scope, lifecycle.answerable, reason)


def perform(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record either act. Raises as `noa_mlops.lifecycle.acts.record`, `NotAuthorised` when no signature counts."""
    if request.signed.act.act not in (INVESTIGATE, ENABLE):
        raise PlanInvalid("the request is not about an incident")
    if request.signed.act.act == ENABLE:
        _check_counts(layout, request)
    return record(layout, request, keystore)


def _check_counts(layout: Layout, request: ActRequest) -> None:
    """Refuse an approval that would be none: by keys that have approved already, or by who submitted the version."""
    state, signers = Ledger.read_only(layout).state, request.signed.signers
    name, version = str(request.signed.act.scope.get("lifecycle_id")), request.signed.act.scope.get("version")
    waits = state.lifecycle(name).awaited(version) if isinstance(version, int) else None
    if waits is None or state.policy is None or not signers or approving(state.policy, signers, waits):
        return
    why = "has approved it already" if signers & waits.approved else "is that of who submitted it"
    raise NotAuthorised(
        f"{address(name, version or 0)} is not approved by this: the key that signed {why}",
        hint="Another operator enables it with a key of their own; with --request FILE they can sign elsewhere.",
    )


def _lifecycle(ledger: LedgerReader, lifecycle_id: str) -> LifecycleState:
    lifecycle = ledger.state.lifecycle(lifecycle_id)
    if not lifecycle.versions:
        raise NotFound(f"there is no lifecycle {lifecycle_id!r:.80} here")
    return lifecycle


def _next(lifecycle_id: str, lifecycle: LifecycleState) -> str:
    """The next step of the way out."""
    incident = lifecycle.incident
    if incident is not None and incident.investigated is None:
        return f'Look first: noa investigate {lifecycle_id} --finding "...".'
    waiting = ", ".join(f"@{version}" for version in lifecycle.waiting)
    data = "" if incident is None else ", with a gate and with evaluation data of now"
    return (
        f"Versions that wait: {waiting or 'none'}. Run a plan{data}: what passes while the rollout is blocked is held."
    )
