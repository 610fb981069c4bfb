"""The portable proof of one version: a file that needs no project around it.

It holds the manifest, the version's ledger lines, the genesis line and every change of policy, each with its way to the
root of the tree, and the checkpoint that signs this root. `docs/evidence.md` gives the form byte by byte. A proof has exactly one form; what
says the same in other bytes is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from noa_mlops.evidence import Inclusion, ProofInvalid, read_inclusion
from noa_mlops.records.layout import address
from noa_mlops.records.names import name_problem

FORM = "noa:proof/v1"
"""The first line of a proof."""

MAX_PROOF = 32 << 20
"""Largest proof that is read, in bytes: room for the largest manifest, the lines of a version and many policies."""

MAX_LINES = 1024
"""Most ledger lines that a proof may hold: a version has few, the rest are changes of policy."""

_NAME = re.compile(rb"([a-z0-9._-]{1,64})@([1-9][0-9]{0,14})")
_NO_MANIFEST = b"-"


@dataclass(frozen=True, slots=True)
class ProvenLine:
    """A ledger line, without newline, and its way to the root."""

    line: bytes
    inclusion: Inclusion


@dataclass(frozen=True, slots=True)
class PortableProof:
    """What the file says; nothing of it is checked but its form.

    ``manifest`` is the stored document, None when the version has none; ``lines`` stand in the order of the ledger;
    ``checkpoint`` is the signed note.
    """

    lifecycle_id: str
    version: int
    manifest: bytes | None
    lines: tuple[ProvenLine, ...]
    checkpoint: bytes

    @property
    def name(self) -> str:
        """``LIFECYCLE@N``."""
        return address(self.lifecycle_id, self.version)

    def to_bytes(self) -> bytes:
        """The file."""
        manifest = b"-\n" if self.manifest is None else self.manifest
        head = b"%b\n%b\n%b" % (FORM.encode(), self.name.encode(), manifest)
        lines = (b"%b\n%b" % (proven.line, proven.inclusion.text().encode()) for proven in self.lines)
        return b"\n".join((head, *lines, self.checkpoint))

    @classmethod
    def from_bytes(cls, data: bytes) -> PortableProof:
        """Read a file. Raises `ProofInvalid` for whatever is not the one form of a proof."""
        if len(data) > MAX_PROOF:
            raise ProofInvalid(f"is larger than {MAX_PROOF} bytes")
        if not data.startswith(f"{FORM}\n".encode()):
            raise ProofInvalid(f"does not begin with {FORM}")
        head, *blocks = data.removesuffix(b"\n").split(b"\n\n")
        if not 3 <= len(blocks) <= MAX_LINES + 2:
            raise ProofInvalid(f"does not hold 1 to {MAX_LINES} ledger lines and a checkpoint")
        *entries, text, signature = blocks
        if text.count(b"\n") != 3 or b"\n" in signature:
            raise ProofInvalid("does not end in a checkpoint with one signature")
        name, manifest = _read_head(head)
        proof = cls(*name, manifest, tuple(map(_read_line, entries)), b"%b\n\n%b\n" % (text, signature))
        places = [proven.inclusion.index for proven in proof.lines]
        if places != sorted(set(places)):
            raise ProofInvalid("does not hold its ledger lines in their order, each once")
        if proof.to_bytes() != data:
            raise ProofInvalid("is not written in its one form")
        return proof


def _read_head(head: bytes) -> tuple[tuple[str, int], bytes | None]:
    lines = head.split(b"\n")
    name = _NAME.fullmatch(lines[1]) if len(lines) == 3 else None
    if name is None or name_problem(name[1].decode()) is not None:
        raise ProofInvalid("does not name a version and its manifest, a line each")
    return (name[1].decode(), int(name[2])), None if lines[2] == _NO_MANIFEST else lines[2] + b"\n"


def _read_line(block: bytes) -> ProvenLine:
    line, _, inclusion = block.partition(b"\n")
    try:
        return ProvenLine(line, read_inclusion(f"{inclusion.decode('ascii')}\n"))
    except UnicodeDecodeError as error:
        raise ProofInvalid("has a path that is not base64") from error
