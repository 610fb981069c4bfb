"""Enabling without a person: only where the policy, which root signs, has a role for it, and only with that role's keys.

The role is called ``loop``. An operator's key is never used for it, though it may lie on the same machine. What asks for a
person's word keeps waiting for one: the investigation, an approval that a plan or the policy asks for, a version without a
gate, and one whose champion could not be asked.
"""

from __future__ import annotations

from dataclasses import replace

from noa_mlops.ledger import KeyStore, LedgerEntry, LedgerReader
from noa_mlops.ledger.incident_law import ENABLE
from noa_mlops.lifecycle.acts import ActRequest
from noa_mlops.lifecycle.history import history_of
from noa_mlops.lifecycle.incidents import perform, request_enabling
from noa_mlops.lifecycle.policy_change import founders, ring_of
from noa_mlops.records.events import DECISION, EvaluationLogged
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.policy import LOOP, Role

REASON = (
    "enabled by the loop, as the policy grants it: it passed on data newer than the incident, after the investigation"
)
"""What such an act says of itself."""


def grants_loop(ledger: LedgerReader) -> bool:
    """Whether the policy in force lets the loop enable anything."""
    return _role(ledger) is not None


def enable_by_grant(
    layout: Layout, ledger: LedgerReader, lifecycle_id: str, version: int, keystore: KeyStore | None = None
) -> LedgerEntry | str:
    """Make a held version the champion by the loop's own key; or why a person has to, as the end of a sentence.

    Raises `LedgerConflict` for a version that may not be enabled, `NotAuthorised` for a key that cannot be used.
    """
    role = _role(ledger)
    if role is None:
        return "the policy grants it to nobody else"
    if (reason := _asks_for_people(ledger, lifecycle_id, version)) is not None:
        return reason
    request = request_enabling(ledger, lifecycle_id, version, REASON)
    signed = _sign(request, role, ledger, keystore)
    if len(signed.signed.signers) < role.quorum:
        return f"the policy grants it to the role {LOOP!r}, whose key is not on this machine"
    return perform(layout, signed, keystore)


def _role(ledger: LedgerReader) -> Role | None:
    policy = ledger.state.policy
    role = None if policy is None else policy.roles.get(LOOP)
    return role if role is not None and ENABLE in role.may else None


def _asks_for_people(ledger: LedgerReader, lifecycle_id: str, version: int) -> str | None:
    """Why the grant does not reach a version: it is for those that only the drift that was investigated holds."""
    history = ledger.history(lifecycle_id, version)
    if ledger.state.lifecycle(lifecycle_id).incident is None or history[-1].predicate[DECISION]["reasons"] != ["drift"]:
        return "it waits for people's approval"
    events = history_of(ledger, lifecycle_id, version)
    measured = next(event for event in reversed(events) if isinstance(event, EvaluationLogged))
    if measured.champion is not None and measured.champion["unavailable"] is not None:
        return f"the champion could not be asked beside {address(lifecycle_id, version)}"
    return None


def _sign(request: ActRequest, role: Role, ledger: LedgerReader, keystore: KeyStore | None) -> ActRequest:
    """With the signatures of the keys of ``role`` that are on this machine."""
    policy, ring = ledger.state.policy, ring_of(ledger, keystore)
    for keyid in role.keys if policy is not None else ():
        key = ring.key(policy.keys[keyid], founders(ledger.state)) if policy is not None else None
        if key is not None:
            request = replace(request, signed=request.signed.signed_by(key))
    return request
