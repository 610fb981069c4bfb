"""Reading a ledger: opening it and verifying it, against the hashes and the signatures alone.

By default 10,000 entries; ``--full`` takes a million, for which writing them takes minutes.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Candidate, Line, medians, scratch
from benchmarks.transition import step
from noa_mlops.evidence import Frontier, PublicKey, leaf_hash, signed_by, split_line
from noa_mlops.files import blocks
from noa_mlops.ledger import KeyStore, Ledger, LedgerState, Refusal, admit, read_lines
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout

ENTRIES = 10_000
FULL = 1_000_000


def lines(rounds: int = 5) -> Iterator[Line]:
    """Times are of the processor and for the whole log; those of one entry stand in the notes."""
    count = FULL if "--full" in sys.argv else ENTRIES
    with scratch() as project:
        layout = Layout.of(project)
        with Ledger.create(layout, "bench", KeyStore()) as ledger:
            write(ledger, count - 1)
            key = ledger.keys.signing_key("verifier").public
        before = peak()
        candidates: dict[str, Candidate] = {
            "hash": partial(hash_file, layout.ledger),
            "tree": partial(chain_and_tree, layout.ledger),
            "open": partial(Ledger.read_only, layout),
            "raw": partial(check_signatures, layout.ledger, key),
            "verify": partial(check_law, layout.ledger),
        }
        times = medians(candidates, rounds=rounds if count == ENTRIES else 1, warm_up=0, clock=time.process_time)
        grown = peak() - before
    each = {name: f"{taken / count * 1000:.1f} us an entry" for name, taken in times.items()}
    bare, name = times["hash"], "SHA-256 of the file"
    yield Line(
        f"{count:,} entries, chain and tree", name, bare, times["tree"], 4000 * count / FULL / bare, each["tree"]
    )
    yield Line(f"{count:,} entries, opened", name, bare, times["open"], 300 * count / ENTRIES / bare, each["open"])
    note = f"{each['verify']}; peak of memory grew by {grown:.0f} MB"
    raw = times["raw"]
    yield Line(f"{count:,} entries, law and signatures", "the signatures alone", raw, times["verify"], 1 / 0.9, note)


def write(ledger: Ledger, count: int) -> None:
    """Entries of usual size, signed as always."""
    for _ in range(0, count, ENTRIES):
        for outcome in ledger.append_many([step] * min(ENTRIES, count)):
            if isinstance(outcome, Exception):
                raise outcome


def hash_file(path: Path) -> None:
    """The floor of everything that looks at every byte once."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream):
            hasher.update(block)


def chain_and_tree(path: Path) -> None:
    """Each line names the digest of the one before it, and all of them make the tree; nothing is parsed."""
    frontier, head = Frontier(), "0" * 64
    for line in read_lines(path):
        if head.encode() not in line[:200]:
            raise RuntimeError("the benchmark's ledger has a broken chain")
        head, frontier = sha256(line[:-1]), frontier.push(leaf_hash(line[:-1]))
    frontier.root()


def check_signatures(path: Path, key: PublicKey) -> None:
    """Every signature, and nothing else."""
    if not all(signed_by(split_line(line[:-1]), key) for line in read_lines(path)):
        raise RuntimeError("the benchmark's ledger has a wrong signature")


def check_law(path: Path) -> None:
    """The whole law on every line, as verifying does."""
    state: LedgerState | Refusal = LedgerState()
    for line in read_lines(path):
        if isinstance(state, Refusal):
            raise RuntimeError(state.reason)
        state = admit(state, line[:-1])


def peak() -> float:
    """The most memory that this process has used so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
