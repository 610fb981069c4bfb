"""Trials of mutants: each in a process of its own, by the tests that run what was changed; the first that fails ends it.

Most are forked from one process that has collected the tests and made what all tests share; there the functions that were
changed get their new code. What shows only when a module is loaded is tried in a process that loads the project anew.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TypeAlias, TypeVar

import pytest

from tools.mutant_tests import Record, run
from tools.mutations import Mutant

JOBS = 2
"""How many trials run at a time."""

MEMORY = 8 << 30
"""Bytes of addresses that a trial may have: some mutants never stop collecting."""

SURVIVED, KILLED, UNFIT, TROUBLE = range(4)
"""What becomes of a trial; a process that ends in any other way was killed."""

Functions: TypeAlias = Mapping[tuple[str, str, int], Sequence[types.FunctionType]]
"""The functions of a process, by file, name and first line of their code."""

What = TypeVar("What")


def each(root: str, trials: Iterable[tuple[What, Callable[[], int]]]) -> Iterator[tuple[What, int]]:
    """What each trial, in a process of its own, comes to; a few run at a time, and leave nothing behind."""
    remaining, running = iter(trials), dict[int, tuple[What, str]]()
    while True:
        while len(running) < JOBS and (trial := next(remaining, None)) is not None:
            folder = tempfile.mkdtemp(dir=root)
            running[_forked(trial[1], folder)] = trial[0], folder
        if not running:
            return
        pid, status = os.wait()
        if pid in running:
            what, folder = running.pop(pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)
            yield what, os.waitstatus_to_exitcode(status)


def in_place(record: Record, mutant: Mutant, functions: Functions, items: Mapping[str, pytest.Item]) -> int:
    """Try a mutant in this process, where the project is loaded."""
    tests = [items[test] for test in record.tests(mutant)]
    if not _put_in(mutant, functions):
        return UNFIT
    if tests:
        run(tests)
    return SURVIVED


def afresh(record: Record, mutant: Mutant | None, options: Sequence[str]) -> int:
    """Try a mutant, or none, in this process, where the project is not loaded yet."""
    tests = record.tests(mutant) if mutant is not None else record.affordable(record.seconds)
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(mutant))
    signal.setitimer(signal.ITIMER_REAL, 60)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return KILLED if tests and pytest.main([*options, *files], plugins=[Judge(record, tests)]) else SURVIVED


class Judge:
    """A pytest plugin that ends this process at the first failure, or when a test hangs."""

    def __init__(self, record: Record, tests: Sequence[str] = ()) -> None:
        self._record = record
        self._tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that are asked, in their order."""
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[test] for test in self._tests]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Set the alarm, which ends the process."""
        signal.setitimer(signal.ITIMER_REAL, self._record.limit(item.nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End at the first failure."""
        if report.failed:
            os._exit(KILLED)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tests that cannot even be loaded fail."""
        if report.failed:
            os._exit(KILLED)


def live_functions() -> Functions:
    """All functions of this process."""
    found = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, types.FunctionType):
            code = one.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(one)
    return found


def _forked(trial: Callable[[], int], folder: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = TROUBLE
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(quiet, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        status = trial()
    except Exception:  # noqa: BLE001  tests catch their own: this is ours
        with open(os.path.join(os.path.dirname(folder), "trouble"), "a") as log:
            traceback.print_exc(file=log)
    except BaseException:  # noqa: BLE001  something went through a test that should have stopped there
        status = KILLED
    finally:
        os._exit(status)


def _put_in(mutant: Mutant, functions: Functions) -> bool:
    """Give the functions that are there the code of the mutant; False when that is not possible."""
    before = compile(mutant.tree, mutant.file.resolve(), "exec", dont_inherit=True)
    after = compile(mutant.source(), mutant.file.resolve(), "exec", dont_inherit=True)
    for old, new in zip(_codes(before), _codes(after), strict=True):
        if old != new:
            found = functions.get((old.co_filename, old.co_qualname, old.co_firstlineno), ())
            if not found or old.co_freevars != new.co_freevars:
                return False
            for function in found:
                function.__code__ = new
    return True


def _codes(module: types.CodeType) -> Iterator[types.CodeType]:
    """The code of every function of a module and of its classes, not that of functions in functions."""
    for code in module.co_consts:
        if isinstance(code, types.CodeType):
            if code.co_flags & 0x2:  # CO_NEWLOCALS: a function, not a class
                yield code
            else:
                yield from _codes(code)


class _Loader(SourceFileLoader):
    """Loads a module with a mutant in it."""

    mutant: Mutant

    def get_code(self, fullname: str) -> types.CodeType:  # noqa: ARG002  the protocol of loaders
        """Compile it; nothing is kept."""
        code: types.CodeType = compile(self.mutant.source(), self.path, "exec", dont_inherit=True)
        return code


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the module of a mutant, and no other."""

    mutant: Mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Its spec, with the loader above."""
        if Path(*fullname.split(".")) != Path(*self.mutant.file.with_suffix("").parts[1:]):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = loader = _Loader(fullname, spec.origin)
            loader.mutant = self.mutant
        return spec
