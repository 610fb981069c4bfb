"""``python -m tools.faultline``: crash and fault sweeps over any command, with strace (Linux).

Two sweeps; each trial starts from a fresh folder and ends with a check.

  inject    runs the command once to number its system calls, then once for each (call, n, fault) with that fault put
            in by strace: SIGKILL before the call, or an error (EIO, ENOSPC), once or ("ENOSPC+") from then on.
  powercut  runs the command once and records every write, rename and sync; then makes, for every point of the record,
            the folder as a power cut may leave it (what was not synced is lost, kept or torn) and checks each.

    python -m tools.faultline inject --setup S --cmd C [--recover R] --check K [--faults kill,EIO,ENOSPC,ENOSPC+]
    python -m tools.faultline powercut --setup S --cmd C [--recover R] --check K [--variants strict,names,torn]

A step is a shell line, or ``python:module:function`` (see `tools.steps`). In its environment are FL_DIR, the folder of
the trial (make all state under it), FL_ACK, a file with what the command had said on standard output before the fault
(its acknowledged promises, whole lines), FL_RC, its exit status ('' after a power cut), and FL_FAULT, a label.
A trial survives when ``--recover`` and ``--check`` both exit 0 and no process of the command is left. The last line is
'survived K of N'; the exit status is 1 when K < N. Calls are numbered in each thread and for each name; only calls
that touch FL_DIR are tried, yet every thread that makes so many calls of that name meets the fault.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tools.disk import VARIANTS, State, build
from tools.replay import CALLS, Replay
from tools.steps import warm_up
from tools.traces import OPTIONS, Call, read
from tools.trials import Subject, Tally, Trials, workplace

TRIED = (
    "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,rmdir,mkdir,mkdirat,copy_file_range,sendfile,fchmod,chmod,flock,close"
)
FAULTS = "kill,EIO,ENOSPC,ENOSPC+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What to try: ``kinds`` are faults or variants; ``most`` limits the trials (0: all), spread evenly.

    Of ``shards`` sweeps that share the trials this is number ``shard``, from 0.
    """

    kinds: tuple[str, ...]
    most: int = 0
    shard: int = 0
    shards: int = 1
    keep: bool = False

    def has(self, index: int) -> bool:
        """Whether the trial of this index is one of this shard's."""
        return index % self.shards == self.shard


def inject(subject: Subject, sweep: Sweep) -> Tally:
    """Fail each system call of the command that touches the folder, in each way."""
    with workplace(keep=sweep.keep) as root:
        trials = Trials(subject, root, keep=sweep.keep)
        ended = trials.undisturbed(*OPTIONS, "-e", f"trace={TRIED}")
        with open(trials.log, errors="replace") as log:
            touched = {(call.name, call.nth) for call in _touching(read(log), trials.folder)}
        plan = _sample([(*call, fault) for call in sorted(touched) for fault in sweep.kinds], sweep.most)
        if sweep.shard == 0:
            trials.judge("none", ended)
            print(f"{len(touched)} calls touch the folder, {len(plan)} faults", flush=True)
        for index, (name, nth, fault) in enumerate(plan):
            if sweep.has(index):
                _inject(trials, name, nth, fault)
        return trials.tally


def _inject(trials: Trials, name: str, nth: int, fault: str) -> None:
    what = "signal=SIGKILL" if fault == "kill" else f"error={fault.rstrip('+')}"
    when = f"{nth}+" if fault.endswith("+") else str(nth)
    trials.fresh()
    ended = trials.command("-y", "-e", f"trace={name}", "-e", f"inject={name}:{what}:when={when}")
    with open(trials.log, errors="replace") as log:
        seen = any(line.rstrip().endswith(("(INJECTED)", "= ?")) for line in log)
    if seen:
        trials.judge(f"{fault}@{name}#{nth}", ended)
    else:
        trials.tally.absent += 1


def powercut(subject: Subject, sweep: Sweep) -> Tally:
    """Cut the power after each step of the command that changed the disk or said something, in each variant."""
    with workplace(keep=sweep.keep) as root:
        trials = Trials(subject, root, keep=sweep.keep)
        trials.fresh()
        replay = Replay(trials.folder, trials.output)
        ended = trials.undisturbed(*OPTIONS, "-e", f"trace={CALLS}")
        with open(trials.log, errors="replace") as log:
            states, steps = _states(replay, log, sweep.kinds)
        if sweep.shard == 0:
            odd = replay.differences()
            print(f"{steps} steps, {len(states)} distinct states", flush=True)
            print(f"the record gives the real folder: {'yes' if not odd else f'NO, not {odd[:4]}'}", flush=True)
            if replay.unmodelled:
                print(f"not modelled: {dict(replay.unmodelled)}")
            trials.judge("none", ended)
        for label, state, acknowledged in _sample(states, sweep.most)[sweep.shard :: sweep.shards]:
            trials.empty()
            build(state, trials.folder)
            with open(trials.output, "wb") as output:
                output.write(acknowledged)
            trials.judge(label, None)
        return trials.tally


Cut = tuple[str, State, bytes]
T = TypeVar("T")


def _states(replay: Replay, log: Iterable[str], variants: Sequence[str]) -> tuple[list[Cut], int]:
    """Every distinct state that a cut may leave, with its label and what had been said; and the number of steps."""
    found: list[Cut] = []
    seen: set[int] = set()
    steps = 0
    for call in read(log):
        if not replay.apply(call):
            continue
        steps += 1
        said = bytes(replay.acknowledged)
        for variant in variants:
            state = replay.disk.after_cut(variant)
            key = hash((said, frozenset(state.items())))
            if key not in seen:
                seen.add(key)
                found.append((f"{variant}@{call.name}#{steps}", state, said))
    return found, steps


def _touching(calls: Iterable[Call], folder: str) -> Iterator[Call]:
    """The calls that could change something in the folder; to open a file for reading and to close it again cannot."""
    reading: set[tuple[str, str]] = set()
    for call in calls:
        if call.name == "openat" and "O_RDONLY" in call.arguments:
            reading.add((call.thread, str(call.result)))
            continue
        if call.name == "openat":
            reading.discard((call.thread, str(call.result)))
        if call.name == "close" and (call.thread, call.descriptors[0][0] if call.descriptors else "") in reading:
            continue
        named = [] if call.name in ("write", "pwrite64", "writev") else call.paths(folder)
        paths = [*named, *(path for _, path in call.descriptors)]
        if any(path == folder or path.startswith(folder + "/") for path in paths):
            yield call


def _sample(trials: list[T], most: int) -> list[T]:
    if not most or len(trials) <= most:
        return trials
    return [trials[index * len(trials) // most] for index in range(most)]


SWEEPS = {"inject": inject, "powercut": powercut}


def sweep_all(mode: str, subject: Subject, sweep: Sweep, jobs: int) -> Tally:
    """Sweep in several processes at once and count together."""
    warm_up((subject.setup, subject.command, subject.recover, subject.check))
    whole = Tally()
    shards = [
        Sweep(kinds=sweep.kinds, most=sweep.most, shard=shard, shards=jobs, keep=sweep.keep) for shard in range(jobs)
    ]
    if jobs == 1:
        return SWEEPS[mode](subject, shards[0])
    with ProcessPoolExecutor(jobs) as pool:
        for tally in pool.map(SWEEPS[mode], [subject] * jobs, shards):
            whole.add(tally)
    return whole


def main() -> int:
    """Run one sweep as the command line says."""
    given = _arguments()
    kinds = given.faults if given.mode == "inject" else given.variants
    subject = Subject(
        setup=given.setup, command=given.cmd, recover=given.recover, check=given.check, timeout=given.timeout
    )
    sweep = Sweep(kinds=tuple(kinds.split(",")), most=given.max, keep=given.keep)
    started = time.monotonic()
    tally = sweep_all(given.mode, subject, sweep, given.jobs)
    print(f"{time.monotonic() - started:.1f} s")
    for line in tally.lines():
        print(line)
    return 0 if tally.survived == tally.tried > 0 else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=SWEEPS)
    parser.add_argument("--setup", default="", help="makes the folder from which every trial starts")
    parser.add_argument("--cmd", required=True, help="the command under test")
    parser.add_argument("--recover", default="", help="what follows a fault; must succeed")
    parser.add_argument("--check", required=True, help="says whether all is well")
    parser.add_argument("--faults", default=FAULTS, help="of inject")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="of powercut")
    parser.add_argument("--max", type=int, default=0, help="at most so many trials, spread evenly")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the trials")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a step")
    parser.add_argument("--keep", action="store_true", help="keep the folders of lost trials")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
