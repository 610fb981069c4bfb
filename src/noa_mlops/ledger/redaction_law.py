"""The law of redaction: an operator may take an object out of the evidence, never a line.

Lines name bulky content and free text by digest only, so the content can go and the chain still holds. The entry names
the object and carries the act; each object goes once.
"""

from __future__ import annotations

from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LedgerState
from noa_mlops.ledger.trust_law import ACT, decision_problem, read_decision, scope_problem
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.policy import Policy


def redacted_object(state: LedgerState, policy: Policy, entry: LedgerEntry) -> str | Refusal:
    """The digest of the object that goes, or why it may not."""
    about = (entry.lifecycle_id, entry.version, entry.status)
    if entry.predicate_type != ACT or set(entry.predicate) != {"act"} or about != (None, None, None):
        return Refusal("does not have the form of a Redacted")
    signed = read_decision(entry)
    if isinstance(signed, Refusal):
        return signed
    digest = entry.checksum
    problem = scope_problem(state, entry, signed, {"object": {"sha256": digest}})
    if problem is None and digest in state.redacted:
        problem = "takes out an object that is gone already"
    problem = problem or decision_problem(policy, entry, signed)
    return digest if problem is None else Refusal(problem)
