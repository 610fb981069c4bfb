"""The ledger: what is appended here happened, and what is not here did not.

One writer at a time holds the lock, admits what others wrote since, decides on that state, and writes for all who
wait with one write and one sync. A deciding entry is sealed by a checkpoint before anybody is told. A line is never
changed; only what a crash tore off the end is moved aside, to a file that is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from noa_mlops.errors import LedgerConflict, LedgerTampered, NotAuthorised, NotFound
from noa_mlops.evidence import LogCheckpoint, SigningKey
from noa_mlops.files import make_directories, sync_directory
from noa_mlops.ledger.batch import Batch, Clock, entry_of, unsealed
from noa_mlops.ledger.entry import Draft, LedgerEntry, timestamp
from noa_mlops.ledger.group import Group
from noa_mlops.ledger.growing import GrowingFile
from noa_mlops.ledger.heads import head_record
from noa_mlops.ledger.keystore import KeyRing, KeyStore
from noa_mlops.ledger.law import GENESIS_FORMAT, admit, admit_together
from noa_mlops.ledger.lock import Lock, refuse_network_file_system
from noa_mlops.ledger.objects import put_object
from noa_mlops.ledger.pins import KnownLogs, Pin
from noa_mlops.ledger.reader import LedgerReader, read_lines, read_only
from noa_mlops.ledger.trust_law import TRUST, policy_digest
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.ledger.waiting import MAX_BATCH, Compose, Outcome, Request
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD, Policy
from noa_mlops.version import VERSION

SEAL_EVERY = 1000
"""Entries after which the ledger is sealed although none of them decides."""

LOCK_TIMEOUT = 30.0
"""Seconds that a writer waits for another one."""


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def now() -> str:
    """The time of day as entries write it: RFC 3339 in UTC, to the millisecond."""
    return timestamp(utc_now())


@dataclass(frozen=True, slots=True)
class _Files:
    """What an open ledger holds: its keys, the one it signs lines with, the lines, the checkpoints."""

    keys: KeyRing
    key: SigningKey
    lines: GrowingFile
    heads: GrowingFile


class Ledger(LedgerReader):
    """A ledger open for appending; use it in a ``with`` block, or `close` it.

    Threads may share one. ``recovered`` names the file to which a torn tail was moved, None when there was none.
    """

    def __init__(self, layout: Layout, *, clock: Clock, timeout: float, pins: KnownLogs | None) -> None:
        super().__init__(layout)
        self._pins = pins or KnownLogs()
        self.recovered: Path | None = None
        self._clock = clock
        self._timeout = timeout
        self._lock = Lock(layout.lock)
        self._group = Group(self._write, timeout)
        self._files: _Files | None = None
        self._durable: set[str] = set()

    @property
    def keys(self) -> KeyRing:
        """The private keys of this ledger, for the policy in force."""
        self._signer()
        return self._opened().keys

    @property
    def in_charge(self) -> bool:
        """Whether the runtime's key of the policy in force is here, or only that of the policy to come."""
        return self._policy().allows(self._signer().public.keyid, SIGN_HEAD)

    @property
    def key(self) -> SigningKey:
        """The runtime's key for the policy in force."""
        return self._signer()

    @classmethod
    def create(
        cls,
        layout: Layout,
        name: str,
        keystore: KeyStore,
        *,
        clock: Clock = utc_now,
        timeout: float = LOCK_TIMEOUT,
        pins: KnownLogs | None = None,
    ) -> Ledger:
        """Begin the ledger of a project with new keys; one that exists is opened and keeps its name.

        Raises as `open` does.
        """
        make_directories(layout.evidence)
        ledger = cls(layout, clock=clock, timeout=timeout, pins=pins)
        with ledger._closed_on_error(), ledger._lock.held(timeout):
            ledger._load()
            if ledger._state.size:
                ledger._start(ledger._keys_in(keystore))
            else:
                keys = keystore.create(name)
                ledger._start(keys)
                ledger._begin(keys.policy)
                ledger._pins.begin(layout.ledger, ledger._sealed_pin())
        return ledger

    @classmethod
    def open(
        cls,
        layout: Layout,
        keystore: KeyStore,
        *,
        clock: Clock = utc_now,
        timeout: float = LOCK_TIMEOUT,
        pins: KnownLogs | None = None,
        successor: Policy | None = None,
    ) -> Ledger:
        """Open the ledger of a project for appending; what a crash tore off its end is moved aside.

        ``successor`` is the policy that is about to be put in force: where the runtime's key is lost, the one that it names
        signs, and the law admits nothing of it but that change. Raises `NotFound` when there is none, `LedgerTampered` when it does not verify (then nothing is written),
        `NotAuthorised` without its keys, `LedgerConflict` when it cannot be locked or written.
        """
        if not layout.evidence.is_dir():
            raise NotFound(f"there is no ledger in {layout.evidence}", hint="'noa init' begins a project.")
        ledger = cls(layout, clock=clock, timeout=timeout, pins=pins)
        with ledger._closed_on_error(), ledger._lock.held(timeout):
            ledger._load()
            if ledger._state.size == 0:
                raise NotFound(f"there is no ledger in {layout.evidence}", hint="'noa init' begins a project.")
            ledger._start(ledger._keys_in(keystore), successor)
        return ledger

    @staticmethod
    def read_only(layout: Layout, pins: KnownLogs | None = None) -> LedgerReader:
        """The ledger up to its newest checkpoint: no key, no lock. Raises `NotFound` or `LedgerTampered`."""
        return read_only(layout, pins or KnownLogs())

    def append(self, compose: Compose) -> LedgerEntry:
        """Append what ``compose`` makes of the newest state; when this returns the entry is durable.

        ``compose`` runs under the lock and may raise: then nothing is written. A deciding entry is sealed as
        well. Threads that append at the same time share one sync. Raises `LedgerConflict` when the law does not
        admit the draft or it could not be written.
        """
        return entry_of(self._group.ask(Request((compose,)))[0])

    def append_many(self, composes: Iterable[Compose]) -> list[Outcome]:
        """Append several entries with as few syncs as possible; for each its entry, or the error that `append` raises.

        Each sees the state that those before it make; one that raises leaves no entry and does not hurt the others.
        """
        outcomes: list[Outcome] = []
        remaining = iter(composes)
        while some := tuple(islice(remaining, MAX_BATCH)):
            outcomes += self._group.ask(Request(some))
        return outcomes

    async def append_async(self, compose: Compose) -> LedgerEntry:
        """Like `append`, for coroutines: all that wait at a time share one sync, and no loop is blocked.

        ``compose`` runs in another thread. When this is cancelled, the entry may still be written.
        """
        return entry_of(await self._group.ask_async(compose))

    def refresh(self) -> None:
        """Admit what other writers have appended since."""
        with self._alone():
            self._catch_up()

    def seal(self) -> None:
        """Sign the head over all entries, durably, unless that has been done."""
        with self._alone():
            self._catch_up()
            self._seal()

    def put_object(self, data: bytes) -> str:
        """Store bytes that a line will name; durable when this returns their SHA-256. Raises `LedgerConflict`."""
        digest = put_object(self.layout.objects, data, self._durable)
        self._durable.add(digest)
        return digest

    def close(self) -> None:
        """Seal what is not sealed and give the files back. A writer that a failure has stopped only gives back."""
        files = self._files
        if files is None:
            return
        try:
            if self._sealed < self._state.size and not (files.lines.stopped or files.heads.stopped):
                self.seal()
            self._pins.raise_to(self.layout.ledger, self._sealed_pin())
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread, no other process."""
        mutex = self._group.mutex
        if not mutex.acquire(timeout=self._timeout):
            raise LedgerConflict("the ledger is in use by another thread of this process")
        try:
            files = self._opened()
            files.lines.check()
            files.heads.check()
            with self._lock.held(self._timeout):
                yield
        finally:
            mutex.release()

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._release()
            raise

    def _load(self) -> None:
        """Fold the whole ledger; nothing is written."""
        refuse_network_file_system(self.layout.evidence)
        seen = self._pins.pin(self.layout.ledger)
        super().refresh()
        if self._state.size:
            if self._sealed:
                self.hold(self._pins, seen)
            self._fold_tail()

    def _start(self, keys: KeyRing, successor: Policy | None = None) -> None:
        """Become its writer: the key, the files, and what a crash left."""
        key = _runtime_key(keys, successor)
        lines = GrowingFile(self.layout.ledger)
        try:
            heads = GrowingFile(self.layout.log_checkpoints)
        except BaseException:
            lines.close()
            raise
        self._files = _Files(keys, key, lines, heads)
        self._recover()

    def _begin(self, policy: Policy) -> None:
        """Write genesis, every folder on the way to it durable."""
        folder = self.layout.evidence
        for parent in (folder, *folder.parents):
            if not parent.is_relative_to(self.layout.project):
                break
            sync_directory(parent)
        request = Request((lambda _: self._genesis(policy),))
        self._commit((request,))
        entry_of(request.outcomes[0])

    def _catch_up(self) -> None:
        """Admit what others wrote since; when the file has not grown, nothing is read."""
        lines = self._opened().lines
        if lines.length() == lines.size:
            return
        size, start = self._state.size, self._ends[-2]
        if sha256(lines.read(lines.size - start, start)[:-1]) != self._state.head:
            raise LedgerTampered(f"{self.layout.ledger}: entry {size - 1} is no longer what it was")
        super().refresh()
        self._fold_tail()
        self._recover()

    def _fold_tail(self) -> None:
        """Admit the lines that no checkpoint vouches for yet, up to the first that is not admitted."""
        lines = read_lines(self.layout.ledger, self._ends[-1])
        while some := list(islice(lines, SEAL_EVERY)):
            whole = some[-1].endswith(b"\n")
            states = admit_together(self._state, [line[:-1] for line in some]) if whole else None
            if states is not None:
                for state, line in zip(states, some, strict=True):
                    self._advance(state, line)
            elif not self._fold_each(some):
                return

    def _fold_each(self, lines: Iterable[bytes]) -> bool:
        """Admit lines one by one, up to the first that is not admitted; whether all were."""
        for line in lines:
            after = admit(self._state, line[:-1]) if line.endswith(b"\n") else Refusal("is torn")
            if isinstance(after, Refusal):
                if after.authentic:
                    raise LedgerTampered(
                        f"{self.layout.ledger}: entry {self._state.size} {after.reason}, yet it is signed",
                        hint="A newer version may have written it: use that one. Else run 'noa verify'.",
                    )
                return False
            self._advance(after, line)
        return True

    def _recover(self) -> None:
        """Move what was torn aside, make what others left durable, and seal a decision that nobody sealed."""
        lines = self._opened().lines
        lines.size = self._ends[-1]
        self.recovered = lines.set_aside(self._stamp()) or self.recovered
        self._find_head()
        if self._sealed < self._state.size:
            lines.sync()
        if self._state.decided is not None and self._state.decided >= self._sealed:
            self._seal()

    def _write(self, take: Callable[[], Sequence[Request]]) -> None:
        """Write a batch of requests, taken when nobody else can write. Raises when nothing was recorded."""
        with self._alone():
            self._catch_up()
            self._commit(take())

    def _commit(self, requests: Sequence[Request]) -> None:
        """Compose, write, sync and, when that is due, seal: once for all requests."""
        batch = Batch(self._state, self._signer() if self._state.size else self._opened().key, self._clock)
        for request in requests:
            request.outcomes = [batch.add(compose) for compose in request.composes]
        if not batch.entries:
            return
        self._opened().lines.append(batch.data())
        for entry, state in zip(batch.entries, batch.states, strict=True):
            self._advance(state, entry.line + b"\n")
        deciding = batch.deciding()
        if deciding is not None or self._state.size - self._sealed >= SEAL_EVERY:
            self._seal_batch(requests, self._state.size - 1 if deciding is None else deciding)

    def _seal_batch(self, requests: Sequence[Request], since: int) -> None:
        """Seal once for all; when that fails, so does every entry from index ``since`` on."""
        try:
            self._seal()
        except LedgerConflict as error:
            for request in requests:
                request.outcomes = [unsealed(outcome, since, error) for outcome in request.outcomes]

    def _seal(self) -> None:
        heads = self._opened().heads
        if heads.length() != heads.size:
            self._find_head()
        if self._sealed >= self._state.size or not self.in_charge:
            return
        policy = self._state.policies[-1].entry
        head = LogCheckpoint(self.origin, self._state.size, self._state.frontier.root(), policy)
        heads.append(head_record(head, self._signer()))
        self._sealed = head.size

    def _find_head(self) -> None:
        """Learn what others have sealed; a torn record is moved aside."""
        heads = self._opened().heads
        newest = self._newest_record()
        self._fold_to(newest)
        heads.size = newest.end
        torn = heads.set_aside(self._stamp())
        self.recovered = self.recovered or torn

    def _genesis(self, policy: Policy) -> Draft:
        document = policy.to_document()
        return Draft(
            type="Genesis",
            predicate_type=TRUST,
            predicate={"format": GENESIS_FORMAT, "policy": document, "created_with": VERSION},
            subject=[{"name": "policy", "digest": {"sha256": policy_digest(policy)}}],
        )

    def _sealed_pin(self) -> Pin:
        """The newest head, as a pin."""
        return Pin(self.origin, self._sealed, self.root_at(self._sealed))

    def _keys_in(self, keystore: KeyStore) -> KeyRing:
        """The keys of this ledger; the first policy says where they lie."""
        return keystore.find(self._policy(), self._state.policies[0].policy)

    def _signer(self) -> SigningKey:
        """The key that signs for the policy in force, which may have changed since the ledger was opened."""
        files, policy = self._opened(), self._policy()
        if files.keys.policy != policy:
            ring = KeyRing(files.keys.folder, policy)
            self._files = files = _Files(ring, ring.signing_key("verifier"), files.lines, files.heads)
        return files.key

    def _policy(self) -> Policy:
        if self._state.policy is None:
            raise NotFound(f"there is no ledger in {self.layout.evidence}", hint="'noa init' begins a project.")
        return self._state.policy

    def _opened(self) -> _Files:
        if self._files is None:
            raise LedgerConflict("the ledger is closed", hint="Open it again.")
        return self._files

    def _stamp(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    def _release(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.lines.close()
            files.heads.close()
        self._lock.close()
        self._group.close()


def _runtime_key(keys: KeyRing, successor: Policy | None) -> SigningKey:
    """The key that signs lines; where it is lost, the one that the next policy names. Raises `NotAuthorised`."""
    try:
        return keys.signing_key("verifier")
    except NotAuthorised:
        if successor is None:
            raise
        return KeyRing(keys.folder, successor).signing_key("verifier")
