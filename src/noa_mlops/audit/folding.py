"""Reading the ledger once, line by line, and keeping only what the checks after it ask about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from noa_mlops.audit.findings import Finding
from noa_mlops.evidence import MAX_LINE, PublicKey
from noa_mlops.files import UnsafePath
from noa_mlops.ledger import LedgerState, Refusal, admit, model_keys, read_lines
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import LedgerLine, PromotionReady, decode, named_objects
from noa_mlops.records.layout import Layout
from noa_mlops.registry import Comparison, Mirror

TORN = "has no end: the line is torn, as a write that was cut off leaves it"
"""Why an unfinished last line does not hold."""

MAX_STATEMENT = 1 << 17
"""Longest line that is parsed here; the ledger admits none longer than 65,535 bytes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that an entry says is in the store.

    The entry, the profile, the digests of its subjects by name, and the keys that could sign models at that entry.
    """

    event: PromotionReady
    profile: str
    subjects: Mapping[str, str]
    model_keys: tuple[PublicKey, ...]


@dataclass(slots=True)
class Fold:
    """What the ledger says.

    ``wanted`` are the sizes at which ``roots`` keeps the root of the tree; ``objects`` gives for each object the
    first entry that names it; ``mirror`` has been held against every admitted line, None before genesis;
    ``broken`` is set when a line was not admitted, so that nothing after it could be judged.
    """

    layout: Layout
    wanted: set[int]
    state: LedgerState = field(default_factory=LedgerState)
    roots: dict[int, bytes] = field(default_factory=dict)
    stored: list[Stored] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    mirror: Comparison | None = None
    broken: bool = False

    def run(self) -> Iterator[Finding]:
        """Hold the law against every line, up to the first that is not admitted."""
        path = str(self.layout.ledger)
        try:
            for line in read_lines(self.layout.ledger):
                seq = self.state.size
                if reason := self._take(line):
                    yield Finding(path, seq, reason)
                if self.broken:
                    return
        except UnsafePath as error:
            yield Finding(path, None, f"cannot be read ({error})")
        if self.state.size == 0:
            yield Finding(path, None, "is gone or empty")

    def _take(self, line: bytes) -> str | None:
        """Admit one line; why it does not hold, None when it does."""
        if not line.endswith(b"\n") and len(line) <= MAX_LINE:
            self.broken = True
            return TORN
        after = admit(self.state, line.removesuffix(b"\n"))
        if isinstance(after, Refusal):
            self.broken = True
            return f"{after.reason}; nothing after it can be trusted"
        seq, self.state = self.state.size, after
        if after.size in self.wanted:
            self.roots[after.size] = after.frontier.root()
        statement = parse_object(line, limit=MAX_STATEMENT)
        try:
            self._keep(statement, seq)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            return f"does not say what an entry of its type must say ({type(error).__name__}: {error})"
        self._mirrored(line[:-1], statement["noa_entry"], seq)
        return None

    def _keep(self, statement: Mapping[str, Any], seq: int) -> None:
        event = decode(statement)
        for digest in named_objects(statement):
            self.objects.setdefault(digest, seq)
        if isinstance(event, PromotionReady) and event.artifact is not None:
            version = self.state.lifecycle(event.lifecycle_id).versions[event.version]
            subjects = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
            keys = model_keys(self.state.policy) if self.state.policy is not None else ()
            self.stored.append(Stored(event, version.profile, subjects, keys))

    def _mirrored(self, line: bytes, header: Mapping[str, Any], seq: int) -> None:
        if self.mirror is None:
            origin = self.state.origin or ""
            self.mirror = Mirror(self.layout.mirror, self.layout.mirror_checkpoint, origin=origin).compare()
        lifecycle = self.state.lifecycle(header.get("lifecycle_id", ""))
        self.mirror.take(LedgerLine(seq, header["type"], line, lifecycle.champion, lifecycle.rollout))
