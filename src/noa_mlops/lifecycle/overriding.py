"""Against the gate's word: an operator puts a version in force for a time, and says why."""

from __future__ import annotations

from datetime import timedelta

from noa_mlops.errors import LedgerConflict, NotFound, PlanInvalid
from noa_mlops.ledger import KeyStore, LedgerEntry, LedgerReader
from noa_mlops.ledger.entry import timestamp
from noa_mlops.ledger.ledger import utc_now
from noa_mlops.ledger.override_law import LONGEST, override_scope, overriding_problem
from noa_mlops.ledger.trust_law import ACTS_OF
from noa_mlops.lifecycle.acts import ActRequest, record, request_act
from noa_mlops.records.layout import Layout, address

OVERRIDE = ACTS_OF["Overridden"]


def request_override(ledger: LedgerReader, lifecycle_id: str, version: int, seconds: int, reason: str) -> ActRequest:
    """The act that puts a version in force for so many ``seconds`` from now; not yet signed.

    Raises `NotFound` for a version that there is not, `LedgerConflict` for one that may not be put in force like that.
    """
    lifecycle, name = ledger.state.lifecycle(lifecycle_id), address(lifecycle_id, version)
    target = lifecycle.versions.get(version)
    if target is None or target.checksum is None or lifecycle.answerable is None:
        raise NotFound(f"there is no {name} that was trained")
    if not 0 < seconds <= LONGEST * 86400:
        raise LedgerConflict(f"an override lasts up to {LONGEST} days", hint="Say for how long: --expires 7d.")
    if problem := overriding_problem(ledger.state, lifecycle, target):
        raise LedgerConflict(f"noa override {name} {problem}", hint=f"Measure it again first: noa evaluate {name}.")
    expires = timestamp(utc_now() + timedelta(seconds=seconds))
    scope = override_scope(lifecycle_id, version, target.checksum, expires)
    return request_act(ledger.origin, OVERRIDE, scope, lifecycle.answerable, reason)


def override(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record the act. Raises as `noa_mlops.lifecycle.acts.record`."""
    if request.signed.act.act != OVERRIDE:
        raise PlanInvalid("the request is not about an override")
    return record(layout, request, keystore)
