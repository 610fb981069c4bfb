"""``python -m tools.mutants [SAMPLE]``: would a test notice? Mutation testing of the gate, the ledger and verifying.

Every mutant of `tools.mutations`, or a seeded random sample of them, is tried by the tests that run the changed line
(`tools.mutant_trials`). A test that fails kills it; so does one that takes ten times as long as it should, and a process
that ends. Programs that tests start run the code as it is, so what only they execute survives.

Survivors are printed as they are found; the last lines are the scores. The exit status is 1 when tests fail without any
mutant, for then nothing can be said.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest

from tools.mutant_tests import PACKAGE, Record, measure
from tools.mutant_trials import JOBS, SURVIVED, TROUBLE, UNFIT, Judge, afresh, each, in_place, live_functions
from tools.mutations import Mutant, mutants
from tools.trials import workplace

VERIFY = (
    "anchors checks findings folding model_folder proof proof_policies proof_verification replay signature_worker "
    "signatures verification"
)
ROOMS = {
    "gate": sorted(PACKAGE.glob("gate/*.py")),
    "ledger": sorted(PACKAGE.glob("ledger/*.py")),
    "verify": [PACKAGE / f"audit/{name}.py" for name in VERIFY.split()],
}
TESTS = ("tests/gate", "tests/ledger", "tests/audit", "tests/trust", "tests/registry", "tests/vectors")
TOO_LONG = "flipped"
"""In the names of tests that look at every bit: they take longer than all others."""

OPTIONS = (
    *("-q", "-s", "-k", f"not {TOO_LONG}", "--timeout=0", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-p", "no:faulthandler", "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
LOADED = ("numpy", "pandas", "pyarrow", "pydantic", "ruamel.yaml", "sklearn", "click", "cryptography.x509")
"""What the project and its tests import from elsewhere: once, for every process that loads the project anew."""


@dataclass(slots=True, eq=False)
class Warm:
    """A pytest plugin that tries mutants where the tests are, once these are collected, instead of running them.

    ``statuses`` has what became of each mutant of ``chosen``, by its index; those that are not there need a fresh process.
    """

    root: str
    chosen: Sequence[Mutant]
    record: Record = field(default_factory=Record)
    statuses: dict[int, int] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Make what all tests share, measure, then try."""
        _share(session)
        parts = {os.path.join(self.root, f"record-{part}"): session.items[part::JOBS] for part in range(JOBS)}
        for path, _ in each(self.root, ((path, partial(measure, items, path)) for path, items in parts.items())):
            with open(path, "rb") as stored:
                self.record.add(pickle.load(stored))
        if not self.record.failed:
            print(f"{len(self.record.seconds)} tests take {sum(self.record.seconds.values()):.0f} s", flush=True)
            self._try_all(session)
        with open(os.path.join(self.root, "warm"), "wb") as stored:
            pickle.dump((self.record, self.statuses), stored)
        return True

    def _try_all(self, session: pytest.Session) -> None:
        session.config.pluginmanager.unregister(name="terminalreporter")  # a mutant may close what it writes to
        session.config.pluginmanager.register(Judge(self.record))
        functions, items = live_functions(), {item.nodeid: item for item in session.items}
        trials = (
            (place, partial(in_place, self.record, mutant, functions, items))
            for place, mutant in enumerate(self.chosen)
            if mutant.function is not None
        )
        for place, status in each(self.root, trials):
            if status != UNFIT:
                self.statuses[place] = told(self.chosen[place], status)


def _share(session: pytest.Session) -> None:
    """Run a test for each thing that is made once for all: it stays, for every process that is forked from this one."""
    made: set[str] = set()
    rest = SimpleNamespace(listchain=lambda: [session])  # what comes next shares the session alone
    for item in session.items:
        fixtures: dict[str, Any] = vars(item)["_fixtureinfo"].name2fixturedefs
        shared = {name for name, definitions in fixtures.items() if definitions[-1].scope == "session"}
        if shared - made:
            made |= shared
            item.ihook.pytest_runtest_protocol(item=item, nextitem=rest)


def told(mutant: Mutant, status: int) -> int:
    """Say that a mutant survived, as soon as it is known; one that made trouble here is not said to be killed."""
    if status in (SURVIVED, TROUBLE):
        print(f"SURVIVED  {mutant}", flush=True)
    return status


def try_all(root: str, chosen: Sequence[Mutant], tests: Sequence[str]) -> dict[int, int]:
    """What became of each mutant, by its index. Ends the program when tests fail without any."""
    pid = os.fork()
    if not pid:
        os._exit(int(pytest.main([*OPTIONS, *tests], plugins=[Warm(root, chosen)])))
    os.waitpid(pid, 0)
    if not os.path.exists(os.path.join(root, "warm")):
        sys.exit("mutants could not be tried")
    with open(os.path.join(root, "warm"), "rb") as stored:
        record, statuses = pickle.load(stored)
    if record.failed:
        sys.exit("\n\n".join(["tests fail without any mutant:", *record.failed]))
    later = {place: mutant for place, mutant in enumerate(chosen) if place not in statuses}
    for _, status in each(root, [(None, partial(afresh, record, None, OPTIONS))] if later else ()):
        if status != SURVIVED:
            sys.exit("tests fail without any mutant in a process that loads the project anew")
    for place, status in each(root, ((at, partial(afresh, record, one, OPTIONS)) for at, one in later.items())):
        statuses[place] = told(chosen[place], status)
    return dict(statuses)


def chosen_by(arguments: argparse.Namespace) -> list[Mutant]:
    """The mutants to try."""
    found = [mutant for files in ROOMS.values() for file in files for mutant in mutants(file)]
    found = [mutant for mutant in found if str(mutant).startswith(tuple(arguments.only or ("",)))]
    if arguments.sample is None or arguments.sample >= len(found):
        return found
    places = random.Random(arguments.seed).sample(range(len(found)), arguments.sample)
    return [found[place] for place in sorted(places)]


def scores(chosen: Sequence[Mutant], statuses: dict[int, int]) -> None:
    """Print them, by room and for all."""
    total, killed = Counter[str](), Counter[str]()
    for place, status in statuses.items():
        room = next(room for room, files in ROOMS.items() if chosen[place].file in files)
        total.update((room, "all"))
        killed.update((room, "all") if status not in (SURVIVED, TROUBLE) else ())
    for room in total:
        print(f"{room}: killed {killed[room]} of {total[room]}, {100 * killed[room] / total[room]:.1f} %")


def main() -> None:
    """Read the command line, try, print."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description="Mutation testing.")
    parser.add_argument("sample", nargs="?", type=int, help="how many mutants, drawn at random; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", action="append", metavar="FILE[:LINE]", help="mutants whose place begins like this")
    parser.add_argument("--tests", action="append", metavar="PATH", help="tests to ask, instead of all")
    arguments = parser.parse_args()
    began, chosen = time.monotonic(), chosen_by(arguments)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # any counterexample kills, it need not be small
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True, phases=phases)
    hypothesis.settings.load_profile("mutants")
    for name in LOADED:
        importlib.import_module(name)
    print(f"{len(chosen)} mutants", flush=True)
    with workplace() as root:
        statuses = try_all(root, chosen, arguments.tests or TESTS)
        if TROUBLE in statuses.values():
            print(Path(root, "trouble").read_text(), file=sys.stderr)
    scores(chosen, statuses)
    drawn = "all" if arguments.sample is None else f"a sample drawn with seed {arguments.seed}"
    print(f"{drawn}, in {(time.monotonic() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
