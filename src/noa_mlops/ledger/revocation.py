"""The law of revocation: what of the past is not trusted any more.

- What a revoked key signed is trusted up to the entry that the revocation names.
- A policy stands on the keys that decided it. When a later policy revokes some of them for entries before that decision,
  and the others are no quorum, then what only that policy vouches for is not trusted either. The change that revokes a
  key may be signed by that very key: in solo mode there is no other.

Nothing here changes what was admitted. It says what may still be relied on, as the newest policy sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

from noa_mlops.ledger.state import PolicyInForce
from noa_mlops.records.policy import SIGN_POLICY


def distrust(policies: Sequence[PolicyInForce], seq: int, keyid: str) -> str | None:
    """Why the entry at index ``seq``, or what was signed for it, is not trusted any more; None when it is.

    ``keyid`` signed it; ``policies`` are all that were ever in force, the newest last.
    """
    revoked = policies[-1].policy.revoked
    if keyid in revoked and seq > revoked[keyid]:
        return f"is signed by the revoked key {keyid[:16]}, which is trusted up to entry {revoked[keyid]} only"
    judge = max((number for number, place in enumerate(policies) if place.since <= seq), default=0)
    decided = _still_trusted(policies[judge], policies[-1])
    if judge and not policies[judge - 1].policy.grants(decided, SIGN_POLICY):
        return f"is judged by the policy of entry {policies[judge].entry}, which was decided by a key that is revoked"
    return None


def _still_trusted(place: PolicyInForce, newest: PolicyInForce) -> frozenset[str]:
    """The signers of a policy that no later one revoked for entries before it."""
    later = newest.policy.revoked.items() - place.policy.revoked.items()
    return place.signers - {keyid for keyid, last in later if last < place.entry}
