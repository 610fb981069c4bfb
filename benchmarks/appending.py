"""Durable entries per second when many append at once, against one writer who writes and syncs each line by itself.

Every waiter is acknowledged: a thread has its entry, a coroutine was resumed, a process has printed that it is done.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast

from benchmarks.measure import Rate, best_rates, scratch
from benchmarks.transition import append_durably, step
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout

PROCESSES = 8
BATCH = 100


def lines(count: int = 3000) -> Iterator[Rate]:
    """Coroutines, threads and processes, ``count`` entries each, in turns; the best of each counts."""
    with opened() as (ledger, project):
        size = len(ledger.append(step).line) + 1
        floor = os.open(project / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        busy: dict[str, float] = {}
        work = {
            "floor": partial(one_by_one, floor, b"x" * size),
            "signing": partial(signing, ledger, b"x" * size),
            "64 coroutines": partial(coroutines, ledger, 64),
            "256 coroutines": partial(coroutines, ledger, 256),
            "64 threads": partial(threads, ledger, 64),
            "batches": partial(batches, ledger),
        }
        contests = {name: partial(timed, count, append, busy, name) for name, append in work.items()}
        rates = best_rates({**contests, "processes": partial(processes, project, count)})
        os.close(floor)
    name, bare = f"append + fdatasync of {size} B, one each", rates["floor"]
    each = {name: f"{spent:.0f} us of computing each" for name, spent in busy.items()}
    for waiters, goal in {"64 coroutines": 20_000, "256 coroutines": 20_000, "64 threads": 10_000}.items():
        yield Rate(f"{waiters} wait", name, bare, rates[waiters], goal, each[waiters])
    yield Rate("one caller, batches of 512", name, bare, rates["batches"], 20_000, each["batches"])
    yield Rate(f"{PROCESSES} processes, batches of {BATCH}", name, bare, rates["processes"], 10_000)
    yield Rate("signatures alone, one core", name, bare, rates["signing"], 0, each["signing"])


@contextmanager
def opened() -> Iterator[tuple[Ledger, Path]]:
    """A ledger of its own, and the folder that it is in."""
    with scratch() as project, Ledger.create(Layout.of(project), "bench", KeyStore()) as ledger:
        yield ledger, project


def timed(count: int, append: Callable[[int], None], busy: dict[str, float], name: str) -> float:
    """Entries per second; ``busy`` learns the least time of the processor that each of them took, in microseconds."""
    began, computed = time.perf_counter(), time.process_time()
    append(count)
    taken, computed = time.perf_counter() - began, time.process_time() - computed
    busy[name] = min(busy.get(name, computed / count * 1e6), computed / count * 1e6)
    return count / taken


def one_by_one(descriptor: int, data: bytes, count: int) -> None:
    """The floor."""
    for _ in range(count):
        append_durably(descriptor, data)


def signing(ledger: Ledger, data: bytes, count: int) -> None:
    """As many signatures over as many bytes, nothing else."""
    key = ledger.keys.signing_key("verifier")
    for _ in range(count):
        key.sign(data)


def coroutines(ledger: Ledger, waiters: int, count: int) -> None:
    """So many coroutines, each of which appends again once its entry is durable."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await ledger.append_async(step)

    async def main() -> None:
        await asyncio.gather(*map(worker, shares(count, waiters)))

    asyncio.run(main())


def threads(ledger: Ledger, waiters: int, count: int) -> None:
    """So many threads, each of which appends again once its entry is durable."""

    def worker(share: int) -> None:
        for _ in range(share):
            ledger.append(step)

    with ThreadPoolExecutor(waiters) as pool:
        for _ in pool.map(worker, shares(count, waiters)):
            pass


def batches(ledger: Ledger, count: int) -> None:
    """One caller who has much to say."""
    for outcome in ledger.append_many([step] * count):
        if isinstance(outcome, Exception):
            raise outcome


def processes(project: Path, count: int) -> float:
    """Entries per second of several processes at one ledger; the time begins when all of them have opened it."""
    command = [sys.executable, "-m", "benchmarks.appending", str(project), str(count // PROCESSES)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    for process in started:
        cast("IO[bytes]", process.stdout).readline()
    began = time.perf_counter()
    for process in started:
        cast("IO[bytes]", process.stdin).close()
    if any(process.wait() for process in started):
        raise RuntimeError("a process of the benchmark has failed")
    return count / (time.perf_counter() - began)


def one_process(project: Path, count: int) -> None:
    """What each of several processes does: append when its input ends, a hundred at a time."""
    with Ledger.open(Layout.of(project), KeyStore(), timeout=300) as ledger:
        print("ready", flush=True)
        sys.stdin.read()
        for share in [BATCH] * (count // BATCH) + [count % BATCH]:
            batches(ledger, share)


def shares(count: int, parts: int) -> list[int]:
    """``count`` in as equal parts as can be."""
    return [count // parts + (part < count % parts) for part in range(parts)]


if __name__ == "__main__":
    one_process(Path(sys.argv[1]), int(sys.argv[2]))
