"""The commands of a trial, run plainly or under strace: shell lines, or functions of a module that is loaded already.

A step that begins with ``python:`` names a function, ``python:module:function``. It is called in a process forked from
this one, in which the module was imported before: the same system calls without the start of an interpreter.
What it returns is the exit status. A ``warm`` in that module is called before any fork.
"""

from __future__ import annotations

import ctypes
import glob
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

WARM = "python:"
HUNG = 124
"""The status of a step that did not end in its time, or that left processes behind."""

PATIENCE = 5.0
"""Seconds that what a step started may outlive it."""

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended: its exit status (128 + n after signal n), and the end of what it said on standard error."""

    status: int
    said: str


class Steps:
    """Runs steps, each with at most ``timeout`` seconds, and ends what they leave behind."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def run(self, step: str, environment: Mapping[str, str]) -> Ended:
        """Run a step; an empty one has succeeded."""
        return self.traced(step, environment, (), os.devnull) if step else Ended(0, "")

    def traced(self, step: str, environment: Mapping[str, str], options: Sequence[str], output: str) -> Ended:
        """Run a step under strace with ``options`` (none: without strace), its standard output in a file."""
        with open(output, "wb") as out, tempfile.TemporaryFile() as errors:
            streams = out.fileno(), errors.fileno()
            if step.startswith(WARM):
                status, tracer = self._warm(step, environment, options, streams)
            else:
                status, tracer = self._shell(step, environment, options, streams), None
            left = _leftovers(tracer)
            if tracer is not None:
                with tracer:
                    _within(tracer, PATIENCE)
            if left:
                return Ended(HUNG, f"{left} processes stayed behind")
            errors.seek(0)
            return Ended(status, errors.read()[-2000:].decode(errors="replace").strip())

    def _shell(
        self, step: str, environment: Mapping[str, str], options: Sequence[str], streams: tuple[int, int]
    ) -> int:
        tracer = ["strace", "-qq", *options] if options else []
        line = [*tracer, "/bin/sh", "-c", f"exec {step}" if options else step]
        out, errors = streams
        with subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=errors) as process:
            return _within(process, self._timeout)

    def _warm(
        self, step: str, environment: Mapping[str, str], options: Sequence[str], streams: tuple[int, int]
    ) -> tuple[int, subprocess.Popen[bytes] | None]:
        function = _function(step)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _live(function, environment, streams, theirs)
        theirs.close()
        with ours:
            ours.recv(1)  # a fault put into what comes before would not be one of the step
            tracer = _attach(pid, options) if options else None
        return self._end_of(pid), tracer

    def _end_of(self, pid: int) -> int:
        watched = os.pidfd_open(pid)
        try:
            in_time = select.select([watched], [], [], self._timeout)[0]
        finally:
            os.close(watched)
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return HUNG if not in_time else code if code >= 0 else 128 - code


def _leftovers(tracer: subprocess.Popen[bytes] | None) -> int:
    """How many processes of an ended step are still there when it had time to end them; none when this returns."""
    deadline = time.monotonic() + PATIENCE
    while (left := _children(tracer)) and time.monotonic() < deadline:
        time.sleep(0.002)
    while remaining := _children(tracer):
        for pid in remaining:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return len(left)


def _children(tracer: subprocess.Popen[bytes] | None) -> list[int]:
    """The processes below this one, orphans that were handed to it included; those that ended are collected."""
    found = [int(pid) for tasks in glob.glob("/proc/self/task/*/children") for pid in _words(tasks)]
    return [pid for pid in found if (tracer is None or pid != tracer.pid) and os.waitpid(pid, os.WNOHANG)[0] == 0]


def _words(path: str) -> list[str]:
    with open(path) as file:
        return file.read().split()


def warm_up(steps: Iterable[str]) -> None:
    """Load the modules of ``python:`` steps and let them do what need not be done again in each trial."""
    for name in {step.split(":")[1] for step in steps if step.startswith(WARM)}:
        getattr(importlib.import_module(name), "warm", int)()


def _function(step: str) -> Callable[[], int]:
    _, module, name = step.split(":")
    function: Callable[[], int] = getattr(importlib.import_module(module), name)
    return function


def _within(process: subprocess.Popen[bytes], seconds: float) -> int:
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return HUNG
    return status if status >= 0 else 128 - status


def _attach(pid: int, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Put strace on a process that waits; this returns when it is attached."""
    tracer = subprocess.Popen(
        ["strace", *options, "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    errors = tracer.stderr
    if errors is None or not any(b"attached" in line for line in errors):
        os.kill(pid, signal.SIGKILL)
        sys.exit("strace cannot attach to a process of ours")
    return tracer


def _live(
    function: Callable[[], int], environment: Mapping[str, str], streams: tuple[int, int], caller: socket.socket
) -> NoReturn:
    """The life of a forked step: it says when it is ready, and begins when the caller's end is closed."""
    status = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
            os.dup2(stream, number)
        caller.send(b"1")
        caller.recv(1)
        status = function()
        sys.stdout.flush()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - a forked step never returns into the program that forked it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
