"""The law of redaction: an operator may take an object out of the evidence, never a line.

Lines name bulky content and free text by digest only, so the content can go and the chain still holds. The entry names
the object and carries the act; each object goes once.
"""

from __future__ import annotations

from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LedgerState
from noa_mlops.ledger.trust_law import public_keys, read_decision, scope_problem
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.policy import Policy

ACT = "noa:act/v1"


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
    if problem is not None:
        return Refusal(problem)
    if digest in state.redacted:
        return Refusal("takes out an object that is gone already")
    if not signed.verifies(public_keys(policy)):
        return Refusal("carries an act with a signature that is wrong or of an unknown key")
    if not policy.grants(signed.signers, signed.act.act):
        return Refusal("carries an act without the quorum that may redact")
    if not policy.allows(entry.keyid, entry.type):
        return Refusal(f"is signed by a key that may not sign {entry.type}")
    return digest
