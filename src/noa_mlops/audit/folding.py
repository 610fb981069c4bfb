"""Reading the ledger once, line by line, and keeping only what the checks after it ask about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noa_mlops.audit.findings import Finding
from noa_mlops.audit.replay import Replay
from noa_mlops.audit.signatures import check_signatures
from noa_mlops.evidence import MAX_LINE, PublicKey
from noa_mlops.files import UnsafePath
from noa_mlops.ledger import (
    WRONG_SIGNATURE,
    LedgerEntry,
    LedgerState,
    Refusal,
    Unsigned,
    examine_unsigned,
    ledger_line,
    model_keys,
    read_lines,
)
from noa_mlops.records.events import EvaluationLogged, LifecycleEvent, PromotionReady, decode, named_objects
from noa_mlops.records.layout import Layout
from noa_mlops.registry import Comparison, Mirror

TORN = "has no end: the line is torn, as a write that was cut off leaves it"
"""Why an unfinished last line does not hold."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that an entry says is in the store.

    The entry, the profile, the digests of its subjects by name, and the keys that could sign models at that entry.
    """

    event: PromotionReady | EvaluationLogged
    profile: str
    subjects: Mapping[str, str]
    model_keys: tuple[PublicKey, ...]


@dataclass(slots=True)
class Fold:
    """What the ledger says.

    ``wanted`` are the sizes at which ``roots`` keeps the root of the tree; ``objects`` gives for each object the
    first entry that names it; ``mirror`` has been held against every admitted line, None before genesis;
    ``broken`` is set when a line was not admitted, so that nothing after it could be judged; ``replay``, when it is
    given, computes the decisions again.
    """

    layout: Layout
    wanted: set[int]
    state: LedgerState = field(default_factory=LedgerState)
    roots: dict[int, bytes] = field(default_factory=dict)
    stored: list[Stored] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    mirror: Comparison | None = None
    broken: bool = False
    replay: Replay | None = None
    _refused: str | None = None

    def run(self) -> Iterator[Finding]:
        """Hold the law against every line, up to the first that is not admitted."""
        path = str(self.layout.ledger)
        try:
            with closing(check_signatures(self._ahead(), _length(self.layout.ledger))) as checked:
                for line, is_signed in checked:
                    if not is_signed:
                        self._refused = _untrusted(WRONG_SIGNATURE)
                        break
                    for reason in self._take(line):
                        yield Finding(path, line.entry.seq, reason)
        except UnsafePath as error:
            yield Finding(path, None, f"cannot be read ({error})")
        if self._refused is not None:
            self.broken = True
            yield Finding(path, self.state.size, self._refused)
        elif self.state.size == 0:
            yield Finding(path, None, "is gone or empty")

    def _ahead(self) -> Iterator[Unsigned]:
        """The lines that hold if their signatures do, up to the first that cannot."""
        state = self.state
        for line in read_lines(self.layout.ledger):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE:
                self._refused = TORN
                return
            result = examine_unsigned(state, line.removesuffix(b"\n"))
            if isinstance(result, Refusal):
                self._refused = _untrusted(result.reason)
                return
            state = result.state
            yield result

    def _take(self, line: Unsigned) -> Sequence[str]:
        """Keep what a line says that holds; why it does not say what it must, nothing when it does."""
        entry, before, self.state = line.entry, self.state, line.state
        if self.state.size in self.wanted:
            self.roots[self.state.size] = self.state.frontier.root()
        statement = _statement(entry)
        try:
            event = decode(statement)
            self._keep(event, statement, entry.seq)
            reasons = self._replayed(event, entry, statement, before)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            return [f"does not say what an entry of its type must say ({type(error).__name__}: {error})"]
        self._mirrored(entry)
        return reasons

    def _replayed(
        self, event: LifecycleEvent | None, entry: LedgerEntry, statement: Mapping[str, Any], before: LedgerState
    ) -> Sequence[str]:
        if self.replay is None or event is None:
            return ()
        return tuple(self.replay.take(event, entry, statement, before))

    def _keep(self, event: LifecycleEvent | None, statement: Mapping[str, Any], seq: int) -> None:
        for digest in named_objects(statement):
            self.objects.setdefault(digest, seq)
        if isinstance(event, PromotionReady | EvaluationLogged) and event.artifact is not None:
            version = self.state.lifecycle(event.lifecycle_id).versions[event.version]
            subjects = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
            keys = model_keys(self.state.policy) if self.state.policy is not None else ()
            self.stored.append(Stored(event, version.profile, subjects, keys))

    def _mirrored(self, entry: LedgerEntry) -> None:
        if self.mirror is None:
            origin = self.state.origin or ""
            self.mirror = Mirror(self.layout.mirror, self.layout.mirror_checkpoint, origin=origin).compare()
        self.mirror.take(ledger_line(entry, self.state))


def _untrusted(reason: str) -> str:
    return f"{reason}; nothing after it can be trusted"


def _length(path: Path) -> int:
    """Bytes in a file; 0 when they cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _statement(entry: LedgerEntry) -> Mapping[str, Any]:
    """What an entry says, in the members of its line."""
    about = {"lifecycle_id": entry.lifecycle_id, "version": entry.version, "status": entry.status}
    header = {"type": entry.type, "seq": entry.seq, "ts": entry.ts}
    header |= {name: value for name, value in about.items() if value is not None}
    return {"noa_entry": header, "predicate": entry.predicate, "subject": entry.subject}
