"""What comes next follows from what is recorded, and every way that the law allows has an end."""

from __future__ import annotations

import itertools

import pytest

from lifecycle.drafts import MAKES, append
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.lifecycle import Decide, Done, Evaluate, Train, next_step
from noa_mlops.lifecycle.history import history_of
from noa_mlops.records.events import EvaluationLogged, TrainingCompleted
from noa_mlops.records.layout import Layout

LEADS_TO = {
    Train: {"trained", "training_failed"},
    Evaluate: {"evaluated", "evaluation_failed"},
    Decide: {"promoted", "rejected", "inconclusive", "held", "evaluation_failed"},
}
"""What each step may append, for a plan with a gate and evaluation data."""

WITHOUT_DATA = {**LEADS_TO, Decide: {"ready without a gate", "held without a gate", "evaluation_failed"}}
"""The same for a plan that names no evaluation data."""


MOST_MEASUREMENTS = 2
"""A version is measured again whenever another champion has come between; two stand for any number."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    root = tmp_path_factory.mktemp("steps")
    with Ledger.create(Layout.of(root / "project"), "demo", KeyStore(root / "keys")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def admitted(ledger):
    """Every sequence of entries about one version that the law admits, as names and as events; measured twice at most."""
    lifecycles = (f"tried-{number}" for number in itertools.count())
    found, ends = {}, [()]
    while ends:
        names = ends.pop()
        for name in MAKES:
            if (name, names.count("evaluated")) == ("evaluated", MOST_MEASUREMENTS):
                continue
            lifecycle, history = next(lifecycles), []
            for earlier in names:
                append(ledger, MAKES[earlier], lifecycle, history)
            try:
                append(ledger, MAKES[name], lifecycle, history)
            except LedgerConflict:
                continue
            if name != "submitted" or not names:
                found[*names, name] = history
                ends.append((*names, name))
    return found


def test_the_law_admits_exactly_these_ways_of_a_version(admitted):
    ways = {
        ("submitted",),
        ("submitted", "training_failed"),
        ("submitted", "trained"),
        ("submitted", "trained", "evaluated"),
        ("submitted", "trained", "evaluated", "evaluated"),
        *(("submitted", "trained", end) for end in ("evaluation_failed", *WITHOUT_DATA[Decide])),
        *(
            ("submitted", "trained", *measured, end)
            for measured in (("evaluated",), ("evaluated", "evaluated"))
            for end in (*LEADS_TO[Decide], *WITHOUT_DATA[Decide])
        ),
    }
    assert set(admitted) == ways


def test_there_is_a_next_step_after_everything_the_law_admits_and_it_is_admitted_in_turn(admitted):
    for names, history in admitted.items():
        following = {way[-1] for way in admitted if way[:-1] == names}
        for evaluated, leads_to in ((True, LEADS_TO), (False, WITHOUT_DATA)):
            step = next_step(history, evaluated=evaluated)
            if isinstance(step, Done):
                assert following == set()
                assert step.last == history[-1]
            else:
                assert leads_to[type(step)] <= following


def test_every_way_ends_whatever_each_step_comes_to(admitted):
    for evaluated, leads_to in ((True, LEADS_TO), (False, WITHOUT_DATA)):
        ways = [("submitted",)]
        for _ in range(3):
            ways = [
                (*way, outcome)
                for way in ways
                if not isinstance(step := next_step(admitted[way], evaluated=evaluated), Done)
                for outcome in leads_to[type(step)]
            ]
        assert all(isinstance(next_step(admitted[way], evaluated=evaluated), Done) for way in ways)


def test_resuming_asks_the_same_question(admitted, ledger):
    """The history read back from the ledger leads to the same step as the one that the run remembered."""
    for history in admitted.values():
        first = history[0]
        read = history_of(ledger, first.lifecycle_id, first.version)
        assert read == history
        for evaluated in (True, False):
            assert next_step(read, evaluated=evaluated) == next_step(history, evaluated=evaluated)


def test_a_step_carries_the_entries_that_it_works_on(admitted):
    trained = admitted["submitted", "trained"]
    measured = admitted["submitted", "trained", "evaluated"]
    assert next_step(trained, evaluated=True) == Evaluate(trained[1])
    assert next_step(trained, evaluated=False) == Decide(trained[1], None)
    assert next_step(measured, evaluated=True) == Decide(measured[1], measured[2])
    assert isinstance(measured[1], TrainingCompleted)
    assert isinstance(measured[2], EvaluationLogged)
