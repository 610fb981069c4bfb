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


def test_three_inconclusive_windows_in_a_row_let_a_suspicion_lapse(champion):
    champion.append(failing(FIRST, UP))
    for _ in range(3):
        assert lifecycle(champion).suspicion is not None
        champion.append(scanned(verdict="inconclusive", current=THIRD))
    assert lifecycle(champion).suspicion is None
    champion.append(failing(SECOND, UP))
    assert lifecycle(champion).rollout == "ready"


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


DATA = "7" * 64


def dropped(version=2, *, certain=True, champion=1):
    """A measurement that shows that the champion's metrics dropped."""
    beside = {"version": champion, "dropped": {"certain": certain}}
    return evaluated(version, predicate={"dataset": {"fingerprint": DATA}, "champion": beside, "look": 1})


def beside(version=2, *, data=DATA, **changes):
    return failing(FIRST, UP, predicate={"dataset": {"fingerprint": data}, "beside": version}, **changes)


@pytest.fixture
def challenger(champion):
    """A version 2 whose measurement shows that champion 1 dropped."""
    for compose in (submitted(), trained(2), dropped()):
        champion.append(compose)
    return champion


def test_a_drop_that_was_measured_beside_a_challenger_is_scanned_before_the_challenger_is_decided_on(challenger):
    for decision in (decided(2, replaces=1), decided(2, status="blocked", reasons=["approval"], replaces=1)):
        with pytest.raises(LedgerConflict, match="no scan says so"):
            challenger.append(decision)
    challenger.append(beside(certain=True, status="blocked"))
    assert lifecycle(challenger).rollout == "blocked"
    with pytest.raises(LedgerConflict, match="rollout is blocked"):
        challenger.append(decided(2, replaces=1))
    challenger.append(decided(2, status="blocked", reasons=["drift"], replaces=1))


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        (beside(), "says less than the measurement"),
        (
            scanned(current=FIRST, predicate={"dataset": {"fingerprint": DATA}, "beside": 2}),
            "says less than the measurement",
        ),
        (beside(data="8" * 64, certain=True, status="blocked"), "showed nothing on these data"),
        (beside(1, certain=True, status="blocked"), "showed nothing on these data"),
        (beside("2", certain=True, status="blocked"), "showed nothing on these data"),
    ],
)
def test_a_scan_cannot_play_down_what_was_measured_beside_a_challenger(challenger, compose, reason):
    with pytest.raises(LedgerConflict, match=reason):
        challenger.append(compose)


def test_a_scan_of_other_data_settles_nothing(challenger):
    challenger.append(scanned(current=SECOND))
    with pytest.raises(LedgerConflict, match="no scan says so"):
        challenger.append(decided(2, replaces=1))


def test_a_likely_drop_makes_suspicious_and_the_challenger_may_follow(champion):
    for compose in (submitted(), trained(2), dropped(certain=False), beside()):
        champion.append(compose)
    champion.append(decided(2, replaces=1))
    assert lifecycle(champion).champion == 2


def test_windows_that_are_too_few_data_are_counted_in_a_row(champion):
    blind = [champion.append(scanned(verdict="inconclusive", current=current)).seq for current in 2 * (FIRST, SECOND)]
    assert lifecycle(champion).unseen == tuple(blind[-3:])
    champion.append(scanned(current=THIRD))
    assert lifecycle(champion).unseen == ()


def test_windows_that_were_too_few_data_for_one_champion_are_not_counted_against_the_next(champion):
    for current in (FIRST, SECOND, THIRD):
        champion.append(scanned(verdict="inconclusive", current=current))
    promote(champion, 2)
    assert lifecycle(champion).unseen == ()
