"""Coverage-guided fuzzing of the parsers of a project (atheris, libFuzzer).

    python -m tools.fuzz faults.parsers                     every parser of the module's PARSERS, a minute each
    python -m tools.fuzz faults.parsers plan.yaml manifest --seconds 600

A parser has ``check``, which says whether it took the bytes and raises for nothing but a finding; ``seeds``, real
documents to begin with; and ``write``, which gives the bytes of a JSON value, or None. What was learnt is kept in the
folder, by parser, and used again by the next run; so are findings, each the bytes that were found to fail.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SLOWEST = 1.0
"""Seconds of the processor that one document may take."""
HANGS = 20
"""Seconds after which a document is given up."""
MEMORY = 2048
"""MiB that a fuzzer may take."""

OFTEN = 0.9
"""How often JSON is changed as JSON; libFuzzer changes it several times over, and bytes would break it for the next."""

INSTRUMENTED = ("noa_mlops", "ruamel")
"""Packages whose branches are counted."""

_CALLED = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_COVERED = re.compile(r"^#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


class Parser(Protocol):
    """What is fuzzed."""

    @property
    def check(self) -> Callable[[bytes], bool]:
        """Whether a document is taken; raises for a finding."""

    @property
    def seeds(self) -> Sequence[bytes]:
        """Documents that are taken."""

    @property
    def write(self) -> Callable[[Any], bytes] | None:
        """The bytes of a JSON value."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one fuzzer did: executions, seconds, edges of the code reached, documents kept, the finding's last words."""

    name: str
    executions: int
    seconds: float
    edges: int
    kept: int
    finding: str | None

    def line(self) -> str:
        """One line of the report."""
        found = "no finding" if self.finding is None else f"FINDING {self.finding}"
        return f"{self.name}: {self.executions:,} executions in {self.seconds:.0f} s, {self.edges:,} edges, {self.kept:,} kept: {found}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz parsers one after the other; 1 when there is a finding."""
    asked = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    asked.add_argument("module", help="module that holds PARSERS")
    asked.add_argument("names", nargs="*", help="parsers; all when none is named")
    asked.add_argument("--seconds", type=int, default=60, help="for each parser")
    asked.add_argument("--folder", type=Path, default=Path(".fuzz"))
    asked.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args(arguments)
    if given.inside:
        return fuzz_here(given.module, given.names[0], given.folder, given.seconds)
    parsers: Mapping[str, Parser] = importlib.import_module(given.module).PARSERS
    results = []
    for name in given.names or parsers:
        results.append(fuzz(given.module, name, given.folder, given.seconds))
        print(results[-1].line(), flush=True)
    return 1 if any(result.finding for result in results) else 0


def fuzz(module: str, name: str, folder: Path, seconds: int) -> Result:
    """Fuzz one parser in a process of its own, for libFuzzer ends the process that it runs in."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{_plain(name)}.log"
    line = [sys.executable, "-m", "tools.fuzz", module, name, "--inside", "--folder", str(folder)]
    began = time.monotonic()
    with log.open("wb") as stream:
        done = subprocess.run([*line, "--seconds", str(seconds)], stdout=stream, stderr=stream, check=False)
    said = log.read_text(errors="replace")
    covered, called = _COVERED.findall(said), _CALLED.search(said)
    executions, edges, kept = (int(covered[-1][place]) if covered else 0 for place in (0, 1, 3))
    finding = None if done.returncode == 0 and called else f"{_last_words(said)} ({log})"
    lasted = time.monotonic() - began
    if called:
        executions, lasted = int(called[1]), float(called[2])
    return Result(name, executions, lasted, edges, kept, finding)


def fuzz_here(module: str, name: str, folder: Path, seconds: int) -> int:
    """Fuzz one parser in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        parser: Parser = importlib.import_module(module).PARSERS[name]
        taken = [parser.check(seed) for seed in parser.seeds]  # imports what is imported on demand
    if not all(taken):
        raise ValueError(f"seed {taken.index(False)} of {name} is not taken")
    corpus, findings = folder / "corpus" / _plain(name), folder / "findings" / _plain(name)
    for place in (corpus, findings):
        place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-timeout={HANGS}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=0"]
    options += [f"-artifact_prefix={findings}/", f"-max_len={_longest(parser.seeds)}", str(corpus)]
    mutator = Mutator(
        parser.write, lambda data, longest: bytes(atheris.Mutate(data, longest))
    )  # there only after Setup
    atheris.Setup([sys.argv[0], *options], _timed(parser.check), custom_mutator=mutator)
    atheris.Fuzz()
    return 0


@dataclass(frozen=True, slots=True)
class Mutator:
    """Changes a document as JSON most of the time it is any, and else its bytes by ``mutate``, as libFuzzer does."""

    write: Callable[[Any], bytes] | None
    mutate: Callable[[bytes, int], bytes]

    def __call__(self, data: bytes, longest: int, seed: int) -> bytes:
        """Another document."""
        draw = random.Random(seed)
        if self.write is not None and draw.random() < OFTEN:
            try:
                value = json.loads(data)
                changed = self.write(changed_value(value, draw))
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                pass
            else:
                return changed[:longest]
        return self.mutate(data, longest)


VALUES: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, 2**53, 2**64, 1e300, -0.0, "", "x", "\0", "\n", "\u2028", "é", "e\u0301"),
    *("../x", "/x", "0" * 64, "rain", "ready", "blocked", "pass", "fail", "champion", "1h", "20%", "x" * 300),
    *([], {}, [[]], {"": ""}, ["x", 1], {"x": None}, {"sha256": "0" * 64}, {"digest": {"sha256": "0" * 64}}),
)
"""What is put in the place of something else."""


def changed_value(value: Any, draw: random.Random) -> Any:
    """A JSON value with one to three things replaced, removed, doubled, renamed, exchanged or moved."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        holders = [holder for holder in _holders(value) if holder]
        if not holders:
            return draw.choice(VALUES)
        _change(draw.choice(holders), draw)
    return value


def _change(holder: Any, draw: random.Random) -> None:
    key = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    other = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match draw.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key], holder[other] = holder[other], holder[key]
        case 2 if isinstance(holder, dict):
            holder[draw.choice(("x", "", "version", "status", f"{key} ", key[:-1]))] = holder.pop(key)
        case 2:
            holder.append(holder[key])
        case 3 if isinstance(holder, dict):
            holder[key] = holder.pop(key)
        case _:
            holder[key] = json.loads(json.dumps(draw.choice(VALUES)))


def _holders(value: Any) -> list[Any]:
    """Every list and mapping in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [] if inner is None else [value, *(holder for each in inner for holder in _holders(each))]


def _timed(check: Callable[[bytes], bool]) -> Callable[[bytes], None]:
    def test_one_input(data: bytes) -> None:
        began = time.process_time()
        check(data)
        if (lasted := time.process_time() - began) > SLOWEST:
            raise TimeoutError(f"took {lasted:.1f} s")

    return test_one_input


def _longest(seeds: Sequence[bytes]) -> int:
    return max(4096, 2 * max(map(len, seeds)))


def _plain(name: str) -> str:
    return name.replace(" ", "-")


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    telling = [
        line for line in lines if re.match(r"[\w.]*(Error|Exception|Timeout|Invalid)\b|.*ERROR: libFuzzer", line)
    ]
    return telling[0][:200] if telling else (lines or ["nothing was said"])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
