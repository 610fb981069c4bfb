"""Proposals follow from the search, the seed and the trials known, and stay inside of the space."""

from __future__ import annotations

import math

from noa_mlops.lifecycle.proposing import Proposer
from noa_mlops.records.search import Search, Trial, best_of

SPACE = {
    "rate": {"low": 0.001, "high": 1.0, "log": True},
    "leaves": {"low": 2, "high": 9},
    "share": {"low": 0.5, "high": 1},
    "kind": ["a", None, {"deep": [1, True]}],
}


def made(space, count, score, *, seed=7, parallel=4):
    """The trials of a whole search."""
    search = Search("r2", space, count, parallel)
    proposer, trials, asked = Proposer(search, seed), [], []
    for number in range(1, count + 1):
        first = max(0, number - parallel)
        proposal = proposer.propose(number, trials[:first], asked[first:])
        asked.append(proposal.hyperparameters)
        trials.append(Trial(number, proposal.hyperparameters, "", "", value=score(proposal.hyperparameters)))
    return search, trials, proposer


def peak(drawn):
    return -((math.log10(drawn["rate"]) + 1) ** 2) - abs(drawn["leaves"] - 6) / 10 + (drawn["kind"] is None) / 5


def test_the_same_search_proposes_the_same_whatever_the_order_of_its_space():
    backwards = dict(reversed(SPACE.items()))
    first, again = made(SPACE, 25, peak)[1], made(backwards, 25, peak)[1]
    assert [dict(one.hyperparameters) for one in first] == [dict(one.hyperparameters) for one in again]
    assert first != made(SPACE, 25, peak, seed=8)[1]


def test_every_proposal_lies_inside_of_the_space_and_whole_numbers_stay_whole():
    for trial in made(SPACE, 60, peak)[1]:
        drawn = trial.hyperparameters
        assert 0.001 <= drawn["rate"] <= 1
        assert drawn["rate"] == float(f"{drawn['rate']:.6g}")
        assert isinstance(drawn["leaves"], int)
        assert 2 <= drawn["leaves"] <= 9
        assert drawn["kind"] in SPACE["kind"]


def test_later_trials_are_better_than_the_random_ones_that_they_learn_from():
    _, trials, _ = made(SPACE, 60, peak)
    values = [trial.value for trial in trials]
    assert sum(values[30:]) / 30 > sum(values[:10]) / 10 + 0.3


def test_a_small_space_is_tried_whole_before_anything_is_tried_twice():
    space = {"kind": ["a", "b", "c"], "leaves": {"low": 1, "high": 4}}
    _, trials, _ = made(space, 12, lambda drawn: drawn["leaves"])
    assert len({(trial.hyperparameters["kind"], trial.hyperparameters["leaves"]) for trial in trials}) >= 11


def test_importance_names_the_hyperparameter_that_matters():
    search, trials, proposer = made(SPACE, 60, lambda drawn: -((math.log10(drawn["rate"]) + 1) ** 2))
    shares = proposer.importance(trials)
    assert max(shares, key=shares.get) == "rate"
    assert abs(sum(shares.values()) - 1) < 1e-6
    assert best_of(search, trials).value > -0.05
    assert proposer.importance(trials[:3]) == {}
