"""The law of scans: one window makes suspicious, the second like it blocks; nothing blocks, or is quiet, against the rule."""

from __future__ import annotations

import pytest

from ledger.writing import decided, evaluated, promote, scanned, submitted, trained
from noa_mlops.errors import LedgerConflict

UP = ("age", "values", "up")
DOWN = ("age", "values", "down")
FIRST, SECOND, THIRD = "3" * 64, "4" * 64, "5" * 64


@pytest.fixture
def champion(ledger):
    """A ledger whose lifecycle has champion 1."""
    promote(ledger, 1)
    return ledger


def lifecycle(ledger):
    return ledger.state.lifecycle("rain")


def failing(current, *signs, **changes):
    return scanned(verdict="fail", current=current, signs=signs, **changes)


def test_a_quiet_scan_is_recorded_and_decides_nothing(champion):
    before = lifecycle(champion)
    champion.append(scanned())
    assert lifecycle(champion) == before
    assert champion.state.decided == champion.state.size - 1


def test_the_first_window_is_suspect_and_the_second_like_it_blocks(champion):
    first = champion.append(failing(FIRST, UP))
    assert (lifecycle(champion).rollout, lifecycle(champion).suspicion.seq) == ("ready", first.seq)
    second = champion.append(failing(SECOND, UP, DOWN, confirms=first.seq, status="blocked"))
    assert (lifecycle(champion).rollout, lifecycle(champion).incident.seq) == ("blocked", second.seq)
    assert lifecycle(champion).deciding == second.seq
    assert lifecycle(champion).champion == 1


def test_a_window_that_is_certain_blocks_at_once(champion):
    champion.append(failing(FIRST, certain=True, status="blocked"))
    assert lifecycle(champion).rollout == "blocked"


@pytest.mark.parametrize(
    ("between", "second"),
    [
        ((), failing(FIRST, UP)),
        ((), failing(SECOND, DOWN)),
        ((scanned(current=THIRD),), failing(SECOND, UP)),
    ],
    ids=["the same data", "another direction", "a window between that passed"],
)
def test_what_confirms_nothing_stays_suspect(champion, between, second):
    champion.append(failing(FIRST, UP))
    for compose in (*between, second):
        champion.append(compose)
    assert lifecycle(champion).rollout == "ready"


def test_an_inconclusive_window_clears_no_suspicion(champion):
    first = champion.append(failing(FIRST, UP))
    champion.append(scanned(verdict="inconclusive", current=THIRD))
    champion.append(failing(SECOND, UP, confirms=first.seq, status="blocked"))
    assert lifecycle(champion).rollout == "blocked"


def test_a_new_champion_is_not_suspected_for_the_old_one(champion):
    champion.append(failing(FIRST, UP))
    promote(champion, 2)
    champion.append(scanned(2, verdict="fail", current=SECOND, signs=[UP]))
    assert lifecycle(champion).rollout == "ready"


def test_further_failures_join_the_open_incident(champion):
    opened = champion.append(failing(FIRST, certain=True, status="blocked"))
    before = lifecycle(champion)
    champion.append(failing(SECOND, certain=True, status="blocked"))
    after = lifecycle(champion)
    assert (after.incident.seq, after.deciding, after.answerable) == (opened.seq, before.deciding, before.answerable)


def test_while_blocked_a_version_that_passes_is_held_and_none_is_promoted(champion):
    champion.append(failing(FIRST, certain=True, status="blocked"))
    for compose in (submitted(), trained(2), evaluated(2)):
        champion.append(compose)
    with pytest.raises(LedgerConflict, match="rollout is blocked"):
        champion.append(decided(2, replaces=1))
    champion.append(decided(2, status="blocked", reasons=["drift"], replaces=1))
    assert champion.state.version("rain", 2).status == "held"


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        (failing(FIRST, UP, status="blocked"), "against what the scans before it say"),
        (failing(FIRST, UP, certain=True), "against what the scans before it say"),
        (failing(FIRST, UP, confirms=1), "against what the scans before it say"),
        (failing(FIRST), "fails without a sign"),
        (scanned(signs=[UP]), "shows one and does not fail"),
        (scanned(2), "the champion is 1"),
        (scanned(checksum="c" * 64), "other bytes"),
        (scanned(status="ready"), "status"),
        (scanned(current="x"), "by their digests"),
        (scanned(verdict="good"), "no verdict"),
        (scanned(certain=1), "no verdict"),
        (scanned(verdict="fail", signs=[("a", "b")]), "a column, a question and a direction"),
        (scanned(verdict="fail", signs=[UP] * 101), "short list"),
        (scanned(predicate={"noa:decision": {}}), "although it decides nothing"),
        (failing(FIRST, certain=True, status="blocked", predicate={"noa:decision": {}}), "without a decision"),
        (scanned(lifecycle="snow"), "the champion is None"),
    ],
)
def test_a_scan_that_says_something_else_is_refused(champion, compose, reason):
    with pytest.raises(LedgerConflict, match=reason):
        champion.append(compose)
