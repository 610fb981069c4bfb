"""A threshold in every slice of the rows."""

import json

import numpy as np
import pytest

from noa_mlops.gate import judge
from noa_mlops.records.slices import Sliced, Slicing, slice_name
from noa_mlops.records.spread import Moments, Proportion
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Verdict

WHOLE = {"recall": Estimate(0.8, 5000, spread=Proportion(4000, 5000))}
PLAIN = Threshold("recall", 0.6, slices=("season",))
SURE = Threshold("recall", 0.6, confidence=0.95, slices=("season",))


def share(hits, of, rows=None):
    return Estimate(hits / of, rows or of, spread=Proportion(hits, of))


def by(column="season", metric="recall", **estimates):
    found = tuple(estimates.values())
    return Slicing({column: Sliced(tuple(estimates), tuple(one.rows for one in found), {metric: found})})


def judged(threshold, slicing, look=1):
    return judge([threshold], WHOLE, look=look, slicing=slicing)


@pytest.mark.parametrize(
    ("hits", "plain", "sure"),
    [(160, "pass", "pass"), (125, "pass", "inconclusive"), (110, "pass", "inconclusive"), (80, "fail", "fail")],
)
def test_a_slice_fails_when_it_is_shown_below_and_must_clear_its_bound_where_a_confidence_is_asked_for(
    hits, plain, sure
):
    slices = by(dry=share(180, 200), wet=share(hits, 200))
    assert judged(PLAIN, slices).outcome == plain
    assert judged(SURE, slices).outcome == sure


def test_a_failed_slice_is_named_with_its_bounds_and_the_worst_comes_first():
    found = judged(PLAIN, by(dry=share(180, 200), mild=share(90, 200), wet=share(60, 200))).violations
    assert len(found) == 1
    assert found[0].value == 0.3
    assert found[0].reason.startswith("season 'wet': 0.3 (0.")
    assert "season 'mild': 0.45 (0." in found[0].reason
    assert found[0].reason.endswith("shown beyond it, 2 of 3 slices judged")
    assert found[0].rule == "threshold"


def test_a_limit_from_above_holds_in_slices_too():
    threshold = Threshold("log_loss", maximum=0.6, slices=("season",), confidence=0.95)
    loss = {"log_loss": Estimate(0.4, 5000, spread=Moments(0.01, 0.0, 4999.0, 5000, 0.01))}

    def slices(value):
        return by(metric="log_loss", dry=Estimate(value, 500, spread=Moments(0.03, 0.0, 499.0, 500, 0.01)))

    for value, outcome in ((0.5, "pass"), (0.58, "inconclusive"), (0.62, "inconclusive"), (0.7, "fail")):
        assert judge([threshold], loss, slicing=slices(value)).outcome == outcome


def test_what_is_undecided_says_how_many_rows_would_decide_or_that_more_would_not_help():
    verdict = judged(SURE, by(dry=share(125, 200), wet=share(115, 200)))
    assert verdict.outcome == "inconclusive"
    assert "season 'dry': 0.625 (" in verdict.reasons[0]
    assert "rows would decide" in verdict.reasons[0]
    assert "season 'wet': 0.575 (" in verdict.reasons[0]
    assert "more rows would not help" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("estimate", "reason"),
    [
        (share(2, 29), "season 'wet' has 29 of 30 rows"),
        (Estimate(None, 500, "no label is positive"), "season 'wet' was not measured: no label is positive"),
        (Estimate(0.2, 500), "season 'wet' has no spread"),
        (
            Estimate(0.2, 500, spread=Moments(0.01, 0.0, 9.0, 12, 0.1)),
            "season 'wet' rests on 12 independent rows or groups of a kind; 30 are the fewest that say anything",
        ),
    ],
)
def test_a_slice_that_is_too_small_leaves_the_verdict_inconclusive_unless_the_plan_is_content_with_a_note(
    estimate, reason
):
    slices = by(dry=share(180, 200), wet=estimate)
    for threshold in (PLAIN, SURE):
        verdict = judged(threshold, slices)
        assert (verdict.outcome, verdict.reasons, verdict.notes) == (
            "inconclusive",
            (f"recall: not judged: {reason}",),
            (),
        )
    content = Threshold("recall", 0.6, slices=("season",), on_small_slice="warn")
    verdict = judged(content, slices)
    assert (verdict.outcome, verdict.reasons, verdict.notes) == ("pass", (), (f"recall: not judged: {reason}",))
    assert verdict.to_document()["reasons"] == [f"recall: not judged: {reason}"]


def test_the_plan_says_from_how_many_rows_on_a_slice_is_judged():
    slices = by(dry=share(180, 200), wet=share(10, 199, rows=199))
    assert judged(PLAIN, slices).outcome == "fail"
    assert judged(Threshold("recall", 0.6, slices=("season",), min_rows=200), slices).outcome == "inconclusive"
    assert judged(Threshold("recall", 0.6, slices=("season",), min_rows=199), slices).outcome == "fail"


def test_many_small_slices_make_one_short_reason():
    slices = by(**{f"s{n:02}": share(1, 2) for n in range(50)})
    (reason,) = judged(PLAIN, slices).reasons
    assert reason.count("has 2 of 30 rows") == 3
    assert reason.endswith("; and 47 more")


def test_a_slice_that_was_asked_for_and_not_measured_is_not_passed():
    other = by("town", dry=share(180, 200))
    for slicing in (Slicing(), other, by(metric="f1", dry=share(180, 200))):
        assert judged(PLAIN, slicing).reasons == ("recall: was not measured by season",)


def test_later_looks_ask_more_of_every_slice():
    slices = by(dry=share(180, 200), wet=share(103, 200))
    assert judged(PLAIN, slices, look=1).outcome == "fail"
    assert judged(PLAIN, slices, look=3).outcome == "pass"
    clear = by(dry=share(180, 200), wet=share(133, 200))
    assert judged(SURE, clear, look=1).outcome == "pass"
    assert judged(SURE, clear, look=3).outcome == "inconclusive"


def test_fifty_slices_exactly_at_their_minimum_fail_a_model_in_less_than_one_of_fifteen_cases():
    draw = np.random.default_rng(7)
    hits = draw.binomial(400, 0.6, (400, 50))
    names = [f"s{n}" for n in range(50)]
    failed = [judged(PLAIN, by(**{n: share(int(h), 400) for n, h in zip(names, row, strict=True)})) for row in hits]
    assert sum(verdict.outcome == "fail" for verdict in failed) <= 27  # 5 % of 400, and 1.6 standard errors


def test_slices_of_two_columns_are_one_family():
    season, town = by(dry=share(180, 200), wet=share(105, 200)), by("town", a=share(180, 200), b=share(170, 200))
    both = Slicing({**season.by, **town.by})
    alone = Threshold("recall", 0.6, slices=("season",))
    together = Threshold("recall", 0.6, slices=("season", "town"))
    assert judged(alone, both).outcome == "fail"
    assert judged(together, both).outcome == "pass"


@pytest.mark.parametrize(
    ("value", "name"), [("wet", "season 'wet'"), (3, "season 3"), (True, "season True"), (None, "rows without season")]
)
def test_a_slice_is_called_by_its_value(value, name):
    assert slice_name("season", value) == name


def test_a_record_of_slices_is_read_back_with_six_digits_of_moments():
    moments = Moments(0.0123456789, -0.1, 123.456789, 200, 1e-5)
    sliced = Sliced(
        ("dry", 3, True, None),
        (200, 100, 40, 7),
        {
            "f1": (
                Estimate(2 / 3, 200, spread=moments),
                share(50, 100),
                Estimate(None, 40, "no row"),
                Estimate(1.0, 7),
            )
        },
    )
    again = Sliced.from_document(json.loads(json.dumps(sliced.to_document())))
    assert again.values == sliced.values
    assert again.rows == sliced.rows
    assert again.metrics["f1"][0] == Estimate(2 / 3, 200, spread=Moments(0.0123457, -0.1, 123.457, 200, 1e-5))
    assert again.metrics["f1"][1:] == sliced.metrics["f1"][1:]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [1]},
        {"rows": [1, -2]},
        {"rows": [1, True]},
        {"values": ["a", 1.5]},
        {"metrics": {"recall": [{"value": 0.5}]}},
        {"metrics": {"recall": [{"value": 0.5}, {"value": "high"}]}},
        {"metrics": {"recall": [{"value": 0.5}, {"value": None}]}},
    ],
)
def test_a_record_that_no_verifier_wrote_is_refused(change):
    record = {"values": ["a", "b"], "rows": [1, 2], "metrics": {"recall": [{"value": 0.5}, {"value": 0.5}]}}
    assert Sliced.from_document(record).rows == (1, 2)
    with pytest.raises(ValueError, match=r"slice|estimate"):
        Sliced.from_document(record | change)


def test_a_note_blocks_nothing_and_stands_beside_what_does():
    assert Verdict("pass", notes=("two rows only",)).promotes
    assert Verdict("inconclusive", reasons=("few rows",), notes=("two rows only",)).to_document()["reasons"] == [
        "few rows",
        "two rows only",
    ]
