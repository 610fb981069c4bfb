"""``noa gate``: may this be rolled out? From ``registry/`` and the origin alone, so a fresh runner needs nothing else.

The registry log holds the ledger lines that decide, each signed by itself, and a signed head is over all of it. Keys come
from the first line, which the origin names, and from the changes of policy after it. Whatever does not hold is refused:
nothing is ready unless the log was read whole and verified. An older copy of the log with its older head verifies as
well; how old the newest entry may be is the asker's to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from noa_mlops.errors import LedgerTampered, LifecycleError, NotFound
from noa_mlops.evidence import Frontier, LogCheckpoint, NoteInvalid, claimed_size, leaf_hash, parse_checkpoint
from noa_mlops.files import open_beneath, read_capped
from noa_mlops.ledger import (
    LedgerEntry,
    LedgerState,
    Refusal,
    admit,
    distrust,
    follow_policy,
    head_keys,
    read_authentic,
    signers_of,
)
from noa_mlops.records.documents import DocumentInvalid, parse_object
from noa_mlops.records.events import LedgerLine
from noa_mlops.records.layout import address
from noa_mlops.records.policy import SIGN_HEAD
from noa_mlops.registry import project
from noa_mlops.registry.comparison import MAX_HEAD
from noa_mlops.registry.lines import MAX_LINE
from noa_mlops.registry.writing import standing_still

CROWNING = frozenset({"PromotionReady", "RolloutEnabled", "RolledBack", "Overridden"})
"""Entries after which another version may be the champion."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Whether a lifecycle's champion may be rolled out: by its newest line, at ``entry``.

    ``until`` is when an override ends, None without one; ``crowned`` the entry that made it the champion.
    """

    lifecycle_id: str
    champion: int | None
    status: str
    entry: int
    crowned: int | None = None
    until: str | None = None

    def at(self, moment: str) -> str:
        """``ready`` or ``blocked`` at a time, RFC 3339 in UTC; without a champion there is nothing to roll out."""
        expired = self.until is not None and moment >= self.until
        return "blocked" if self.champion is None or expired or self.status != "ready" else "ready"


@dataclass(slots=True)
class RegistryLog:
    """A registry log that was read whole and verified: the rollout of each lifecycle, and the time of the newest entry."""

    origin: str
    lines: int = 0
    newest: str = ""
    rollouts: dict[str, Rollout] = field(default_factory=dict)


def read_registry(folder: Path, origin: str) -> RegistryLog:
    """Read and verify the log in ``folder``. Raises `LedgerTampered` for anything that does not hold, saying what."""
    path, head = folder / "ml_artifacts.log", folder / "checkpoint"
    with standing_still(path):
        note, lines = _read(head, MAX_HEAD), _lines(path)
    log, state, frontier, crowns = RegistryLog(origin), LedgerState(), Frontier(), dict[str, LedgerEntry]()
    claimed = claimed_size(note)
    for number, line in enumerate(lines, start=1):
        if claimed is not None and number > claimed:
            raise LedgerTampered(f"{head} is over {claimed} lines, and there are more")
        fields = _fields(path, number, line)
        state, entry = _admitted(path, number, (line, fields), state, origin)
        frontier = frontier.push(leaf_hash(line))
        log.lines, log.newest = number, entry.ts
        if entry.lifecycle_id is not None:
            _note(log, crowns, fields["rollout"], entry)
    keys = head_keys(state.policy, SIGN_HEAD) if state.policy is not None else ()
    name = f"{origin}/registry"
    try:
        signed = parse_checkpoint(note, name, keys)
    except NoteInvalid as error:
        raise LedgerTampered(f"{head} {error}") from error
    if signed != LogCheckpoint(name, frontier.size, frontier.root()):
        raise LedgerTampered(f"{head} is over {signed.size} other lines than the {frontier.size} that are there")
    for lifecycle_id, entry in crowns.items():
        if reason := _distrusted(state, entry):
            champion = address(lifecycle_id, log.rollouts[lifecycle_id].champion or 0)
            raise LedgerTampered(f"{champion} is the champion by entry {entry.seq}, which {reason}")
    return log


def rollouts_of(log: RegistryLog, lifecycle_id: str | None) -> tuple[Rollout, ...]:
    """The rollout of a lifecycle, or of every one that has a champion. Raises `NotFound` when there is none."""
    if lifecycle_id is None:
        found = tuple(rollout for rollout in log.rollouts.values() if rollout.champion is not None)
        if not found:
            raise NotFound("the registry log names no champion, so there is nothing to roll out")
        return found
    if lifecycle_id not in log.rollouts:
        raise NotFound(f"the registry log knows no lifecycle {lifecycle_id!r:.80}")
    return (log.rollouts[lifecycle_id],)


def _read(path: Path, limit: int) -> bytes:
    try:
        with open_beneath(path.parent, path.name) as stream:
            data = read_capped(stream, limit)
    except (OSError, LifecycleError) as error:
        raise LedgerTampered(f"{path} cannot be read ({error})") from error
    if not data:
        raise LedgerTampered(f"{path} is {'empty' if data is not None else 'too large'}")
    return data


def _lines(path: Path) -> Iterator[bytes]:
    """The lines, without their newlines, of what is there now and no more; one at a time, however many there are."""
    try:
        stream = open_beneath(path.parent, path.name)
        size = os.fstat(stream.fileno()).st_size
    except (OSError, LifecycleError) as error:
        raise LedgerTampered(f"{path} cannot be read ({error})") from error
    if size == 0:
        stream.close()
        raise LedgerTampered(f"{path} is empty")
    return _read_lines(path, stream, size)


def _read_lines(path: Path, stream: BinaryIO, left: int) -> Iterator[bytes]:
    with stream:
        while left:
            try:
                line = stream.readline(min(MAX_LINE, left))
            except OSError as error:
                raise LedgerTampered(f"{path} cannot be read ({error})") from error
            left -= len(line)
            if not line.endswith(b"\n"):
                raise LedgerTampered(f"{path} ends in a line that was cut")
            yield line[:-1]


def _fields(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    """What a line says, its form not yet checked beyond that of a document with a ledger line in it."""
    try:
        fields = parse_object(line, limit=MAX_LINE)
    except DocumentInvalid as error:
        raise LedgerTampered(f"{path} line {number} is no line of a registry log ({error})") from error
    if not isinstance(fields.get("line"), str):
        raise LedgerTampered(f"{path} line {number} is no line of a registry log (it holds no ledger line)")
    return fields


def _admitted(
    path: Path, number: int, read: tuple[bytes, Mapping[str, Any]], state: LedgerState, origin: str
) -> tuple[LedgerState, LedgerEntry]:
    """The entry in a line, authentic and in its order, and the state with the policy that holds after it."""
    line, fields = read
    inner = fields["line"].encode()

    def wrong(reason: str) -> LedgerTampered:
        return LedgerTampered(f"{path} line {number} {reason}")

    if number == 1:
        after = admit(state, inner)
        if isinstance(after, Refusal):
            raise wrong(after.reason)
        if after.origin != origin:
            raise wrong(f"begins the log {after.origin}, not {origin}")
        entry = read_authentic(_policy(after), inner)
    else:
        entry, after = read_authentic(_policy(state), inner), state
    if isinstance(entry, Refusal):
        raise wrong(entry.reason)
    if number > 1:
        after = _followed(state, entry)
        if isinstance(after, Refusal):
            raise wrong(after.reason)
    if not _shows(line, fields, entry):
        raise wrong("says something else than the entry in it")
    return after, entry


def _followed(state: LedgerState, entry: LedgerEntry) -> LedgerState | Refusal:
    """The state after a later line: a change of policy under the law, any other by a key that may sign it."""
    if entry.seq < state.size:
        return Refusal(f"has the number {entry.seq}, but {state.size} entries come before it")
    if entry.type == "PolicyChanged":
        after = follow_policy(state, entry)
    else:
        allowed = _policy(state).allows(entry.keyid, entry.type)
        after = state if allowed else Refusal(f"is signed by a key that may not sign {entry.type}")
    return after if isinstance(after, Refusal) else replace(after, size=entry.seq + 1)


def _policy(state: LedgerState) -> Any:
    if state.policy is None:
        raise LedgerTampered("the registry log has no policy")
    return state.policy


def _shows(line: bytes, fields: Mapping[str, Any], entry: LedgerEntry) -> bool:
    """Whether the readable fields are those that the entry gives, beside the rollout that the head vouches for."""
    rollout = fields.get("rollout") or {"champion": None, "status": "ready"}
    if not isinstance(rollout, Mapping) or not {"champion", "status"} <= rollout.keys() <= {
        "champion",
        "status",
        "until",
    }:
        return False
    told = LedgerLine(entry.seq, entry.type, entry.line, rollout["champion"], rollout["status"], rollout.get("until"))
    return project(told) == line


def _note(log: RegistryLog, crowns: dict[str, LedgerEntry], rollout: Mapping[str, Any], entry: LedgerEntry) -> None:
    """Keep the rollout after a line, and the entry that made the champion the champion."""
    name = entry.lifecycle_id or ""
    before = log.rollouts.get(name)
    crowned = before.crowned if before is not None else None
    new = before is None or before.champion != rollout["champion"] or entry.type == "Overridden"
    if new and entry.type in CROWNING and entry.version == rollout["champion"]:
        crowned, crowns[name] = entry.seq, entry
    log.rollouts[name] = Rollout(name, rollout["champion"], rollout["status"], entry.seq, crowned, rollout.get("until"))


def _distrusted(state: LedgerState, entry: LedgerEntry) -> str | None:
    """Why the entry that made a champion is not trusted any more: its signer, or who decided it."""
    if reason := distrust(state.policies, entry.seq, entry.keyid):
        return reason
    gone = [key for key in signers_of(entry) if distrust(state.policies, entry.seq, key) is not None]
    return f"was decided by the key {gone[0][:16]}, which is not trusted any more" if gone else None
