"""Who may sign models: asked of the policy, never of a signature."""

from __future__ import annotations

from noa_mlops.evidence import ECDSA_P256, PublicKey, load_public
from noa_mlops.records.policy import SIGN_MODEL, Policy


def model_keys(policy: Policy) -> tuple[PublicKey, ...]:
    """The P-256 keys to which the policy gives the signing of models."""
    return tuple(load_public(record.public) for record in policy.keys_for(SIGN_MODEL) if record.scheme == ECDSA_P256)
