"""``noa export``: evidence in forms that need no project around them.

Everything comes from the sealed part of the ledger, in one pass and in constant memory. A file that is already there
with other content is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.audit.proof import MAX_LINES, PortableProof, ProvenLine
from noa_mlops.audit.proof_verification import verify_proof
from noa_mlops.errors import LedgerConflict, LedgerTampered, NotFound
from noa_mlops.evidence import (
    Frontier,
    LogCheckpoint,
    NoteInvalid,
    claimed_size,
    envelope,
    leaf_hash,
    parse_checkpoint,
    prove_all,
    tile_files,
)
from noa_mlops.files import make_directories, open_beneath, write_durably
from noa_mlops.ledger import Ledger, LedgerReader, VersionState, head_keys, read_lines
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.policy import SIGN_HEAD

CHECKPOINT = "checkpoint"
"""Where the head of a tiled log lies."""

VERIFIER = "verify_noa_proof.py"
"""The program that checks a portable proof and shares no code with this package."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """What an export of tiles came to: entries of the log, files that were written, files that were there already."""

    entries: int
    written: int
    present: int


def attestations(layout: Layout, lifecycle_id: str, version: int) -> Iterator[str]:
    """The DSSE envelopes of a version's entries, one JSON document each, in their order. Raises `NotFound`."""
    ledger = Ledger.read_only(layout)
    _version(ledger, lifecycle_id, version)
    for entry in ledger.history(lifecycle_id, version):
        yield json.dumps(envelope(entry.line), separators=(",", ":"))


def proof_of(layout: Layout, lifecycle_id: str, version: int) -> PortableProof:
    """The portable proof of a version on which everything is said, with every change of policy up to the newest head.

    Raises `NotFound`, `LedgerConflict` for a version that is on its way, `LedgerTampered` or `ArtifactTampered` when what
    is there would not verify.
    """
    ledger = Ledger.read_only(layout)
    state = _version(ledger, lifecycle_id, version)
    name = address(lifecycle_id, version)
    if state.on_its_way:
        raise LedgerConflict(
            f"{name} is on its way; there is nothing to prove yet", hint="Run its plan again: it goes on."
        )
    places = {*(place.entry for place in ledger.state.policies), *state.seqs}
    if len(places) > MAX_LINES:
        raise LedgerConflict(f"{name} takes {len(places)} ledger lines to prove; a proof holds at most {MAX_LINES}")
    lines: dict[int, bytes] = {}
    proofs = prove_all(places, ledger.sealed_size, _leaves(_sealed(layout, ledger), places, lines))
    proof = PortableProof(
        lifecycle_id=lifecycle_id,
        version=version,
        manifest=_manifest(layout, ledger, lifecycle_id, state),
        lines=tuple(ProvenLine(line, proofs[seq]) for seq, line in sorted(lines.items())),
        checkpoint=ledger.checkpoint,
    )
    findings = verify_proof(proof.to_bytes(), file=name, origin=ledger.origin).findings
    if findings:
        raise LedgerTampered(f"no proof can be made: {findings[0]}")
    return proof


def export_tiles(layout: Layout, folder: Path) -> Tiles:
    """Write the sealed log as static tiles below ``folder``, the checkpoint last.

    Into a folder that holds an earlier state of this log only what is new is written. Raises `LedgerConflict` when
    anything else is there, `LedgerTampered` when the ledger is not what was sealed.
    """
    ledger = Ledger.read_only(layout)
    head = _head(ledger, ledger.checkpoint)
    earlier = _earlier(ledger, folder)
    counts = {True: 0, False: 0}
    tree = _Tree({earlier.size: earlier.root} if earlier is not None else {})
    for path, content in tile_files(tree.watch(_sealed(layout, ledger))):
        counts[put_file(folder, path, content)] += 1
    if tree.frontier.root() != head.root:
        raise LedgerTampered(f"{layout.ledger} is no longer what was sealed", hint="Run 'noa verify'.")
    if earlier == head:
        return Tiles(head.size, counts[True], counts[False] + 1)
    make_directories(folder)
    write_durably(folder / CHECKPOINT, ledger.checkpoint)
    return Tiles(head.size, counts[True] + 1, counts[False])


def put_file(folder: Path, path: str, content: bytes) -> bool:
    """Put ``content`` at ``path`` below ``folder``; False when it is there already.

    Raises `LedgerConflict` when something else is.
    """
    try:
        with open_beneath(folder, path) as stream:
            if stream.read(len(content) + 1) == content:
                return False
    except FileNotFoundError:
        make_directories((folder / path).parent)
        write_durably(folder / path, content)
        return True
    raise LedgerConflict(
        f"{folder / path} is there with other content; nothing is overwritten", hint="Name a place that is free."
    )


def verifier_source() -> bytes:
    """The program `VERIFIER`, as it is shipped."""
    return resources.files("noa_mlops.audit").joinpath(VERIFIER).read_bytes()


class _Tree:
    """The tree over the entries that pass by; its root must be ``wanted`` at each size named there."""

    def __init__(self, wanted: dict[int, bytes]) -> None:
        self._wanted = wanted
        self.frontier = Frontier()

    def watch(self, entries: Iterator[bytes]) -> Iterator[bytes]:
        """The same entries. Raises `LedgerConflict` at a size whose root is another one."""
        for entry in entries:
            yield entry
            self.frontier = self.frontier.push(leaf_hash(entry))
            wanted = self._wanted.get(self.frontier.size)
            if wanted is not None and wanted != self.frontier.root():
                raise LedgerConflict("the folder holds another log of the same origin", hint="Name an empty folder.")


def _sealed(layout: Layout, ledger: LedgerReader) -> Iterator[bytes]:
    """The sealed lines, without their newlines."""
    return (line.removesuffix(b"\n") for line in islice(read_lines(layout.ledger), ledger.sealed_size))


def _leaves(sealed: Iterator[bytes], places: Collection[int], kept: dict[int, bytes]) -> Iterator[bytes]:
    """The leaf hash of each line; the lines at ``places`` are put into ``kept``."""
    for seq, line in enumerate(sealed):
        if seq in places:
            kept[seq] = line
        yield leaf_hash(line)


def _version(ledger: LedgerReader, lifecycle_id: str, version: int) -> VersionState:
    state = ledger.state.version(lifecycle_id, version)
    if state is None:
        raise NotFound(f"there is no {address(lifecycle_id, version)} here")
    return state


def _manifest(layout: Layout, ledger: LedgerReader, lifecycle_id: str, state: VersionState) -> bytes | None:
    """The manifest that the version's decision names; None when it names none."""
    named = {item.get("name") for item in ledger.entry(state.last_seq).subject[1:]}
    if "manifest.json" not in named:
        return None
    return FilesystemArtifactStore(layout).record(lifecycle_id, state.profile, state.version).manifest.to_bytes()


def _head(ledger: LedgerReader, note: bytes) -> LogCheckpoint:
    """The head in a note, signed by a key that could sign heads of that size."""
    policy = ledger.state.policy_at(claimed_size(note) or 0)
    return parse_checkpoint(note, ledger.origin, head_keys(policy, SIGN_HEAD) if policy is not None else ())


def _earlier(ledger: LedgerReader, folder: Path) -> LogCheckpoint | None:
    """The head of the log that ``folder`` holds already. Raises `LedgerConflict` when it is not an earlier one of ours."""
    try:
        with open_beneath(folder, CHECKPOINT) as stream:
            head = _head(ledger, stream.read(1 << 16))
    except FileNotFoundError:
        return None
    except NoteInvalid as error:
        raise LedgerConflict(f"{folder / CHECKPOINT} {error}", hint="Name an empty folder.") from error
    if head.size > ledger.sealed_size:
        raise LedgerConflict(
            f"{folder / CHECKPOINT} vouches for {head.size} entries; only {ledger.sealed_size} are sealed here",
            hint="This project is older than what was exported: run 'noa verify'.",
        )
    return head
