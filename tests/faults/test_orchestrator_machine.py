"""Runs that promote, fail, are rejected or killed anywhere, in any order: what is recorded is always one story."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crash.projects import MOMENTS, Project, die_at, end_of, orchestrator, plan, start
from noa_mlops.ledger import LedgerState, admit

SOAK = bool(os.environ.get("NOA_SOAK"))
KILLED = -9
ENDS = {"shell": (0, "champion"), "fails": (6, "failed"), "says-one": (3, "rejected")}
"""For each trainer how its run ends, and its version."""

ON_THEIR_WAY = ("submitted", "trained", "evaluated")
trainers = st.sampled_from(sorted(ENDS))


class OneLifecycle(RuleBasedStateMachine):
    """The model: the state that was told of each version, and the versions whose outcome was told to nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        for name in ("NOA_KEYS", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
            self.patch.setenv(name, str(self.root / name.lower()))
        self.project = Project.at(self.root / "project")
        self.told: dict[int, str] = {}

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.root)

    def fold(self):
        """What the whole file says, sealed or not."""
        state = LedgerState()
        for line in self.project.layout.ledger.read_bytes().splitlines():
            state = admit(state, line)
            assert isinstance(state, LedgerState), state
        return state

    def next_for(self, trainer):
        """The version that a run with this trainer must be: one that was cut off, else a new one."""
        versions = self.fold().lifecycle("odd").versions
        for number in sorted(versions, reverse=True):
            cut_off = versions[number].status in ON_THEIR_WAY
            untold = number == len(versions) and number not in self.told and versions[number].status != "failed"
            if versions[number].profile == trainer and (cut_off or untold):
                return number
        return len(versions) + 1

    @rule(trainer=trainers)
    def run(self, trainer):
        expected = self.next_for(trainer)
        with orchestrator(self.project.layout) as running:
            report = running.run_plan(plan(profile=trainer))
        assert (report.exit_code, report.state, report.version) == (*ENDS[trainer], expected)
        self.told[expected] = report.state

    @rule(trainer=trainers, moment=st.sampled_from(sorted(MOMENTS)))
    def be_killed(self, trainer, moment):
        """A run that never comes to that moment ends as always."""
        expected = self.next_for(trainer)
        status, state = ENDS[trainer]
        code = end_of(start(die_at, self.project.layout, *MOMENTS[moment], plan(profile=trainer)))
        assert code in (KILLED, status)
        if code == status:
            self.told[expected] = state

    @rule(trainer=trainers)
    def only_check(self, trainer):
        """A plan that is checked leaves no trace."""
        with orchestrator(self.project.layout) as running:
            before = self.fold()
            running.check_plan(plan(profile=trainer))
        assert self.fold() == before

    @invariant()
    def what_was_told_is_so(self):
        versions = self.fold().lifecycle("odd").versions
        for number, state in self.told.items():
            now = versions[number].status
            assert now == state or (state, now) == ("champion", "former")

    @invariant()
    def the_champion_is_the_newest_promotion_and_no_version_was_decided_twice(self):
        with orchestrator(self.project.layout):
            pass  # seals what a killed run left
        entries = self.project.entries()
        decisions = [(entry.version, entry.status) for entry in entries if entry.type == "PromotionReady"]
        assert len({version for version, _ in decisions}) == len(decisions)
        promoted = [version for version, status in decisions if status == "ready"]
        assert self.project.state.lifecycle("odd").champion == (promoted[-1] if promoted else None)
        submitted = [entry.version for entry in entries if entry.type == "Submitted"]
        assert submitted == list(range(1, len(submitted) + 1))

    @invariant()
    def everything_verifies(self):
        assert self.project.findings() == []


TestOneLifecycle = OneLifecycle.TestCase
TestOneLifecycle.settings = settings(
    max_examples=60 if SOAK else 2, stateful_step_count=20 if SOAK else 6, deadline=None, database=None
)
TestOneLifecycle = pytest.mark.timeout(3600)(TestOneLifecycle)
