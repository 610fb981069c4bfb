"""The border of a trainer process: runs one step and says in one line why it could not be done.

Exit status 0: done. 1: the code of the user failed (its traceback is printed). 2: the job cannot be done as asked.
12: out of memory, with the word MemoryError in the last line. The status and the last lines of stderr are all that
the runtime sees of a failure.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from noa_mlops.errors import LifecycleError
from noa_mlops.trainers.job import Job

OUT_OF_MEMORY = 12
"""Exit status of a process that ran out of memory (the number of ENOMEM)."""

Step = Callable[[Job], None]
"""Trains, predicts or evaluates, and leaves the result in ``job.out``."""


def launch(train: Step, predict: Step, arguments: Sequence[str] | None = None) -> int:
    """Run the step that the command line names; the exit status for the process."""
    return launch_one_of({"train": train, "predict": predict}, arguments)


def launch_one_of(steps: Mapping[str, Step], arguments: Sequence[str] | None = None) -> int:
    """Like `launch`, for any steps by name."""
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1 or given[0] not in steps:
        return _refuse(f"expected one argument, {' or '.join(steps)}", 2)
    _print_line_by_line()
    try:
        job = Job.read()
        if job.step != given[0]:
            return _refuse(f"the payload is for the step {job.step!r}, not {given[0]!r}", 2)
        keep_to_cpus(job.cpus)
        steps[given[0]](job)
    except LifecycleError as error:
        return _refuse(str(error), error.exit_code)
    except MemoryError as error:
        return _refuse(f"out of memory (MemoryError) {error}".rstrip(), OUT_OF_MEMORY)
    except OSError as error:
        return _refuse(f"a file could not be read or written: {error}{explained(error)}", 1)
    return 0


def explained(error: BaseException) -> str:
    """What an error of the system means for an agent, to follow its text; empty when it means what it says."""
    found = _first_system_error(error)
    if found is None:
        return ""
    if found.errno == errno.EFBIG:
        return "; the plan limits what a run may write, by resources: {disk: ...}"
    if isinstance(found, PermissionError) or type(found).__module__ == "socket":
        return "; a sealed agent sees its own folder only and has no network"
    return ""


class Stages:
    """Says on the progress line which stage of a job has begun, and when."""

    def __init__(self, job: Job, names: Sequence[str]) -> None:
        self._job = job
        self._names = tuple(names)
        self._started = time.monotonic()

    def begin(self, name: str, note: str = "") -> None:
        """Report the start of the stage ``name``; seconds count from the start of the job."""
        message = f"{name}: {note}" if note else name
        seconds = round(time.monotonic() - self._started, 3)
        self._job.progress(step=self._names.index(name) + 1, of=len(self._names), message=message, seconds=seconds)


def keep_to_cpus(cpus: int) -> None:
    """Keep numeric libraries to ``cpus`` threads, those that are loaded later and, in a forked agent, those that are.

    A fixed number of threads also keeps the order of floating-point sums, so that equal jobs give equal results.
    Threads that wait give their processor away: agents share a machine, and boosting is six times slower on a busy
    one when they spin.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(cpus)
    if "threadpoolctl" in sys.modules:
        sys.modules["threadpoolctl"].threadpool_limits(cpus)


def say(text: str) -> None:
    """Print one line for the operator on stderr, which the runtime keeps."""
    sys.stderr.write(f"noa: {text}\n")
    sys.stderr.flush()


def _print_line_by_line() -> None:
    """Give each line away as it is printed, so that the log of a process that is killed has what it said."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _first_system_error(error: BaseException | None) -> OSError | None:
    """The error of the system that came first in a chain of errors, each raised while the one before was handled."""
    first = None
    while error is not None:
        first = error if isinstance(error, OSError) and error.errno is not None else first
        error = error.__cause__ or error.__context__
    return first


def _refuse(reason: str, status: int) -> int:
    say(" ".join(reason.split()))
    return status
