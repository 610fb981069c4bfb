"""The law of deployments: which version runs where, as a deployer says who pulled it.

- The act names the lifecycle, the version, its bytes, and the target: the name of a place where models run. The version is
  the champion, or was it once.
- It answers the deployment into the same target before it; the first one answers the entry that put the policy in force.
  So each act counts once, and the deployments into a target have an order, whatever is decided meanwhile.

Neither the champion nor the rollout changes, and no decision is taken again because of it. A deployment that was made before
the rollout was blocked may be recorded after that: it says what runs.
"""

from __future__ import annotations

from dataclasses import replace

from noa_mlops.evidence import leaf_hash
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import Deployment, LedgerState, LifecycleState, VersionState
from noa_mlops.ledger.trust_law import act_problem, read_decision, version_scope
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.names import name_problem
from noa_mlops.records.policy import Policy

PROMOTED = ("champion", "former")
"""States of a version that was put in force."""


def deployment_scope(lifecycle_id: str, version: int, checksum: str, target: str) -> dict[str, object]:
    """What an act says that records a deployment: which version, its bytes, and where it runs."""
    return {**version_scope(lifecycle_id, version, checksum), "target": target}


def answered(state: LedgerState, lifecycle_id: str, target: str) -> str:
    """The leaf hash, in hex, of the entry that the next deployment into a target answers."""
    before = state.lifecycle(lifecycle_id).deployed.get(target)
    return state.policies[-1].leaf if before is None else before.leaf


def deployed(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle with a version deployed into a target, or why that may not be recorded."""
    lifecycle_id = entry.lifecycle_id or ""
    lifecycle = state.lifecycle(lifecycle_id)
    version = lifecycle.versions.find(entry.version or 0)
    if version is None:
        return Refusal("deploys a version that there is not")
    signed = read_decision(entry)
    if isinstance(signed, Refusal):
        return signed
    target = signed.act.scope.get("target")
    if not isinstance(target, str) or name_problem(target) is not None:
        return Refusal("does not say where it runs, by a name")
    scope = deployment_scope(lifecycle_id, version.version, version.checksum or "", target)
    problem = deploying_problem(version) or (
        "is about other bytes than those that were promoted" if entry.checksum != version.checksum else None
    )
    problem = problem or act_problem(state, policy, entry, scope, answered(state, lifecycle_id, target))
    if problem is not None:
        return Refusal(problem)
    made = Deployment(entry.seq, version.version, leaf_hash(entry.line).hex())
    return replace(lifecycle, deployed={**lifecycle.deployed, target: made})


def deploying_problem(version: VersionState) -> str | None:
    """Why a version cannot be deployed, as the end of a sentence."""
    return None if version.status in PROMOTED else f"deploys a version that is {version.status} and was never promoted"
