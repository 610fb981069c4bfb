"""Two writers of one ledger, in any order of appends, crashes, reopenings and changes of policy: one chain, one state."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.writing import decided, evaluated, evaluation_failed, submitted, trained, training_failed
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import KeyStore, Ledger, LedgerState, admit
from noa_mlops.ledger.pins import KnownLogs
from noa_mlops.records.layout import Layout
from trust.deciding import changing

LIFECYCLES = ("rain", "snow")
SOAK = bool(os.environ.get("NOA_SOAK"))
TAILS = st.one_of(
    st.binary(min_size=1, max_size=40).filter(lambda data: data != b"\n"),
    st.integers(1, 9000).map(lambda size: b"\0" * size),
    st.just(b'{"_type":"https://in-toto.io/Statement/v1","noa_entry":{"v":1}\n'),
)
writers = st.sampled_from((0, 1))
moments = st.integers(0, 250_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def following(lifecycle, chosen):
    """Compose what may follow the newest version of a lifecycle; ``chosen`` picks where there is a choice."""

    def compose(state):
        known = state.lifecycle(lifecycle)
        newest = known.versions.get(len(known.versions))
        number = len(known.versions)
        if newest is None or not newest.on_its_way:
            made = submitted(lifecycle)
        elif newest.status == "submitted":
            made = (trained if chosen % 4 else training_failed)(number, lifecycle=lifecycle)
        elif newest.status == "trained":
            made = (evaluated if chosen % 4 else evaluation_failed)(number, lifecycle=lifecycle)
        elif chosen % 2:
            made = decided(number, lifecycle=lifecycle, replaces=known.champion)
        else:
            outcome = {"verdict": "fail", "status": "blocked", "reasons": ["threshold"]}
            made = decided(number, lifecycle=lifecycle, replaces=known.champion, **outcome)
        return made(state)

    return compose


class TwoWriters(RuleBasedStateMachine):
    """The model is a list: every line that was promised, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.layout, self.keystore = Layout.of(self.root / "project"), KeyStore(self.root / "keys")
        self.pins = KnownLogs(self.root / "pins")
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.writers = [Ledger.create(self.layout, "demo", self.keystore, pins=self.pins, clock=self.clock), None]
        self.promised = [self.layout.ledger.read_bytes()]
        self.torn = b""

    def teardown(self) -> None:
        for writer in self.writers:
            if writer is not None:
                writer.close()
        shutil.rmtree(self.root)

    def clock(self):
        return self.now

    @rule(now=moments)
    def the_clock_jumps(self, now):
        """Forward or back, by any time: no order and no validity rests on it."""
        self.now = now

    def writer(self, which):
        """That writer, opened again when it crashed or was closed."""
        if self.writers[which] is None:
            self.writers[which] = Ledger.open(self.layout, self.keystore, pins=self.pins, clock=self.clock)
            self.torn = b""
        return self.writers[which]

    def done(self, entry):
        assert entry.seq == len(self.promised)
        self.promised.append(entry.line + b"\n")
        self.torn = b""

    @rule(which=writers, lifecycle=st.sampled_from(LIFECYCLES), chosen=st.integers(0, 7))
    def append(self, which, lifecycle, chosen):
        self.done(self.writer(which).append(following(lifecycle, chosen)))

    @rule(which=writers, chosen=st.lists(st.integers(0, 7), min_size=1, max_size=9))
    def append_many(self, which, chosen):
        for entry in self.writer(which).append_many(following(LIFECYCLES[each % 2], each) for each in chosen):
            self.done(entry)

    @rule(which=writers, lifecycle=st.sampled_from(LIFECYCLES), distance=st.integers(1, 3))
    def append_what_cannot_follow(self, which, lifecycle, distance):
        """Decide on a version that does not exist; among others, so that they do not suffer from it."""
        beyond = self.writer(which).state.lifecycle(lifecycle).next_version + distance
        outcomes = self.writer(which).append_many([decided(beyond, lifecycle=lifecycle), following(lifecycle, 1)])
        assert isinstance(outcomes[0], LedgerConflict)
        self.done(outcomes[1])

    @rule(which=writers, name=st.sampled_from(("a", "b")))
    def change_policy(self, which, name):
        """The newest policy must be the one that is changed, so the writer looks first."""
        ledger = self.writer(which)
        ledger.refresh()
        policy = replace(ledger.state.policy, data_roots=(f"../{name}-{len(self.promised)}",))
        self.done(ledger.append(changing(policy, ledger.keys.signing_key("root"))))

    @precondition(lambda self: not self.torn)
    @rule(which=writers)
    def close(self, which):
        if self.writers[which] is not None:
            self.writers[which].close()
            self.writers[which] = None

    @rule(which=writers)
    def seal(self, which):
        self.writer(which).seal()
        self.torn = b""
        assert Ledger.read_only(self.layout, self.pins).state.size == len(self.promised)

    @precondition(lambda self: not self.torn)
    @rule(which=writers, tail=TAILS)
    def crash_with_a_torn_tail(self, which, tail):
        """The process is gone with all its descriptors; what it was writing is there in part, and promised to nobody."""
        if self.writers[which] is not None:
            self.writers[which]._release()
            self.writers[which] = None
        with self.layout.ledger.open("ab") as stream:
            stream.write(tail)
        self.torn = tail

    @precondition(lambda self: not self.torn)
    @rule(which=writers, share=st.floats(0, 1, exclude_min=True, exclude_max=True))
    def crash_while_sealing(self, which, share):
        """A checkpoint that nobody was told of is there in part: what it was to cover is there all the same."""
        self.writer(which)._release()
        Ledger.open(self.layout, self.keystore, pins=self.pins, clock=self.clock)._release()  # as every sealer does
        self.writers[which] = None
        record = b"\n\n".join(self.layout.log_checkpoints.read_bytes().split(b"\n\n")[-3:])
        with self.layout.log_checkpoints.open("ab") as stream:
            stream.write(record[: max(1, int(share * len(record)))])

    @invariant()
    def the_file_is_one_chain_of_what_was_promised(self):
        assert self.layout.ledger.read_bytes() == b"".join(self.promised) + self.torn

    @invariant()
    def every_state_is_the_fold_of_the_file(self):
        state = LedgerState()
        champions, versions = dict.fromkeys(LIFECYCLES), dict.fromkeys(LIFECYCLES, 0)
        for line in self.promised:
            state = admit(state, line[:-1])
            assert isinstance(state, LedgerState), state
        for entry, after in Ledger.read_only(self.layout, self.pins).entries():
            if entry.type == "Submitted":
                versions[entry.lifecycle_id] += 1
                assert entry.version == versions[entry.lifecycle_id]
            if entry.type == "PromotionReady" and entry.status == "ready":
                champions[entry.lifecycle_id] = entry.version
            if entry.lifecycle_id:
                assert after.lifecycle(entry.lifecycle_id).champion == champions[entry.lifecycle_id]
        for lifecycle in LIFECYCLES:  # what is not sealed yet decides nothing
            assert state.lifecycle(lifecycle).champion == champions[lifecycle]
        for writer in self.writers:
            if writer is not None and not self.torn:
                writer.refresh()
                assert writer.state == state


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = settings(
    max_examples=400 if SOAK else 6, stateful_step_count=60 if SOAK else 16, deadline=None, database=None
)
TestTwoWriters = pytest.mark.timeout(3600)(TestTwoWriters)
