"""What people decided, as events: decoded acts, beside the entries of versions in `noa_mlops.records.events`."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import DriftScanned, LifecycleEvent, Recorded, decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(LifecycleEvent):
    """A decision of people: ``by`` are the keys that signed it, ``reason`` the digest of the object that says why."""

    by: Sequence[str]
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Investigated(Decided):
    """Somebody has looked at the ``incident``, the entry that blocked the rollout, by the ``report`` of its scan."""

    incident: int
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEnabled(Decided):
    """An operator enabled the version; it is the champion once as many have as its plan asks for."""

    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden(Decided):
    """The version is in force against the gate's word until it ``expires``."""

    checksum: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Decided):
    """The version is the champion again."""

    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed(Decided):
    """The version runs in the ``target``."""

    checksum: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(Decided):
    """Another policy is in force, by its digest. It concerns the whole project: no lifecycle, version 0."""

    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted(Decided):
    """An object was taken out of the evidence, by its digest. It concerns the whole project: no lifecycle, version 0."""

    object: str


def told(statement: Mapping[str, Any]) -> Recorded | DriftScanned | Decided | None:
    """What subscribers are told of a ledger line already admitted; None for genesis, which tells them nothing."""
    header = statement["noa_entry"]
    make = _ACTS.get(header["type"])
    if make is None:
        return decode(statement)
    envelope = statement["predicate"]["act"]
    payload = binascii.a2b_base64(envelope["payload"])
    act = parse_object(payload, limit=len(payload))
    common = {
        "lifecycle_id": header.get("lifecycle_id") or "",
        "version": header.get("version") or 0,
        "seq": header["seq"],
        "timestamp": header["ts"],
        "by": tuple(signature["keyid"] for signature in envelope["signatures"]),
        "reason": act["reason"],
    }
    kind, members = make
    digest = statement["subject"][0]["digest"]["sha256"]
    return kind(**common, **{name: digest if where is None else act["scope"][where] for name, where in members.items()})


_ACTS: Mapping[str, tuple[type[Decided], Mapping[str, str | None]]] = {
    "Investigated": (Investigated, {"incident": "incident", "report": None}),
    "RolloutEnabled": (RolloutEnabled, {"checksum": None}),
    "Overridden": (Overridden, {"checksum": None, "expires": "expires"}),
    "RolledBack": (RolledBack, {"checksum": None}),
    "Deployed": (Deployed, {"checksum": None, "target": "target"}),
    "PolicyChanged": (PolicyChanged, {"policy": None}),
    "Redacted": (Redacted, {"object": None}),
}
"""The event of each act, and its members: the name in the scope of the act, or None for the digest of the subject."""
