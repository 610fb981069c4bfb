"""Laws of the gate that hold for all numbers."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noa_mlops.gate import decide, judge
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.plan import Threshold

DIRECTED = sorted(name for name, metric in METRICS.items() if metric.direction != "nearest")
law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine under load is no counterexample."""

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def values_of(name):
    least, greatest = METRICS[name].range
    return st.floats(max(least, -1e300), min(greatest, 1e300))


@st.composite
def thresholds(draw):
    name = draw(st.sampled_from(DIRECTED))
    minimum, maximum = METRICS[name].limits(draw(values_of(name)))
    return Threshold(name, minimum=minimum, maximum=maximum)


@st.composite
def measured(draw):
    names = draw(st.sets(st.sampled_from(DIRECTED)))
    anything = st.one_of(
        FINITE, st.floats(), st.none(), st.booleans(), st.sampled_from(["", "0.9", "high"]), st.integers()
    )
    return {name: draw(st.one_of(values_of(name), anything)) for name in names}


@law
@given(st.lists(thresholds(), max_size=4), measured())
def test_passes_only_when_every_metric_is_a_finite_number_that_clears_its_threshold(declared, metrics):
    clears = [
        isinstance(value := metrics.get(t.metric), int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and METRICS[t.metric].possible(value)
        and t.clears(value)
        for t in declared
    ]
    expected = "inconclusive" if not declared else "pass" if all(clears) else "fail"
    verdict = judge(declared, metrics)
    assert verdict.outcome == expected
    assert len(verdict.violations) == clears.count(False)


@law
@given(st.data())
def test_never_fails_a_challenger_for_a_better_metric(data):
    threshold = data.draw(thresholds())
    values = values_of(threshold.metric)
    worse, better = sorted((data.draw(values), data.draw(values)))
    if METRICS[threshold.metric].direction == "lower":
        worse, better = better, worse
    if judge([threshold], {threshold.metric: worse}).promotes:
        assert judge([threshold], {threshold.metric: better}).promotes


@law
@given(st.lists(thresholds(), min_size=1, max_size=4), thresholds(), measured())
def test_never_passes_a_challenger_for_one_threshold_more(declared, added, metrics):
    if not judge(declared, metrics).promotes:
        assert not judge([*declared, added], metrics).promotes


@law
@given(st.permutations(list(range(4))), st.lists(thresholds(), min_size=4, max_size=4), measured())
def test_does_not_care_about_the_order_of_thresholds_or_metrics(order, declared, metrics):
    turned = judge([declared[i] for i in order], dict(reversed(metrics.items())))
    assert turned.outcome == judge(declared, metrics).outcome


@law
@given(st.lists(thresholds(), min_size=1, max_size=4), measured(), st.sampled_from(["ready", "blocked"]))
def test_gives_the_same_decision_again_and_no_promotion_without_a_pass(declared, metrics, rollout):
    first = decide(judge(declared, metrics), gate="declared", rollout=rollout)
    again = decide(judge(declared, metrics), gate="declared", rollout=rollout)
    assert first.to_document() == again.to_document()
    assert first.promotes == (judge(declared, metrics).promotes and rollout == "ready")


@law
@given(st.lists(thresholds(), min_size=1, max_size=3), measured(), st.sampled_from(DIRECTED))
def test_never_passes_for_a_metric_taken_away(declared, metrics, name):
    if not judge(declared, metrics).promotes:
        assert not judge(declared, {key: value for key, value in metrics.items() if key != name}).promotes
