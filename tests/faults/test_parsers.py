"""What strangers hand over, bent in every way: a parser refuses with its own error, or reads what was written."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts.conftest import manifest
from ledger.writing import promote, submitted
from noa_mlops.errors import PlanInvalid
from noa_mlops.evidence import SigningKey
from noa_mlops.evidence.note import NoteInvalid, parse_checkpoint
from noa_mlops.evidence.statement import sign_payload
from noa_mlops.ledger import KeyStore, Ledger, LedgerState, Refusal, admit
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.plan import TrainingPlan

bent = settings(
    max_examples=5_000 if os.environ.get("NOA_SOAK") else 20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

YAML = b"""\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train.parquet
target: rain
hyperparameters: {estimator: hist_gradient_boosting, learning_rate: 0.1, 'quoted "key"': [1, true, null]}
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds: {roc_auc: 0.80, log_loss: {max: 0.60}}
  notes: |
    first
"""
pytestmark = pytest.mark.timeout(3600)

BITS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"&a", b"*a", b"<<: ", b"!!x ", b"{", b"}", b"[", b"]", b'"', b"\n", b"\\u0000", b"\xff", b"1e999"]
    ),
)
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), BITS), min_size=1, max_size=4)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.just("0" * 64)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def bend(data: bytes, edits) -> bytes:
    """The data with some pieces replaced."""
    for place, length, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    return data


def places(value, path=()):
    """Every place in a JSON value, the whole one included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(document, path, value):
    """A copy of the document with another value at a place; the whole value for the empty path."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


@dataclass(frozen=True, repr=False)
class Log:
    """The lines of a ledger, the state before each, and what signed them."""

    lines: list[bytes]
    states: list[LedgerState]
    key: SigningKey
    origin: str
    checkpoint: bytes


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    root = tmp_path_factory.mktemp("log")
    layout = Layout.of(root / "project")
    with Ledger.create(layout, "demo", KeyStore(root / "keys")) as ledger:
        promote(ledger)
        ledger.append(submitted())
        key, origin = ledger.key, ledger.origin
    lines, states = layout.ledger.read_bytes().splitlines(), [LedgerState()]
    for line in lines:
        states.append(admit(states[-1], line))
    text, signatures = layout.log_checkpoints.read_bytes().split(b"\n\n")[-3:-1]
    return Log(lines, states, key, origin, text + b"\n\n" + signatures + b"\n")


@bent
@given(edits=EDITS, name=st.sampled_from(["plan.yaml", "plan.json"]))
def test_a_bent_plan_is_refused_as_a_plan_or_keeps_its_digest(edits, name):
    data = (
        YAML if name.endswith("yaml") else json.dumps(TrainingPlan.parse(YAML, name="plan.yaml").to_document()).encode()
    )
    try:
        plan = TrainingPlan.parse(bend(data, edits), name=name)
    except PlanInvalid:
        return
    again = TrainingPlan.parse(json.dumps(plan.to_document()).encode(), name="plan.json")
    assert (again, again.digest) == (plan, plan.digest)


@bent
@given(edits=EDITS)
def test_a_bent_manifest_is_refused_or_reads_back(edits):
    try:
        read = Manifest.from_bytes(bend(manifest().to_bytes(), edits))
    except ValueError:
        return
    assert Manifest.from_bytes(read.to_bytes()) == read


@bent
@given(edits=EDITS, which=st.integers(0, 5))
def test_a_bent_line_is_no_entry_whatever_it_says(log, edits, which):
    line = bend(log.lines[which], edits)
    assert (line == log.lines[which]) == isinstance(admit(log.states[which], line), LedgerState)


@bent
@given(data=st.data(), which=st.integers(0, 5), value=VALUES)
def test_a_bent_statement_that_the_right_key_signed_is_judged_and_crashes_nobody(log, data, which, value):
    """The runtime's key is no licence: whatever is admitted folds to a state that goes on."""
    document = json.loads(log.lines[which].rpartition(b',"signatures":')[0] + b"}")
    path = data.draw(st.sampled_from(list(places(document))))
    text = json.dumps(put(document, path, value), separators=(",", ":"), ensure_ascii=False)
    line = sign_payload(text.encode(errors="surrogatepass"), log.key)
    after = admit(log.states[which], line)
    assert isinstance(after, Refusal) or after.size == log.states[which].size + 1


@bent
@given(edits=EDITS)
def test_a_bent_checkpoint_is_refused_or_is_the_same(log, edits):
    keys = [log.key.public]
    whole = parse_checkpoint(log.checkpoint, log.origin, keys)
    with contextlib.suppress(NoteInvalid):
        assert parse_checkpoint(bend(log.checkpoint, edits), log.origin, keys) == whole
