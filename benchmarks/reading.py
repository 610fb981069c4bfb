"""Reading a ledger: opening it and verifying it, against the hashes and the signatures alone.

By default 10,000 entries; ``--full`` takes a million, for which writing them takes minutes. The log begins with a real
run, and what follows are failed trainings that name the objects of that run, so that all of it verifies.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.lifecycle import RuntimeInProcess, orchestrator, project, run_once
from benchmarks.measure import Candidate, Line, Rate, medians
from noa_mlops.evidence import Frontier, PublicKey, leaf_hash, signed_by, split_line
from noa_mlops.files import blocks
from noa_mlops.ledger import Draft, KeyStore, Ledger, LedgerState, read_lines
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout

ENTRIES = 10_000
FULL = 1_000_000
NO_HEAD = "0" * 64


def lines(rounds: int = 3) -> Iterator[Line | Rate | str]:
    """Times are for the whole log; those of one entry stand in the notes."""
    count = FULL if "--full" in sys.argv else ENTRIES
    with project() as folder:
        layout = Layout.of(folder)
        with orchestrator(folder, RuntimeInProcess()) as opened:
            run_once(opened)
        with Ledger.open(layout, KeyStore()) as ledger:
            began = time.perf_counter()
            write(ledger, count - ledger.state.size)
            took = time.perf_counter() - began
            key = ledger.keys.signing_key("verifier").public
        size = layout.ledger.stat().st_size
        yield f"  {count:,} entries, {size / 1e6:,.0f} MB, written in {took:.0f} s"
        rounds = rounds if count == ENTRIES else 1
        yield from whole(layout, count, rounds, key)
        yield from bare(layout, count, rounds)


def bare(layout: Layout, count: int, rounds: int) -> Iterator[Line]:
    """What one core does: times of the processor."""
    candidates: dict[str, Candidate] = {
        "hash": partial(hash_file, layout.ledger),
        "tree": partial(chain_and_tree, layout.ledger),
        "open": partial(Ledger.read_only, layout),
    }
    times = medians(candidates, rounds=rounds, warm_up=0, clock=time.process_time)
    each = {name: f"{taken / count * 1000:.1f} us an entry" for name, taken in times.items()}
    floor, name = times["hash"], "SHA-256 of the file"
    yield Line(
        f"{count:,} entries, chain and tree", name, floor, times["tree"], 4000 * count / FULL / floor, each["tree"]
    )
    yield Line(f"{count:,} entries, opened", name, floor, times["open"], 300 * count / ENTRIES / floor, each["open"])


def whole(layout: Layout, count: int, rounds: int, key: PublicKey) -> Iterator[Rate]:
    """What all cores do: ``noa verify``, its own start included, against the signatures alone on as many processes."""
    cores, memory = len(os.sched_getaffinity(0)), [0.0]
    floor = partial(in_processes, cores, partial(check_signatures, layout.ledger, key, cores))
    times = medians({"raw": floor, "ours": partial(noa_verify, layout, memory)}, rounds=rounds, warm_up=0)
    raw, ours = (count / times[name] * 1000 for name in ("raw", "ours"))
    note = f"{times['ours'] / 1000:.1f} s, at most {max(memory):.0f} MB in a process"
    yield Rate(f"{count:,} entries verified", f"signatures alone on {cores} cores", raw, ours, 0.9 * raw, note)


def write(ledger: Ledger, count: int) -> None:
    """Entries of usual size, signed as always: Submitted, TrainingFailed, Submitted ..."""
    first = {entry.type: entry.predicate for entry, _ in islice(ledger.entries(), 3)}
    failed = {**first["TrainingCompleted"]}
    failed["noa:run"] = {**failed["noa:run"], "cause": "exit_status", "message": "exit status 1"}
    step = partial(next_step, first["Submitted"], failed)
    for begun in range(0, count, ENTRIES):
        for outcome in ledger.append_many([step] * min(ENTRIES, count - begun)):
            if isinstance(outcome, Exception):
                raise outcome


def next_step(submission: Mapping[str, Any], failure: Mapping[str, Any], state: LedgerState) -> Draft:
    """The next entry of a lifecycle whose trainings all fail."""
    lifecycle = state.lifecycle("churn")
    newest = lifecycle.versions.get(lifecycle.next_version - 1)
    subject = [{"name": "plan", "digest": submission["plan"]["digest"]}]
    if newest is None or newest.status == "failed":
        version = lifecycle.next_version
        predicate = {**submission, "agent_id": f"churn-{version}"}
        return Draft("Submitted", "noa:lifecycle/v1", predicate, subject, "churn", version)
    provenance = "https://slsa.dev/provenance/v1"
    return Draft("TrainingFailed", provenance, failure, subject, "churn", newest.version)


def hash_file(path: Path) -> None:
    """The floor of everything that looks at every byte once."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream):
            hasher.update(block)


def chain_and_tree(path: Path) -> None:
    """Each line names the digest of the one before it, and all of them make the tree; nothing is parsed."""
    frontier, head, remaining = Frontier(), NO_HEAD, read_lines(path)
    while block := [line[:-1] for line in islice(remaining, 256)]:
        heads = [head, *map(sha256, block)]
        if not all(before.encode() in line[:200] for before, line in zip(heads, block, strict=False)):
            raise RuntimeError("the benchmark's ledger has a broken chain")
        head, frontier = heads[-1], frontier.extend([leaf_hash(line) for line in block])
    frontier.root()


def check_signatures(path: Path, key: PublicKey, share: int, first: int) -> None:
    """One signature in ``share``, from the line ``first`` on, and nothing else."""
    mine = islice(read_lines(path), first, None, share)
    if not all(signed_by(split_line(line[:-1]), key) for line in mine):
        raise RuntimeError("the benchmark's ledger has a wrong signature")


def in_processes(count: int, work: Callable[[int], None]) -> None:
    """Do the parts 0 to ``count`` - 1 of some work at once, each in a process. Raises `RuntimeError`."""
    children = [_forked(partial(work, part)) for part in range(count)]
    if any(os.waitpid(child, 0)[1] for child in children):
        raise RuntimeError("a part of the benchmark's work failed")


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
"""What a process starts from counts as its own memory, so a small one starts the command."""


def noa_verify(layout: Layout, memory: list[float]) -> None:
    """The whole command; the most memory of any of its processes, in megabytes, is added to ``memory``."""
    command = [sys.executable, "-m", "noa_mlops", "verify", "-C", str(layout.project)]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], stdout=subprocess.PIPE, check=True)
    memory.append(int(done.stdout) / 1024)
