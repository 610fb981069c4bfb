"""The policy: which keys there are and what each may do.

A role is a named list of entry types and acts. Types of ledger lines are capitalised, acts of people are not,
so a key that may act can never sign a line by it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.documents import compact, is_digest
from noa_mlops.records.floors import Floors
from noa_mlops.records.names import name_problem
from noa_mlops.records.yaml_text import quoted, scalar, sequence

VERSION = 1
"""The version of the policy's own form."""

SCHEMES = ("ed25519", "ecdsa-sha2-nistp256")
"""Signature schemes that a key may have."""

ENTRY_TYPES = (
    "Genesis",
    "Submitted",
    "TrainingCompleted",
    "TrainingFailed",
    "EvaluationLogged",
    "EvaluationFailed",
    "PromotionReady",
    "DriftScanned",
    "Investigated",
    "RolloutEnabled",
    "Overridden",
    "RolledBack",
    "Deployed",
    "Redacted",
    "PolicyChanged",
)
"""Types of ledger lines; the runtime signs them all."""

ACTS = ("investigate", "enable", "override", "rollback", "deploy", "redact")
"""What an operator decides by a key of their own."""

SIGN_HEAD = "checkpoint"
"""Signing the ledger's head, as the runtime does."""

SIGN_POLICY = "policy"
"""The act of root."""

SIGN_MODEL = "model.sig"
"""What the model key signs, and nothing else."""

DEPLOYER = "deployer"
"""The role of hosts that serve models: they say what runs there, and decide nothing."""

LOOP = "loop"
"""The role by which a policy lets the loop enable what passed after an investigation; no policy begins with it."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A public key: its id, its scheme and its PEM text."""

    keyid: str
    scheme: str
    public: str


@dataclass(frozen=True, slots=True)
class Role:
    """Who holds a role, what the role may do, and how many of its keys it takes."""

    keys: tuple[str, ...]
    may: tuple[str, ...]
    quorum: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may do what in a project; ``data_roots`` are folders outside it from which data may be read.

    ``lifecycles`` are the floors of lifecycles by name. ``revoked`` gives for each key that is no longer trusted the index of the last entry still trusted.
    """

    name: str
    keys: Mapping[str, KeyRecord]
    roles: Mapping[str, Role]
    data_roots: tuple[str, ...] = ()
    lifecycles: Mapping[str, Floors] = field(default_factory=dict)
    revoked: Mapping[str, int] = field(default_factory=dict)
    version: int = VERSION

    def allows(self, keyid: str, what: str) -> bool:
        """Whether the key holds a role that may sign this entry type or do this act."""
        return any(keyid in role.keys and what in role.may for role in self.roles.values())

    def keys_for(self, what: str) -> tuple[KeyRecord, ...]:
        """The keys that may sign this entry type or do this act."""
        return tuple(record for keyid, record in self.keys.items() if self.allows(keyid, what))

    def grants(self, keyids: Collection[str], what: str) -> bool:
        """Whether these keys together are enough for this act: the quorum of one role that has it."""
        return any(
            what in role.may and sum(keyid in keyids for keyid in role.keys) >= role.quorum
            for role in self.roles.values()
        )

    @property
    def solo_mode(self) -> bool:
        """Whether no role needs a second person: each has one key and a quorum of one."""
        return all(len(role.keys) == 1 and role.quorum == 1 for role in self.roles.values())

    def to_document(self) -> dict[str, Any]:
        """The JSON form, as genesis holds it."""
        return {
            "version": self.version,
            "name": self.name,
            "keys": {key.keyid: {"scheme": key.scheme, "public": key.public} for key in self.keys.values()},
            "roles": {
                name: {"keys": list(role.keys), "may": list(role.may), "quorum": role.quorum}
                for name, role in self.roles.items()
            },
            "data_roots": list(self.data_roots),
            "lifecycles": {name: floors.to_document() for name, floors in self.lifecycles.items()},
            **({"revoked": {keyid: {"last": last} for keyid, last in self.revoked.items()}} if self.revoked else {}),
        }

    @classmethod
    def from_document(cls, document: object) -> Policy:
        """The policy of a JSON form, every field checked. Raises `PlanInvalid` naming the field."""
        members = ("version", "name", "keys", "roles", "data_roots", "lifecycles", "revoked")
        fields = _object({"revoked": {}, **_object(document, "policy")}, "policy", required=members)
        _demand(type(fields["version"]) is int and fields["version"] == VERSION, "version", f"must be {VERSION}")
        name = fields["name"]
        _demand(isinstance(name, str) and name_problem(name) is None, "name", "must be a valid name")
        keys = {keyid: _key(keyid, value) for keyid, value in _object(fields["keys"], "keys").items()}
        roles = {role: _role(role, value, keys) for role, value in _object(fields["roles"], "roles").items()}
        roots = _texts(fields["data_roots"], "data_roots")
        revoked = {keyid: _revocation(keyid, value) for keyid, value in _object(fields["revoked"], "revoked").items()}
        written = _object(fields["lifecycles"], "lifecycles")
        floors = {lifecycle: _floors(lifecycle, value) for lifecycle, value in written.items()}
        return cls(name=name, keys=keys, roles=roles, data_roots=roots, lifecycles=floors, revoked=revoked)


def founding_policy(
    name: str, *, verifier: KeyRecord, operator: KeyRecord, root: KeyRecord, model: KeyRecord
) -> Policy:
    """The first policy of a project: one key for each role."""
    return Policy(
        name=name,
        keys={record.keyid: record for record in (verifier, operator, root, model)},
        roles={
            "verifier": Role((verifier.keyid,), (*ENTRY_TYPES, SIGN_HEAD)),
            "operator": Role((operator.keyid,), ACTS),
            "root": Role((root.keyid,), (SIGN_POLICY,)),
            "model": Role((model.keyid,), (SIGN_MODEL,)),
        },
    )


def policy_text(policy: Policy) -> str:
    """The text of ``policy.yaml``, for people to edit."""
    lines = [
        "# Who may do what in this project. The policy in force is the one in the ledger; an edited file",
        "# counts when root has signed it.",
        f"version: {policy.version}",
        f"name: {quoted(policy.name)}",
        "keys:",
    ]
    for key in policy.keys.values():
        lines += [f"  {quoted(key.keyid)}:", f"    scheme: {key.scheme}", f"    public: {_key_text(key.public)}"]
    lines.append("roles:")
    for name, role in policy.roles.items():
        lines += [
            f"  {scalar(name)}:",
            f"    keys: [{', '.join(map(quoted, role.keys))}]",
            f"    may: {sequence(role.may)}",
            f"    quorum: {role.quorum}",
        ]
    lines += [f"data_roots: [{', '.join(map(quoted, policy.data_roots))}]", *_floors_text(policy.lifecycles)]
    if policy.revoked:
        lines += ["revoked:", *(f"  {quoted(keyid)}: {{last: {last}}}" for keyid, last in policy.revoked.items())]
    return "\n".join(lines) + "\n"


def _floors_text(lifecycles: Mapping[str, Floors]) -> Iterator[str]:
    """The floors, each in one line of JSON, which is YAML."""
    yield "lifecycles:" if lifecycles else "lifecycles: {}"
    for name, floors in lifecycles.items():
        yield f"  {scalar(name)}: {compact(floors.to_document()).decode()}"


def _key(keyid: str, value: object) -> KeyRecord:
    place = f"keys.{keyid:.64}"
    _demand(is_digest(keyid), place, "must be named by its key id, a SHA-256 in hex")
    fields = _object(value, place, required=("scheme", "public"))
    _demand(fields["scheme"] in SCHEMES, f"{place}.scheme", f"must be one of {', '.join(SCHEMES)}")
    _demand(isinstance(fields["public"], str), f"{place}.public", "must be a public key in PEM")
    return KeyRecord(keyid, fields["scheme"], fields["public"])


def _role(name: str, value: object, known: Mapping[str, KeyRecord]) -> Role:
    place = f"roles.{name:.64}"
    _demand(name_problem(name) is None, place, "must be a valid name")
    fields = _object(value, place, required=("keys", "may", "quorum"))
    keys, quorum = _texts(fields["keys"], f"{place}.keys"), fields["quorum"]
    _demand(bool(keys) and all(key in known for key in keys), f"{place}.keys", "must name keys that stand under 'keys'")
    possible = type(quorum) is int and 1 <= quorum <= len(keys)
    _demand(possible, f"{place}.quorum", "must be from 1 to the number of the role's keys")
    return Role(keys, _texts(fields["may"], f"{place}.may"), quorum)


def _floors(name: str, value: object) -> Floors:
    place = f"lifecycles.{name:.64}"
    _demand(name_problem(name) is None, place, "must be a valid name")
    try:
        return Floors.from_document(_object(value, place))
    except PlanInvalid as error:
        said = "; ".join(problem.message for problem in error.problems) or str(error)
        raise PlanInvalid(f"{place}: {said}") from error


def _revocation(keyid: str, value: object) -> int:
    place = f"revoked.{keyid:.64}"
    _demand(is_digest(keyid), place, "must be named by its key id, a SHA-256 in hex")
    last = _object(value, place, required=("last",))["last"]
    _demand(type(last) is int and 0 <= last < 1 << 53, f"{place}.last", "must be the index of an entry")
    return int(last)


def _object(value: object, place: str, required: tuple[str, ...] | None = None) -> Mapping[str, Any]:
    _demand(isinstance(value, Mapping), place, "must be a mapping")
    fields: Mapping[str, Any] = value  # type: ignore[assignment]
    _demand(all(isinstance(name, str) for name in fields), place, "must have names as its keys")
    if required is not None and set(fields) != set(required):
        odd = min(set(fields) ^ set(required))
        raise PlanInvalid(f"{place}: {'unknown' if odd in fields else 'missing'} field {odd!r}")
    return fields


def _texts(value: object, place: str) -> tuple[str, ...]:
    listed = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    _demand(listed, place, "must be a list of texts")
    items: tuple[str, ...] = tuple(value)  # type: ignore[arg-type]
    _demand(len(set(items)) == len(items), place, "names something twice")
    return items


def _demand(holds: bool, place: str, rule: str) -> None:  # noqa: FBT001 - a claim, not a switch
    if not holds:
        raise PlanInvalid(f"{place} {rule}")


def _key_text(pem: str) -> str:
    """A key over several lines, as people know keys; any other text in quotes."""
    if _PEM.fullmatch(pem) is None:
        return quoted(pem)
    return "\n      ".join(("|", *pem.splitlines()))


_PEM = re.compile(r"(?:[A-Za-z0-9+/=-][A-Za-z0-9+/= -]*\n)+")
