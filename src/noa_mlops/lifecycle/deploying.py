"""What runs where: whoever pulled a version into a place says so, by a key that may ``deploy``."""

from __future__ import annotations

from noa_mlops.errors import LedgerConflict, NotFound, PlanInvalid
from noa_mlops.ledger import ACTS_OF, KeyStore, LedgerEntry, LedgerReader
from noa_mlops.ledger.deploy_law import answered, deploying_problem, deployment_scope
from noa_mlops.lifecycle.acts import ActRequest, record, request_act
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.names import name_problem

DEPLOY = ACTS_OF["Deployed"]
"""The act that records a deployment."""

REASON = "pulled and verified"
"""What is said where nobody says more."""


def standing(ledger: LedgerReader, lifecycle_id: str, version: int, target: str) -> int | None:
    """The entry that says already that this version runs in the target; None when another one does, or none."""
    made = ledger.state.lifecycle(lifecycle_id).deployed.get(target)
    return made.seq if made is not None and made.version == version else None


def request_deployment(
    ledger: LedgerReader, lifecycle_id: str, version: int, target: str, reason: str | None = None
) -> ActRequest:
    """The act that says that a version runs in the ``target``; not yet signed.

    Raises `NotFound` for a version that there is not, `LedgerConflict` for one that was never promoted or a target
    without a usable name.
    """
    known = ledger.state.version(lifecycle_id, version)
    if known is None or known.checksum is None:
        raise NotFound(f"there is no {address(lifecycle_id, version)} that was trained")
    if problem := name_problem(target):
        raise LedgerConflict(f"the target {target!r:.80} {problem}", hint="Name the place, like --record production.")
    if problem := deploying_problem(known):
        raise LedgerConflict(f"noa pull {address(lifecycle_id, version)} {problem}", hint="Pull the champion.")
    scope = deployment_scope(lifecycle_id, version, known.checksum, target)
    return request_act(ledger.origin, DEPLOY, scope, answered(ledger.state, lifecycle_id, target), reason or REASON)


def record_deployment(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record the act. Raises as `noa_mlops.lifecycle.acts.record`."""
    if request.signed.act.act != DEPLOY:
        raise PlanInvalid("the request is not about a deployment")
    return record(layout, request, keystore)
