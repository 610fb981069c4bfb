"""The policies of a proof: who could sign what, at which place of the log, and which of it is still trusted.

The first policy stands in genesis, which the origin names. Each later one is judged by the law of the log, under the
policy before it. An act answers the entry of the policy that it replaces, so none can be missing in between; the
checkpoint names the entry of the last one, so none can be missing at the end.
"""

from __future__ import annotations

from itertools import pairwise

from noa_mlops.audit.proof import PortableProof, ProvenLine
from noa_mlops.evidence import LogCheckpoint, NoteInvalid, StatementInvalid, parse_checkpoint, split_line
from noa_mlops.ledger import (
    EntryInvalid,
    LedgerEntry,
    LedgerState,
    Refusal,
    admit,
    follow_policy,
    head_keys,
    read_authentic,
    read_entry,
)
from noa_mlops.records.documents import sha256
from noa_mlops.records.policy import SIGN_HEAD, Policy


class NotProven(Exception):
    """Something that does not hold: at the entry with the index ``entry``, None for the proof as a whole, and why."""

    def __init__(self, entry: int | None, reason: str) -> None:
        super().__init__(reason)
        self.entry = entry
        self.reason = reason


def fold_policies(proof: PortableProof) -> LedgerState:
    """The state after the first line, with all policies that the proof shows, the newest last. Raises `NotProven`."""
    state = _genesis(proof.lines[0])
    for before, proven in pairwise(proof.lines):
        if not changes_policy(proven.line):
            continue
        entry = read_in_place(state.policy, before, proven)
        after = follow_policy(state, entry)
        if isinstance(after, Refusal):
            raise NotProven(entry.seq, after.reason)
        state = after
    return state


def signed_head(proof: PortableProof, state: LedgerState) -> LogCheckpoint:
    """The head that a key of the last policy signed, and that names this policy as the last. Raises `NotProven`."""
    newest = state.policies[-1]
    try:
        head = parse_checkpoint(proof.checkpoint, state.origin or "", head_keys(newest.policy, SIGN_HEAD))
    except NoteInvalid as error:
        raise NotProven(None, f"the checkpoint {error}") from error
    if head.policy != newest.entry:
        named = "no policy" if head.policy is None else f"the policy of entry {head.policy}"
        raise NotProven(
            None, f"the checkpoint names {named}; the last one that is shown is that of entry {newest.entry}"
        )
    return head


def changes_policy(line: bytes) -> bool:
    """Whether a line says that it changes the policy; nothing of it is checked."""
    try:
        return read_entry(line, split_line(line)).type == "PolicyChanged"
    except (StatementInvalid, EntryInvalid):
        return False


def read_in_place(policy: Policy | None, before: ProvenLine, proven: ProvenLine) -> LedgerEntry:
    """The entry in a line that a key of ``policy`` signed and that stands in its place. Raises `NotProven`."""
    index = proven.inclusion.index
    entry = Refusal("has no policy") if policy is None else read_authentic(policy, proven.line)
    if isinstance(entry, Refusal):
        raise NotProven(index, entry.reason)
    if entry.seq != index:
        raise NotProven(index, f"has the number {entry.seq} in the place of {index}")
    if before.inclusion.index == index - 1 and entry.prev != sha256(before.line):
        raise NotProven(index, "does not follow the line before it")
    return entry


def _genesis(first: ProvenLine) -> LedgerState:
    """The state after the first line, from which keys and origin follow."""
    after = admit(LedgerState(), first.line)
    if isinstance(after, LedgerState) and first.inclusion.index == 0:
        return after
    reason = after.reason if isinstance(after, Refusal) else "is genesis, but not said to be the first line"
    raise NotProven(first.inclusion.index, f"{reason}; nothing after it can be judged")
