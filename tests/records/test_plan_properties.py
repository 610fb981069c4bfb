"""Laws of reading plans, tried on made-up plans and on noise."""

from __future__ import annotations

import io
import json
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.documents import canonical
from noa_mlops.records.levels import lacking
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.paths import relative_path_problem
from noa_mlops.records.plan import EvaluationPlan, Resources, Split, Threshold, TrainingPlan
from noa_mlops.records.reading.values import scalar_problem

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True).filter(
    lambda name: name not in ("workspaces", "champion", "latest", "tmp")
)
PLAIN = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
LINES = TEXT.filter(lambda text: text.strip() != "")
FILES = st.text(PLAIN, min_size=1, max_size=20).filter(lambda name: relative_path_problem(name) is None)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False, width=64)
SCALARS = (st.none() | st.booleans() | NUMBERS | TEXT).filter(lambda value: scalar_problem(value) is None)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@st.composite
def thresholds(draw, levels):
    task = "regression" if levels else draw(st.sampled_from(["classification", "regression"]))
    rows = [metric for metric in METRICS.values() if metric.task == task and lacking(metric.name, levels) is None]
    return tuple(draw(threshold(metric)) for metric in draw(st.lists(st.sampled_from(rows), unique=True, max_size=4)))


@st.composite
def threshold(draw, metric):
    least, greatest = max(metric.range[0], -1e6), min(metric.range[1], 1e6)
    bounds = sorted(draw(st.lists(st.floats(least, greatest), min_size=2, max_size=2)))
    kept = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    return Threshold(metric.name, *(bound if keep else None for bound, keep in zip(bounds, kept, strict=True)))


SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)
COLUMNS = TEXT.filter(bool)
SPLITS = st.builds(Split, by=COLUMNS, last=SHARES) | st.builds(
    Split, by_group=st.none() | COLUMNS, share=SHARES, seed=st.integers(0, 2**32 - 1)
)


def evaluations(levels):
    return (
        st.builds(EvaluationPlan, dataset_path=FILES, metric_thresholds=thresholds(levels), notes=st.none() | LINES)
        | st.builds(EvaluationPlan, split=SPLITS, metric_thresholds=thresholds(levels))
        | st.builds(EvaluationPlan, gate=st.just("none"), reason=LINES)
    )


RESOURCES = st.builds(
    Resources,
    cpus=st.integers(1, 64),
    memory=st.integers(2**26, 2**40),
    time=st.integers(1, 10**6),
    disk=st.integers(2**20, 2**45),
    isolation=st.sampled_from([None, "basic", "sealed"]),
)


def plans(levels):
    return st.builds(
        TrainingPlan,
        lifecycle_id=NAMES,
        agent_profile=NAMES,
        dataset_path=FILES,
        target=st.none() | LINES,
        hyperparameters=st.dictionaries(TEXT, JSON, max_size=5),
        evaluation=st.none() | evaluations(levels),
        positive=st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXT,
        decision_threshold=st.floats(0, 1),
        quantiles=st.just(levels),
        seed=st.integers(0, 2**32 - 1),
        resources=RESOURCES,
        code=st.lists(FILES, unique=True, max_size=3).map(tuple),
    )


PLANS = plans(()) | plans(LEVELS)


def as_yaml(document: object) -> bytes:
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.representer.ignore_aliases = lambda _data: True
    writer.dump(document, stream)
    return stream.getvalue().encode()


@settings(deadline=None, max_examples=150)
@given(PLANS)
def test_any_plan_comes_back_from_json_as_it_was(plan):
    document = plan.to_document()
    for text in (canonical(document), json.dumps(document, indent=2).encode()):
        read = TrainingPlan.parse(text, "plan.json")
        assert read.digest == plan.digest
        assert read.to_document() == document
        assert read.hyperparameters == plan.hyperparameters


@settings(deadline=None, max_examples=150)
@given(PLANS)
def test_any_plan_comes_back_from_json_read_as_yaml(plan):
    text = json.dumps(plan.to_document(), ensure_ascii=False)
    text = re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda control: f"\\u{ord(control[0]):04x}", text)
    assert TrainingPlan.parse(text.encode(), "plan.yaml").digest == plan.digest


@settings(deadline=None, max_examples=150)
@given(PLANS)
def test_any_plan_comes_back_from_block_yaml(plan):
    document = plan.to_document()
    try:
        read = TrainingPlan.parse(as_yaml(document), "plan.yaml")
    except PlanInvalid:
        assert YAML(typ="safe", pure=True).load(as_yaml(document)) != document
        return
    assert read.digest == plan.digest


def read_or_refuse(data: bytes, name: str) -> TrainingPlan | PlanInvalid:
    try:
        plan = TrainingPlan.parse(data, name)
    except PlanInvalid as error:
        return error
    return TrainingPlan.from_document(plan.to_document())


YAMLISH = st.text(st.sampled_from(list("ab01-+.:,?#&*!|>%@`'\"{}[]<= \n\t\\xuU~_")) | PLAIN, max_size=60).map(
    str.encode
)
SEED = canonical(
    {
        "lifecycle_id": "a",
        "agent_profile": "b",
        "dataset_path": "c",
        "hyperparameters": {"x": [1, 0.5, None, True, "t"]},
        "evaluation": {"dataset_path": "d", "metric_thresholds": {"roc_auc": 0.5, "f1": {"min": 0.1, "max": 1}}},
    }
)


@st.composite
def damaged(draw):
    data = bytearray(SEED)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 6))] = draw(st.binary(max_size=4) | YAMLISH.map(lambda text: text[:6]))
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80) | YAMLISH | damaged(), st.sampled_from(["p.yaml", "p.json"]))
@example(b'"\\UFFFFFFFF"', "p.yaml")
@example(b"a: |9\n", "p.yaml")
@example(b"? - ? -", "p.yaml")
@example(b"- !<", "p.yaml")
@example(b"[", "p.json")
def test_noise_is_refused_as_an_invalid_plan_and_as_nothing_else(data, name):
    outcome = read_or_refuse(data, name)
    if isinstance(outcome, PlanInvalid):
        assert outcome.problems
        assert str(outcome).replace("\n", "").isprintable()
