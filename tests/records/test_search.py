"""Draws of a search: known beforehand, inside their ranges, the same on every machine."""

from __future__ import annotations

from noa_mlops.records.search import Search

SPACE = {
    "rate": {"low": 0.001, "high": 1.0, "log": True},
    "leaves": {"low": 2, "high": 5},
    "share": {"low": 0.5, "high": 1},
    "kind": ["a", None],
}


def test_draws_are_the_same_for_the_same_seed_whatever_the_order():
    backwards = dict(reversed(SPACE.items()))
    assert Search("r2", SPACE, 5).draws(7) == Search("r2", backwards, 5).draws(7)
    assert Search("r2", SPACE, 5).draws(7) != Search("r2", SPACE, 5).draws(8)


def test_draws_never_change():
    assert Search("r2", SPACE, 2).draws(7) == DRAWN


DRAWN = (
    {"kind": "a", "leaves": 2, "rate": 0.0897023, "share": 0.536218},
    {"kind": None, "leaves": 3, "rate": 0.00149278, "share": 0.753718},
)


def test_draws_fill_their_ranges():
    draws = Search("r2", SPACE, 400).draws(1)
    assert {draw["leaves"] for draw in draws} == {2, 3, 4, 5}
    assert {draw["kind"] for draw in draws} == {"a", None}
    assert all(0.001 <= draw["rate"] <= 1 and 0.5 <= draw["share"] <= 1 for draw in draws)
    assert 0.4 < sum(draw["rate"] < 0.0316 for draw in draws) / 400 < 0.6


def test_whole_numbers_stay_whole_over_orders_of_magnitude():
    draws = Search("r2", {"trees": {"low": 1, "high": 1000, "log": True}}, 50).draws(1)
    assert all(isinstance(draw["trees"], int) and 1 <= draw["trees"] <= 1000 for draw in draws)
