"""What strangers hand over, bent in every way: a parser refuses with its own error, or reads what was written."""

from __future__ import annotations

import copy
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.parsers import PARSERS, STATES, VERIFIER
from noa_mlops.evidence.statement import sign_payload
from noa_mlops.ledger import Refusal, admit
from noa_mlops.records.documents import compact
from vectors import logs

bent = settings(
    max_examples=5_000 if os.environ.get("NOA_SOAK") else 20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
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


@pytest.mark.parametrize("name", PARSERS)
def test_takes_what_is_real(name):
    assert all(map(PARSERS[name].check, PARSERS[name].seeds))


@pytest.mark.parametrize("name", PARSERS)
@bent
@given(edits=EDITS, which=st.integers(0, 100))
def test_what_is_bent_is_refused_or_is_written_back_as_it_was_read(name, edits, which):
    seeds = PARSERS[name].seeds
    PARSERS[name].check(bend(seeds[which % len(seeds)], edits))


@bent
@given(data=st.data(), which=st.integers(0, 6), value=VALUES)
def test_a_bent_statement_that_the_right_key_signed_is_judged_and_crashes_nobody(data, which, value):
    """The runtime's key is no licence: whatever is admitted folds to a state that goes on."""
    document = json.loads(PARSERS["statement"].seeds[which])
    path = data.draw(st.sampled_from(list(places(document))))
    text = json.dumps(put(document, path, value), separators=(",", ":"), ensure_ascii=False)
    line = sign_payload(text.encode(errors="surrogatepass"), VERIFIER)
    after = admit(STATES[which], line)
    assert isinstance(after, Refusal) or after.size == STATES[which].size + 1


EVALUATED_BY_NOTHING = b'{"lifecycle_id":"a","agent_profile":"b","dataset_path":"c","evaluation":{}}'


def policy_saying(text):
    """A policy that holds a text wherever it may hold any."""
    document = json.loads(json.dumps(logs.policy()))
    document["roles"]["true"] = {**document["roles"]["operator"], "may": ["rollback", text]}
    next(iter(document["keys"].values()))["public"] = text
    document["data_roots"] = [text]
    return compact(document)


FOUND = [
    ("plan.json", EVALUATED_BY_NOTHING),
    *(("policy", policy_saying(text)) for text in ("", "a, b", "x #y", "12", "true", "a\n\n", " a\n", "\0", "\u2028")),
]
"""What the fuzzer once found: a plan that was another one when written back, texts that ``policy.yaml`` changed."""


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once_is_found_no_more(name, data):
    assert PARSERS[name].check(data)
