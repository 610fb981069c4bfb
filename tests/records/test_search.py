"""The space of a search, its corners, and what became of its trials."""

from __future__ import annotations

from noa_mlops.records.search import MOST_CORNERS, Search, Trial, best_of

SPACE = {
    "rate": {"low": 0.001, "high": 1.0, "log": True},
    "leaves": {"low": 2, "high": 5},
    "kind": ["a", None],
}


def trial(number, value=None, **more):
    return Trial(number, {"rate": 0.1}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", value=value, **more)


def test_the_corners_join_both_ends_of_every_range_with_every_value():
    corners = list(Search("r2", SPACE).corners())
    assert len(corners) == 8
    assert {"rate": 1.0, "leaves": 2, "kind": None} in corners
    assert len(list(Search("r2", {str(n): {"low": 0, "high": 1} for n in range(12)}).corners())) == MOST_CORNERS


def test_the_best_trial_has_the_best_value_and_is_the_first_of_equals():
    trials = [trial(1, 0.5), trial(2), trial(3, 0.7), trial(4, 0.7), trial(5, pruned_at=3)]
    assert best_of(Search("r2", SPACE), trials).number == 3
    assert best_of(Search("rmse", SPACE), trials).number == 1
    assert best_of(Search("r2", SPACE), [trial(1), trial(2)]) is None


def test_a_trial_is_read_as_it_was_written():
    whole = trial(3, 0.25, curve={1: 0.5, 10: 0.25})
    assert Trial.from_document(whole.to_document()) == whole
