"""Becoming a Python program by forking: the process keeps the modules that were imported before it.

What a program of its own would have from ``exec`` is made by hand: arguments, environment, no open files, the actions of
signals that an interpreter starts with, and a name by which others find it in ``/proc`` (proc(5), ``environ``).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the supervisor starts without what these need
    from typing import NoReturn, TextIO

    from noa_mlops.agents.assignment import Assignment
    from noa_mlops.agents.kernel import Kernel

_MARK = "TMPDIR"
_ROOM = "NOA_ROOM"
_ROOM_BYTES = 4200
"""For the variable that marks an agent: a path of the longest kind, and its name."""


def room() -> dict[str, str]:
    """A variable for the environment of a zygote, as long as the one that later takes its place."""
    return {_ROOM: "x" * _ROOM_BYTES}


def is_possible(assignment: Assignment) -> bool:
    """Whether this process has imported what the assignment wants, and can be forked safely."""
    module = assignment.preloaded
    return bool(module) and module in sys.modules and len(os.listdir("/proc/self/task")) == 1


def become(kernel: Kernel, assignment: Assignment) -> NoReturn:
    """Run the module of ``python -I -m MODULE ...`` and end as that would."""
    _take_environment(kernel, assignment.environment)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _take_signals()
    sys.argv = ["-m", *assignment.argv[4:]]
    os._exit(_run(assignment.argv[3]))


def _take_environment(kernel: Kernel, environment: dict[str, str]) -> None:
    """The new variables, and the mark where ``/proc`` shows it: in the memory that the old ones were handed over in."""
    import tempfile
    import time

    place = kernel.address_of(_ROOM)
    os.environ.clear()
    os.environ.update(environment)
    if place is not None:
        mark = os.fsencode(f"{_MARK}={environment[_MARK]}")[: _ROOM_BYTES - 1]
        kernel.write_memory(place - len(_ROOM) - 1, mark + b"\0")
    tempfile.tempdir = None
    time.tzset()
    kernel.be_readable()


def _take_signals() -> None:
    """As Python does when it starts."""
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _run(module: str) -> int:
    import runpy

    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = _status(end)
    except BaseException:  # noqa: BLE001  this is where a program ends: it says why
        sys.excepthook(*sys.exc_info())
        status = 1
    return status if _tidy_up() else 120


def _status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _tidy_up() -> bool:
    """What an interpreter does at its end: wait for threads, call what was registered; whether all was written."""
    import atexit
    import threading

    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  as multiprocessing does for its forked processes
    atexit._run_exitfuncs()  # noqa: SLF001
    written = _written(sys.stdout)
    return _written(sys.stderr) and written


def _written(stream: TextIO | None) -> bool:
    """Whether nothing that was printed is left behind; see ``flush_std_files`` in CPython's ``pylifecycle.c``."""
    if stream is None or stream.closed:
        return True
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        if stream is sys.stdout:
            sys.stderr.write(f"Exception ignored in: {stream!r}\n{type(error).__name__}: {error}\n")
        return False
    return True
