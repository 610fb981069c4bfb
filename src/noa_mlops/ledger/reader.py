"""Reading the ledger: no key, no lock, nothing written; a writer may append at the same time.

What the newest checkpoint vouches for is folded into the state. What lies beyond it only tells that something
is going on: it is `pending`.
"""

from __future__ import annotations

import itertools
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

from noa_mlops.errors import LedgerConflict, LedgerTampered, NotFound
from noa_mlops.evidence import MAX_LINE, LogCheckpoint, PublicKey, StatementInvalid, leaf_hash, root_of, split_line
from noa_mlops.files import open_beneath
from noa_mlops.ledger.entry import EntryInvalid, LedgerEntry, read_sealed
from noa_mlops.ledger.heads import NewestRecord, checked_head, claimed_size, newest_record, policy_problem
from noa_mlops.ledger.law import Admission, admit, admit_sealed, examine, follow, head_keys, read_authentic
from noa_mlops.ledger.objects import get_object
from noa_mlops.ledger.pins import KnownLogs, Pin
from noa_mlops.ledger.state import LedgerState
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD

_Admitted = TypeVar("_Admitted", LedgerState, Admission)

_REMEMBERED = 256
"""How many of the newest states are kept, so that reading on from one of them folds nothing again."""


class LedgerReader:
    """A ledger, as far as its newest checkpoint vouches for it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        """Where the files of the project lie."""
        self._state = LedgerState()
        self._states = deque([self._state], maxlen=_REMEMBERED)
        self._ends = array("Q", [0])
        self._sealed = 0
        self._note = b""

    @property
    def state(self) -> LedgerState:
        """The state after the entries read so far."""
        return self._state

    @property
    def origin(self) -> str:
        """The one string where trust starts: ``<name>/<sha256 of the genesis line>``."""
        if self._state.origin is None:
            raise NotFound(f"there is no ledger in {self.layout.evidence}")
        return self._state.origin

    @property
    def sealed_size(self) -> int:
        """How many entries the newest checkpoint seen vouches for."""
        return self._sealed

    @property
    def checkpoint(self) -> bytes:
        """The newest checkpoint seen, as it was signed; empty before the first."""
        return self._note

    @property
    def all_head_keys(self) -> tuple[PublicKey, ...]:
        """The keys that may sign heads, or could once."""
        keys = (key for place in self._state.policies for key in head_keys(place.policy, SIGN_HEAD))
        return tuple({key.keyid: key for key in keys}.values())

    @property
    def data_roots(self) -> tuple[Path, ...]:
        """Folders outside the project from which the policy in force lets data be read."""
        policy = self._state.policy
        return () if policy is None else tuple(self.layout.project / root for root in policy.data_roots)

    @property
    def pending(self) -> tuple[LedgerEntry, ...]:
        """Entries beyond the state, each admitted; another process may be writing more."""
        state, entries = self._state, []
        for line in read_lines(self.layout.ledger, self._ends[-1]):
            result = examine(state, line[:-1]) if line.endswith(b"\n") else Refusal("is torn")
            if isinstance(result, Refusal):
                break
            state = result.state
            entries.append(result.entry)
        return tuple(entries)

    def refresh(self) -> None:
        """Read what has been sealed since. Raises `LedgerTampered`."""
        newest = self._newest_record()
        if self._state.size == 0 and not self._read_genesis(newest):
            return
        self._fold_to(newest)

    def entries(self, start: int = 0) -> Iterator[tuple[LedgerEntry, LedgerState]]:
        """Each entry from index ``start`` with the state after it, every signature checked.

        Raises `LedgerTampered` when a line is no longer what it was.
        """
        return self._again(start, examine)

    def known_entries(self, start: int = 0) -> Iterator[tuple[LedgerEntry, LedgerState]]:
        """Like `entries`, but faster: the lines were admitted before, and the chain tells whether they still are those.

        So what it gives holds only once it has ended without `LedgerTampered`.
        """
        return self._again(start, _examine_known)

    def _again(
        self, start: int, examined: Callable[[LedgerState, bytes], Admission | Refusal]
    ) -> Iterator[tuple[LedgerEntry, LedgerState]]:
        last = self._state
        state = self._remembered(start)
        for line in read_lines(self.layout.ledger, self._ends[state.size]):
            if state.size == last.size:
                break
            entry, state = self._demand(examined(state, line.removesuffix(b"\n")), state)
            if entry.seq >= start:
                yield entry, state
        if state.size == last.size and state.head != last.head:
            raise LedgerTampered(f"{self.layout.ledger}: entry {state.size - 1} is no longer what it was")
        if state.size < last.size:
            raise LedgerTampered(f"{self.layout.ledger} holds {state.size} entries; {last.size} were known")

    def entry(self, seq: int) -> LedgerEntry:
        """The entry at an index. Raises `IndexError`, or `LedgerTampered` when its line is not what it was."""
        policy = self._state.policy_at(seq)
        if policy is None or not 0 <= seq < self._state.size:
            raise IndexError(f"the ledger has no entry {seq}")
        line = self._line(seq)
        entry = read_authentic(policy, line[:-1])
        if isinstance(entry, Refusal) or entry.seq != seq or not line.endswith(b"\n") or self._is_foreign(entry):
            raise LedgerTampered(f"{self.layout.ledger}: entry {seq} is no longer what it was")
        return entry

    def _line(self, seq: int) -> bytes:
        with open_beneath(self.layout.evidence, self.layout.ledger.name) as stream:
            stream.seek(self._ends[seq])
            return stream.read(self._ends[seq + 1] - self._ends[seq])

    def _is_foreign(self, entry: LedgerEntry) -> bool:
        """Whether this is a change of policy, which its own key may have signed, but not the one that was admitted."""
        place = self._state.place_at(entry.seq + 1)
        known = place is not None and place.leaf == leaf_hash(entry.line).hex()
        return entry.type == "PolicyChanged" and not known

    def history(self, lifecycle_id: str, version: int) -> tuple[LedgerEntry, ...]:
        """The entries of one version, in order; none when there is no such version."""
        state = self._state.version(lifecycle_id, version)
        return () if state is None else tuple(self.entry(seq) for seq in state.seqs)

    def digests(self, lifecycle_id: str, version: int) -> Mapping[int, str]:
        """The digests of the lines of one version by their index, in order, read again and the same as when they were admitted.

        Raises `LedgerTampered` for a line that is not what it was.
        """
        state = self._state.version(lifecycle_id, version)
        return {} if state is None else {seq: self._digest(seq) for seq in state.seqs}

    def _digest(self, seq: int) -> str:
        after = self._remembered(seq + 1)
        if after.size != seq + 1:
            return self.entry(seq).digest
        line = self._line(seq)
        if sha256(line[:-1]) != after.head or not line.endswith(b"\n"):
            raise LedgerTampered(f"{self.layout.ledger}: entry {seq} is no longer what it was")
        return after.head

    def root_at(self, size: int) -> bytes:
        """The root over the first ``size`` entries, which must have been read."""
        state = self._remembered(size)
        if state.size == size:
            return state.frontier.root()
        lines = itertools.islice(read_lines(self.layout.ledger), size)
        return root_of(leaf_hash(line.removesuffix(b"\n")) for line in lines)

    def hold(self, pins: KnownLogs, seen: Pin | None) -> None:
        """Hold what was read against the pin ``seen`` before it was read, and raise the pin. Raises `LedgerTampered`."""
        if seen is not None:
            pins.check(self.layout.ledger, seen, self.origin, self._sealed, self.root_at)
        pins.raise_to(self.layout.ledger, Pin(self.origin, self._sealed, self.root_at(self._sealed)))

    def get_object(self, digest: str) -> bytes:
        """The object that a line names by ``digest``, its content checked. Raises `LedgerTampered`."""
        return get_object(self.layout.objects, digest)

    def _remembered(self, size: int) -> LedgerState:
        """The state after ``size`` entries when it is remembered, else the empty one."""
        place = size - self._states[0].size
        state = self._states[place] if 0 <= place < len(self._states) else LedgerState()
        # Another thread may have advanced in between, and the oldest state have left.
        return state if state.size == size else LedgerState()

    def _newest_record(self) -> NewestRecord:
        stream = _opened(self.layout.log_checkpoints)
        if stream is None:
            return NewestRecord(None, 0)
        with stream:
            descriptor = stream.fileno()
            return newest_record(_reading(descriptor), os.fstat(descriptor).st_size)

    def _read_genesis(self, newest: NewestRecord) -> bool:
        """Read the first line, from which origin and policy follow; whether there is one."""
        lines = read_lines(self.layout.ledger)
        first, more = next(lines, b""), next(lines, None) is not None
        after = admit(self._state, first.removesuffix(b"\n"))
        if isinstance(after, LedgerState) and first.endswith(b"\n"):
            # Genesis is sealed before anything else is written.
            if more and newest.note is None and self._newest_record().note is None:
                raise LedgerTampered(f"{self.layout.log_checkpoints} has lost its checkpoints")
            self._advance(after, first)
            return True
        if not first and newest.note is not None:
            raise LedgerTampered(
                f"{self.layout.ledger} is gone or empty, but {self.layout.log_checkpoints.name} vouches for what it held"
            )
        if more or newest.note is not None or (isinstance(after, Refusal) and after.authentic):
            reason = after.reason if isinstance(after, Refusal) else "is cut off"
            raise LedgerTampered(f"{self.layout.ledger}: entry 0 {reason}")
        return False

    def _fold_to(self, newest: NewestRecord) -> None:
        """Fold what the newest checkpoint vouches for, and hold the root against it.

        Only after that is it known who could sign it: the policy may have changed in between. When it does not hold,
        what was folded is forgotten.
        """
        before = self._state
        if newest.note is None or before.policy is None:
            return
        try:
            size = claimed_size(newest.note, self.origin)
            self._fold_sealed(size)
            policy = self._state.policy_at(size) or before.policy
            head = checked_head(newest.note, self.origin, head_keys(policy, SIGN_HEAD))
            self._check_root(head)
        except BaseException:
            self._return_to(before)
            raise
        self._sealed, self._note = head.size, newest.note

    def _fold_sealed(self, size: int) -> None:
        path = self.layout.ledger
        if size < self._sealed:
            raise LedgerTampered(f"{self.layout.log_checkpoints} has lost a checkpoint over {self._sealed} entries")
        for line in read_lines(path, self._ends[-1]):
            if self._state.size >= size or not line.endswith(b"\n"):
                break
            self._advance(self._demand(admit_sealed(self._state, line[:-1]), self._state), line)
        if self._state.size < size:
            raise LedgerTampered(f"{path} holds {self._state.size} entries; a checkpoint vouches for {size}")

    def _check_root(self, head: LogCheckpoint) -> None:
        if self._state.size == head.size and self._state.frontier.root() != head.root:
            path = self.layout.ledger
            raise LedgerTampered(f"{path}: the first {head.size} entries are not those that were sealed")
        if problem := policy_problem(self._state, head):
            raise LedgerTampered(f"{self.layout.log_checkpoints}: the newest checkpoint {problem}")

    def _return_to(self, state: LedgerState) -> None:
        """Forget what was folded after ``state``."""
        del self._ends[state.size + 1 :]
        self._states = deque([state], maxlen=_REMEMBERED)
        self._state = state

    def _advance(self, state: LedgerState, line: bytes) -> None:
        self._ends.append(self._ends[-1] + len(line))
        self._states.append(state)
        self._state = state

    def _demand(self, result: _Admitted | Refusal, before: LedgerState) -> _Admitted:
        if isinstance(result, Refusal):
            raise LedgerTampered(f"{self.layout.ledger}: entry {before.size} {result.reason}")
        return result


def read_only(layout: Layout, pins: KnownLogs) -> LedgerReader:
    """The ledger of a project, up to its newest checkpoint. Raises `NotFound` or `LedgerTampered`."""
    seen = pins.pin(layout.ledger)
    reader = LedgerReader(layout)
    reader.refresh()
    if reader.sealed_size == 0:
        raise NotFound(f"there is no ledger in {layout.evidence}", hint="'noa init' begins a project.")
    reader.hold(pins, seen)
    return reader


def read_lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The lines of a ledger from byte ``offset``, with their newlines; a last one may lack it, as may one too long."""
    stream = _opened(path)
    if stream is None:
        return
    with stream:
        stream.seek(offset)
        while line := stream.readline(MAX_LINE + 1):
            yield line


def _examine_known(state: LedgerState, line: bytes) -> Admission | Refusal:
    """Like `examine`, neither signature nor form."""
    try:
        entry = read_sealed(line, split_line(line))
    except (StatementInvalid, EntryInvalid) as error:
        return Refusal(str(error))
    after = follow(state, entry)
    return after if isinstance(after, Refusal) else Admission(entry, after)


def _opened(path: Path) -> BinaryIO | None:
    """The file open for reading, None when there is none. Raises `LedgerConflict` when it cannot be read."""
    try:
        return open_beneath(path.parent, path.name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerConflict(
            f"{path} cannot be read ({error.strerror})", hint="Make it readable for the user who runs this."
        ) from error


def _reading(descriptor: int) -> Callable[[int, int], bytes]:
    def read(size: int, offset: int) -> bytes:
        return os.pread(descriptor, size, offset)

    return read
