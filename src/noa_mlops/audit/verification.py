"""``noa verify``: the ledger, its checkpoints, its objects, the promoted bytes, the mirror."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import ArtifactTampered, LedgerTampered, LifecycleError, NotFound
from noa_mlops.evidence import LogCheckpoint, NoteInvalid, parse_checkpoint
from noa_mlops.ledger import LedgerState, Refusal, admit, get_object, head_keys, read_lines, split_records
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import LedgerLine, PromotionReady, Submitted, decode, named_objects
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD
from noa_mlops.registry import Mirror

MAX_STATEMENT = 1 << 17
"""Longest line that is parsed here; the ledger admits none longer than 65,535 bytes."""

NO_ANCHOR = (
    "Without an anchor kept elsewhere (the origin, a checkpoint, the registry that CI keeps) this cannot rule out that "
    "the whole folder was replaced, or rolled back to an earlier state of itself."
)
"""What "verified" does not mean when nothing outside the folder was asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: the file, the entry it belongs to (None: no single one), the reason."""

    file: str
    entry: int | None
    reason: str

    def __str__(self) -> str:
        place = self.file if self.entry is None else f"{self.file}, entry {self.entry}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, what does not hold, and what could not be ruled out."""

    origin: str | None
    entries: int
    sealed: int
    versions: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(slots=True)
class _Fold:
    """What reading the ledger once yields; ``wanted`` are the sizes at which the root of the tree is kept."""

    wanted: set[int]
    state: LedgerState = field(default_factory=LedgerState)
    roots: dict[int, bytes] = field(default_factory=dict)
    promoted: list[tuple[PromotionReady, Mapping[str, str]]] = field(default_factory=list)
    profiles: dict[tuple[str, int], str] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    mirrored: list[LedgerLine] = field(default_factory=list)

    def take(self, line: bytes, after: LedgerState) -> None:
        """Keep what the checks after the fold need of an admitted line."""
        statement = parse_object(line, limit=MAX_STATEMENT)
        event, seq = decode(statement), self.state.size
        self.state = after
        if after.size in self.wanted:
            self.roots[after.size] = after.frontier.root()
        for digest in named_objects(statement):
            self.objects.setdefault(digest, seq)
        if isinstance(event, Submitted):
            self.profiles[event.lifecycle_id, event.version] = event.profile
        if isinstance(event, PromotionReady) and event.artifact is not None:
            self.promoted.append((event, {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}))
        header = statement["noa_entry"]
        lifecycle = after.lifecycle(header.get("lifecycle_id", ""))
        self.mirrored.append(LedgerLine(seq, header["type"], line, lifecycle.champion, lifecycle.rollout))


def verify(layout: Layout, *, origin: str | None = None) -> Verification:
    """Check the whole project folder and change nothing.

    ``origin`` is the anchor: the origin line that the project's owner gave you. Raises `NotFound` when there is
    no ledger at all.
    """
    if not layout.ledger.exists():
        raise NotFound(f"there is no ledger at {layout.ledger}", hint="Name the project folder with -C DIR.")
    notes, torn = _notes(layout)
    fold = _Fold(wanted={size for note in notes if (size := _claimed_size(note)) is not None})
    findings = [*torn, *_fold_ledger(layout, fold)]
    sealed = _check_heads(layout, fold, notes, findings)
    if origin is not None and fold.state.origin != origin:
        findings.append(Finding(str(layout.ledger), 0, f"its origin is {fold.state.origin}, not {origin}"))
    findings += _check_objects(layout, fold)
    findings += _check_artifacts(layout, fold)
    findings += _check_mirror(layout, fold)
    return Verification(
        origin=fold.state.origin,
        entries=fold.state.size,
        sealed=sealed,
        versions=len(fold.promoted),
        findings=tuple(findings),
        notes=(NO_ANCHOR,) if origin is None else (),
    )


def _notes(layout: Layout) -> tuple[list[bytes], list[Finding]]:
    path = layout.log_checkpoints
    try:
        return split_records(path.read_bytes()), []
    except (LedgerTampered, OSError) as error:
        return [], [Finding(str(path), None, str(error))]


def _claimed_size(note: bytes) -> int | None:
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) == 3 and lines[1].isdigit() and len(lines[1]) < 19 else None


def _fold_ledger(layout: Layout, fold: _Fold) -> Iterator[Finding]:
    """Run the law over every line; the first line that is not admitted ends what can be judged."""
    for line in read_lines(layout.ledger):
        after = admit(fold.state, line.removesuffix(b"\n"))
        if isinstance(after, Refusal) or not line.endswith(b"\n"):
            reason = after.reason if isinstance(after, Refusal) else "has no end: the line is torn"
            yield Finding(str(layout.ledger), fold.state.size, f"{reason}; nothing after it can be trusted")
            return
        fold.take(line[:-1], after)
    if fold.state.size == 0:
        yield Finding(str(layout.ledger), None, "is empty")


def _check_heads(layout: Layout, fold: _Fold, notes: Sequence[bytes], findings: list[Finding]) -> int:
    """Hold every checkpoint against the tree; the number of entries that the newest one vouches for."""
    policy, path, sealed = fold.state.policy, str(layout.log_checkpoints), 0
    keys = head_keys(policy, SIGN_HEAD) if policy is not None else ()
    for number, note in enumerate(notes, start=1):
        try:
            head = parse_checkpoint(note, fold.state.origin or "", keys)
        except NoteInvalid as error:
            findings.append(Finding(path, None, f"checkpoint {number} {error}"))
            continue
        if reason := _head_problem(head, fold, sealed):
            findings.append(Finding(path, None, f"checkpoint {number} {reason}"))
        sealed = max(sealed, head.size)
    if not sealed:
        findings.append(Finding(path, None, "no checkpoint vouches for the ledger"))
    return sealed


def _head_problem(head: LogCheckpoint, fold: _Fold, sealed: int) -> str | None:
    if head.size < sealed:
        return f"vouches for {head.size} entries after one that vouched for {sealed}"
    if head.size > fold.state.size:
        return f"vouches for {head.size} entries, but only {fold.state.size} are there and hold"
    return None if fold.roots.get(head.size) == head.root else f"is over other entries than the first {head.size}"


def _check_objects(layout: Layout, fold: _Fold) -> Iterator[Finding]:
    for digest, seq in fold.objects.items():
        try:
            get_object(layout.objects, digest)
        except LedgerTampered as error:
            yield Finding(str(layout.objects / digest), seq, str(error))


def _check_artifacts(layout: Layout, fold: _Fold) -> Iterator[Finding]:
    store = FilesystemArtifactStore(layout)
    for event, subjects in fold.promoted:
        folder = layout.project / str(event.artifact)
        profile = fold.profiles[event.lifecycle_id, event.version]
        try:
            record = store.record(event.lifecycle_id, profile, event.version)
        except (ArtifactTampered, NotFound, LifecycleError, OSError) as error:
            yield Finding(str(folder), event.seq, str(error))
            continue
        if record.manifest_sha256 != subjects["manifest.json"]:
            yield Finding(str(folder / "manifest.json"), event.seq, "is not the manifest that was signed")
        if record.manifest.checksum != event.checksum:
            yield Finding(str(folder / "manifest.json"), event.seq, "lists other files than were signed")
        if record.predictions_sha256 != subjects.get("predictions.parquet"):
            yield Finding(str(folder / "predictions.parquet"), event.seq, "are not the predictions that were signed")
        for reason in store.findings(record):
            yield Finding(str(folder), event.seq, reason)


def _check_mirror(layout: Layout, fold: _Fold) -> Iterator[Finding]:
    if fold.state.origin is None or fold.state.policy is None:
        return
    mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=fold.state.origin)
    keys = head_keys(fold.state.policy, SIGN_HEAD)
    for reason in mirror.findings(fold.mirrored, keys):
        yield Finding(str(layout.mirror), None, reason)
