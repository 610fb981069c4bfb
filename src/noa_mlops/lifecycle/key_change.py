"""New, rotated and revoked keys: each a change of the policy, signed like every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from noa_mlops.errors import LedgerConflict, NotFound, PlanInvalid
from noa_mlops.evidence import ED25519, KeyInvalid, Scheme, SigningKey, load_public
from noa_mlops.files import write_durably
from noa_mlops.ledger import SCHEMES, KeyRing, Ledger, LedgerReader, Signers
from noa_mlops.lifecycle.policy_change import (
    Proposal,
    check_current,
    differences,
    edited_policy,
    propose,
    put_in_force,
    ring_of,
    sign_here,
    with_key,
    without_keys,
)
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import Policy, policy_text


def add_key(layout: Layout, role: str, passphrase: bytes | None, *, dry_run: bool = False) -> str:
    """Make a key and name it in ``policy.yaml``, which is yet to be signed; its key id. Raises `PlanInvalid`."""
    key = SigningKey.generate(_scheme(role))
    policy = with_key(edited_policy(layout), role, key)
    if not dry_run:
        ring_of(Ledger.read_only(layout)).add(key, passphrase)
        write_durably(layout.policy, policy_text(policy).encode())
    return key.public.keyid


def add_external(layout: Layout, role: str, public_pem: bytes, program: Sequence[str], *, dry_run: bool = False) -> str:
    """Name a key that ``program`` holds in ``policy.yaml``; its key id. Raises `PlanInvalid`, `NotAuthorised`."""
    try:
        public = load_public(public_pem.decode())
    except (KeyInvalid, UnicodeDecodeError) as error:
        raise PlanInvalid(f"the public key {error}") from error
    key = SigningKey.external(public, lambda _: b"")
    policy = with_key(edited_policy(layout), role, key)
    if not dry_run:
        ring = ring_of(Ledger.read_only(layout))
        Signers.of(ring.folder).adding(public.keyid, "sign", program)
        write_durably(layout.policy, policy_text(policy).encode())
    return public.keyid


def request_key(layout: Layout, role: str, file: Path, passphrase: bytes | None, *, dry_run: bool = False) -> str:
    """Make a key that stays here and write a request that gives it ``role``; its key id.

    Raises `PlanInvalid` for an unknown role, `LedgerConflict` when ``file`` exists.
    """
    ledger = Ledger.read_only(layout)
    key = SigningKey.generate(_scheme(role))
    policy = with_key(_in_force(layout, ledger), role, key)
    if file.exists():
        raise LedgerConflict(f"{file} exists", hint="Name a file that does not.")
    if not dry_run:
        ring = ring_of(ledger)
        ring.add(key, passphrase)
        proposal = propose(ledger.state, policy)
        write_durably(file.absolute(), replace(proposal, signed=proposal.signed.signed_by(key)).to_bytes())
    return key.public.keyid


def admit_request(layout: Layout, data: bytes, *, dry_run: bool = False) -> tuple[tuple[str, ...], int | None]:
    """Sign a request with the keys that are here and put it in force: what it changes, and the index of the entry.

    Raises `PlanInvalid` for a file of another form, `LedgerConflict` for one of another time, `NotAuthorised` without
    root's quorum.
    """
    ledger, proposal = Ledger.read_only(layout), Proposal.from_bytes(data)
    changes = differences(_in_force(layout, ledger), proposal.policy)
    check_current(proposal, ledger.state)
    if dry_run:
        return changes, None
    return changes, put_in_force(layout, sign_here(proposal, ledger.state, ring_of(ledger))).seq


def rotate_key(layout: Layout, role: str, passphrase: bytes | None, *, dry_run: bool = False) -> int | None:
    """Put a new key in the place of all that hold ``role``; the index of the entry, None when it is only tried.

    Raises `PlanInvalid` for an unknown role, `NotAuthorised` when root cannot sign here.
    """
    ledger = Ledger.read_only(layout)
    before, key = _in_force(layout, ledger), SigningKey.generate(_scheme(role))
    held = before.roles[role].keys if role in before.roles else ()
    return _change(layout, ledger, with_key(before, role, key, *held), key, passphrase, dry_run=dry_run)


def revoke_key(layout: Layout, keyid: str, last: int | None, *, dry_run: bool = False) -> int | None:
    """Trust a key no more after entry ``last``, by default the newest; the index of the entry, None when only tried.

    A role that would be left with too few keys gets a new one. Raises `NotFound`, `NotAuthorised`.
    """
    ledger = Ledger.read_only(layout)
    before = _in_force(layout, ledger)
    known = [found for found in before.keys if found.startswith(keyid)]
    if len(known) != 1 or len(keyid) < 8:
        raise NotFound(f"{keyid!r:.80} is no key of the policy in force", hint="'noa keys list' shows them.")
    newest = ledger.state.size - 1
    if last is not None and last > newest:
        raise NotFound(f"there is no entry {last} yet; the newest is {newest}")
    revoked = replace(before, revoked={**before.revoked, known[0]: newest if last is None else last})
    try:
        return _change(layout, ledger, without_keys(revoked, known[0]), None, None, dry_run=dry_run)
    except PlanInvalid:
        [role] = [name for name, role in before.roles.items() if known[0] in role.keys]
    key = SigningKey.generate(_scheme(role))
    return _change(layout, ledger, with_key(revoked, role, key, known[0]), key, None, dry_run=dry_run)


def _change(
    layout: Layout,
    ledger: LedgerReader,
    policy: Policy,
    key: SigningKey | None,
    passphrase: bytes | None,
    *,
    dry_run: bool,
) -> int | None:
    """Keep the new key, sign the policy with the keys that are here, and put it in force."""
    if dry_run:
        return None
    ring: KeyRing = ring_of(ledger)
    if key is not None:
        ring.add(key, passphrase)
    return put_in_force(layout, sign_here(propose(ledger.state, policy), ledger.state, ring)).seq


def _in_force(layout: Layout, ledger: LedgerReader) -> Policy:
    """The policy in force. Raises `LedgerConflict` when ``policy.yaml`` holds an edit that is not signed."""
    policy = ledger.state.policy
    if policy is None or (layout.policy.exists() and edited_policy(layout) != policy):
        raise LedgerConflict(
            f"{layout.policy} holds an edit that is not signed",
            hint="'noa policy diff' shows it; sign it with 'noa policy sign', or undo it, and run this again.",
        )
    return policy


def _scheme(role: str) -> Scheme:
    return SCHEMES.get(role, ED25519)
