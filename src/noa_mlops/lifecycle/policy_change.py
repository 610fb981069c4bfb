"""Changing the policy: what would change, who has to sign it, and the one entry that puts it in force.

A proposal can travel: it holds the policy and the act with the signatures so far, so people whose keys lie on different
machines sign one after the other. Whoever records it in the end needs none of their keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from noa_mlops.errors import LedgerConflict, NotAuthorised, PlanInvalid
from noa_mlops.evidence import Act, ActInvalid, SignedAct, SigningKey, read_act
from noa_mlops.files import write_durably
from noa_mlops.ledger import (
    TRUST,
    Draft,
    KeyRing,
    KeyStore,
    Ledger,
    LedgerEntry,
    LedgerReader,
    LedgerState,
    ledger_lines,
    policy_digest,
)
from noa_mlops.records.documents import DocumentInvalid, compact, parse_object
from noa_mlops.records.floors import Floors, loosened
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import DEPLOYER, LOOP, SIGN_POLICY, KeyRecord, Policy, Role, policy_text
from noa_mlops.records.reading import read_document, read_file
from noa_mlops.registry import Mirror

MAX_PROPOSAL = 1 << 18
"""Largest file of a proposal, in bytes."""

_FORM = 1

_MAY_BEGIN = {LOOP: ("enable",), DEPLOYER: ("deploy",)}
"""Roles that begin with their first key, and what they may do."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that is to be put in force, and the act that decides it."""

    policy: Policy
    signed: SignedAct

    def to_bytes(self) -> bytes:
        """The file that travels."""
        document = {
            "noa_request": _FORM,
            "act": self.signed.envelope(),
            "policy": self.policy.to_document(),
        }
        return compact(document) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Proposal:
        """The proposal in a file. Raises `PlanInvalid`."""
        try:
            document = parse_object(data, limit=MAX_PROPOSAL)
            if set(document) != {"noa_request", "act", "policy"} or document["noa_request"] != _FORM:
                raise PlanInvalid("the file is no request of a form that this version knows")
            return cls(Policy.from_document(document["policy"]), read_act(document["act"]))
        except (DocumentInvalid, ActInvalid) as error:
            raise PlanInvalid(f"the file is no request: it {error}") from error


def edited_policy(layout: Layout) -> Policy:
    """What ``policy.yaml`` says. Raises `PlanInvalid`."""
    text = read_file(layout.policy, name="policy.yaml")
    return Policy.from_document(read_document(text, name="policy.yaml", kind=dict))


def differences(before: Policy, after: Policy) -> tuple[str, ...]:
    """What changes from one policy to another, a sentence each."""
    return (*_key_differences(before, after), *_role_differences(before, after), *_other(before, after))


def propose(state: LedgerState, policy: Policy) -> Proposal:
    """The change from the policy in force to ``policy``, not yet signed."""
    act = Act(
        origin=state.origin or "",
        act=SIGN_POLICY,
        scope={"policy": {"sha256": policy_digest(policy)}},
        answers=state.policies[-1].leaf,
    )
    return Proposal(policy, SignedAct(act))


def check_current(proposal: Proposal, state: LedgerState) -> None:
    """Raise `LedgerConflict` unless the proposal answers the policy in force of this very log."""
    if proposal.signed.act != propose(state, proposal.policy).signed.act:
        raise LedgerConflict(
            "the request is not for this project, or for a policy that is not in force any more",
            hint="Ask whoever made it for a new one.",
        )


def needed_keys(proposal: Proposal, state: LedgerState) -> tuple[KeyRecord, ...]:
    """The keys that may or must sign: those that may change the policy, and those that are new."""
    before = _policy(state)
    fresh = [key for keyid, key in proposal.policy.keys.items() if keyid not in before.keys]
    return (*before.keys_for(SIGN_POLICY), *fresh)


def sign_here(proposal: Proposal, state: LedgerState, ring: KeyRing) -> Proposal:
    """With the signatures of every needed key that is on this machine. Raises `NotAuthorised` for one out of order."""
    signed = proposal.signed
    for record in needed_keys(proposal, state):
        key = ring.key(record, founders(state))
        if key is not None and record.keyid not in signed.signers:
            signed = signed.signed_by(key)
    return replace(proposal, signed=signed)


def missing(proposal: Proposal, state: LedgerState) -> tuple[str, ...]:
    """Who has yet to sign, a phrase each; none when the change can be recorded."""
    before, signers = _policy(state), proposal.signed.signers
    said = [] if before.grants(signers, SIGN_POLICY) else [f"the quorum of {_holders(before)}"]
    fresh = (keyid for keyid in proposal.policy.keys if keyid not in before.keys and keyid not in signers)
    return (*said, *(f"the new key {keyid[:16]}" for keyid in fresh))


def put_in_force(layout: Layout, proposal: Proposal, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record the change, sealed, and bring mirror and ``policy.yaml`` up to it.

    Raises `NotAuthorised` when signatures or the runtime's next key are missing, `LedgerConflict` when the law refuses.
    """
    with Ledger.open(layout, keystore or KeyStore(), successor=proposal.policy) as ledger:
        check_current(proposal, ledger.state)
        if lacking := missing(proposal, ledger.state):
            raise NotAuthorised(
                f"the change is not signed by {' and '.join(lacking)}",
                hint="'noa policy sign --request FILE' writes a file that they can sign elsewhere.",
            )
        KeyRing(ledger.keys.folder, proposal.policy).signing_key("verifier")
        if ledger.in_charge:
            _mirrored(layout, ledger)
        follows = _unedited(layout, _policy(ledger.state))
        entry = ledger.append(lambda _: _draft(proposal))
        _mirrored(layout, ledger)
        if follows:
            write_durably(layout.policy, policy_text(proposal.policy).encode())
    return entry


def ring_of(ledger: LedgerReader, keystore: KeyStore | None = None) -> KeyRing:
    """The private keys of a ledger that are on this machine. Raises `NotAuthorised` when none are."""
    state = ledger.state
    return (keystore or KeyStore()).find(_policy(state), state.policies[0].policy)


def founders(state: LedgerState) -> dict[str, KeyRecord]:
    """The keys that the project was begun with, by role."""
    first = state.policies[0].policy
    return {name: first.keys[role.keys[0]] for name, role in first.roles.items()}


def with_key(policy: Policy, role: str, key: SigningKey, *gone: str) -> Policy:
    """The policy with one more key in a role, and without the keys ``gone``; those of the loop and of hosts begin with their first key.

    Raises `PlanInvalid`.
    """
    if role in _MAY_BEGIN and role not in policy.roles:
        policy = replace(policy, roles={**policy.roles, role: Role((), _MAY_BEGIN[role])})
    if role not in policy.roles:
        raise PlanInvalid(f"the policy has no role {role!r}; it has {', '.join(policy.roles)}")
    public = key.public
    held = policy.roles[role]
    roles = {**policy.roles, role: replace(held, keys=(*held.keys, public.keyid))}
    keys = {**policy.keys, public.keyid: KeyRecord(public.keyid, public.scheme, public.pem)}
    return without_keys(replace(policy, keys=keys, roles=roles), *gone)


def without_keys(policy: Policy, *gone: str) -> Policy:
    """The policy without some keys. Raises `PlanInvalid` when a role would be left with fewer than its quorum."""
    roles: dict[str, Role] = {}
    for name, role in policy.roles.items():
        left = tuple(keyid for keyid in role.keys if keyid not in gone)
        if len(left) < role.quorum:
            raise PlanInvalid(
                f"the role {name!r} would be left with {len(left)} of the {role.quorum} keys it needs",
                hint=f"'noa keys rotate {name}' puts a new key in the place of the old one.",
            )
        roles[name] = replace(role, keys=left)
    return replace(policy, keys={keyid: key for keyid, key in policy.keys.items() if keyid not in gone}, roles=roles)


def _draft(proposal: Proposal) -> Draft:
    return Draft(
        type="PolicyChanged",
        predicate_type=TRUST,
        predicate={"policy": proposal.policy.to_document(), "act": proposal.signed.envelope()},
        subject=[{"name": "policy", "digest": {"sha256": policy_digest(proposal.policy)}}],
    )


def _mirrored(layout: Layout, ledger: Ledger) -> None:
    mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
    mirror.catch_up(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))


def _unedited(layout: Layout, policy: Policy) -> bool:
    """Whether ``policy.yaml`` says what is in force, or is not there."""
    return not layout.policy.exists() or edited_policy(layout) == policy


def _policy(state: LedgerState) -> Policy:
    if state.policy is None:
        raise LedgerConflict("there is no policy in force")
    return state.policy


def _holders(policy: Policy) -> str:
    roles = [f"{role.quorum} of {name!r}" for name, role in policy.roles.items() if SIGN_POLICY in role.may]
    return " or ".join(roles)


def _key_differences(before: Policy, after: Policy) -> Iterator[str]:
    yield from (f"the key {keyid[:16]} is new" for keyid in after.keys if keyid not in before.keys)
    yield from (f"the key {keyid[:16]} goes" for keyid in before.keys if keyid not in after.keys)
    changed = (keyid for keyid in after.keys if keyid in before.keys and after.keys[keyid] != before.keys[keyid])
    yield from (f"the key {keyid[:16]} becomes another one" for keyid in changed)
    for keyid, last in after.revoked.items():
        if before.revoked.get(keyid) != last:
            yield f"the key {keyid[:16]} is revoked: nothing that it signed after entry {last} is trusted"


def _role_differences(before: Policy, after: Policy) -> Iterator[str]:
    yield from (f"the role {name!r} goes" for name in before.roles if name not in after.roles)
    for name, role in after.roles.items():
        old = before.roles.get(name, Role((), (), 0))
        if old.quorum != role.quorum:
            yield f"the role {name!r} takes {role.quorum} of {len(role.keys)} keys, not {old.quorum} of {len(old.keys)}"
        for word, now, then in (("held by", role.keys, old.keys), ("allowed", role.may, old.may)):
            yield from (f"the role {name!r} is {word} {item[:16]}" for item in now if item not in then)
            yield from (f"the role {name!r} is no longer {word} {item[:16]}" for item in then if item not in now)


def _other(before: Policy, after: Policy) -> Iterator[str]:
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("name", before.name, after.name),
        ("data_roots", list(before.data_roots), list(after.data_roots)),
    )
    yield from (f"{name} becomes {now}, it was {then}" for name, then, now in pairs if then != now)
    for name in sorted({*before.lifecycles, *after.lifecycles}):
        old, new = (policy.lifecycles.get(name, Floors()).to_document() for policy in (before, after))
        if old != new:
            yield f"the floors of {name!r} become {compact(new).decode()}, they were {compact(old).decode()}"
    yield from (f"LOOSER for {said}" for said in loosened(before.lifecycles, after.lifecycles))
