"""The decision: verdict, declared gate and rollout together."""

import itertools

import pytest

from noa_mlops.gate import NO_GATE, decide
from noa_mlops.records.approvals import Approvals
from noa_mlops.records.verdict import Verdict

PASS = Verdict("pass")
FAIL = Verdict("fail", reasons=("accuracy is low",))
UNSURE = Verdict("inconclusive", reasons=("too few rows",))
NOTHING = Verdict("inconclusive", reasons=(NO_GATE,))


@pytest.mark.parametrize(
    ("verdict", "gate", "rollout", "status", "reasons"),
    [
        (PASS, "declared", "ready", "ready", ()),
        (PASS, "declared", "blocked", "blocked", ("drift",)),
        (FAIL, "declared", "ready", "blocked", ("threshold",)),
        (FAIL, "declared", "blocked", "blocked", ("threshold",)),
        (UNSURE, "declared", "ready", "blocked", ("inconclusive",)),
        (NOTHING, "none", "ready", "ready", ("no_gate",)),
        (NOTHING, "none", "blocked", "blocked", ("no_gate", "drift")),
        (NOTHING, "absent", "ready", "blocked", ("no_gate",)),
        (NOTHING, "absent", "blocked", "blocked", ("no_gate",)),
    ],
)
def test_decides_by_verdict_gate_and_rollout(verdict, gate, rollout, status, reasons):
    decision = decide(verdict, gate=gate, rollout=rollout)
    assert (decision.status, decision.reasons) == (status, reasons)
    assert decision.verdict is verdict


@pytest.mark.parametrize("gate", ["declared", "none", "absent"])
def test_never_promotes_a_failed_verdict_whatever_the_plan_says_about_its_gate(gate):
    assert not decide(FAIL, gate=gate).promotes


@pytest.mark.parametrize("verdict", [PASS, FAIL, UNSURE, NOTHING])
@pytest.mark.parametrize("gate", ["declared", "none", "absent"])
def test_never_promotes_while_the_rollout_is_blocked(verdict, gate):
    assert not decide(verdict, gate=gate, rollout="blocked").promotes


@pytest.mark.parametrize(
    ("rollout", "compared", "reasons"),
    [
        ("ready", True, ("approval",)),
        ("ready", False, ("champion", "approval")),
        ("blocked", True, ("drift", "approval")),
        ("blocked", False, ("drift", "approval")),
    ],
)
def test_holds_what_passes_for_the_people_that_its_plan_asks_for(rollout, compared, reasons):
    asked = Approvals(2, not_submitter=True).asked(["b", "a"])
    decision = decide(PASS, gate="declared", rollout=rollout, compared=compared, asked=asked)
    assert (decision.status, decision.reasons) == ("blocked", reasons)
    assert decision.to_document()["approvals"] == {"required": 2, "not": ["a", "b"]}


@pytest.mark.parametrize(("verdict", "gate"), [(FAIL, "declared"), (UNSURE, "declared"), (NOTHING, "absent")])
def test_asks_nobody_about_what_does_not_pass(verdict, gate):
    decision = decide(verdict, gate=gate, asked=Approvals(2).asked([]))
    assert "approval" not in decision.reasons
    assert "approvals" not in decision.to_document()


def test_is_ready_only_by_a_passed_verdict_or_an_express_renunciation():
    ready = {
        (verdict.outcome, gate)
        for verdict, gate in itertools.product([PASS, FAIL, UNSURE, NOTHING], ["declared", "none", "absent"])
        if decide(verdict, gate=gate).promotes
    }
    assert ready == {("pass", "declared"), ("pass", "none"), ("inconclusive", "none")}


@pytest.mark.parametrize(
    "words", [{"gate": "open"}, {"gate": ""}, {"gate": None}, {"gate": "declared", "rollout": "maybe"}]
)
def test_refuses_words_it_does_not_know(words):
    with pytest.raises(ValueError, match=r"says nothing about a gate|no state of a rollout"):
        decide(PASS, **words)


def test_is_ready_when_nobody_has_blocked_the_rollout():
    assert decide(PASS, gate="declared").promotes


def test_writes_the_decision_as_json():
    assert decide(UNSURE, gate="declared").to_document() == {
        "verdict": "inconclusive",
        "status": "blocked",
        "reasons": ["inconclusive"],
        "violations": [],
        "notes": ["too few rows"],
    }
