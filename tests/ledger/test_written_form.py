"""What is written is what readers read; what no reader would accept is refused before it is signed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.writing import BYTES
from noa_mlops.errors import LedgerConflict
from noa_mlops.evidence import SigningKey, StatementInvalid, sign_statement, split_line
from noa_mlops.ledger import Draft, LedgerState
from noa_mlops.ledger.entry import EntryInvalid, read_entry, write_entry

KEY = SigningKey.generate()
NOW = "2026-11-22T10:00:00.000Z"
SUBJECT = [{"name": "plan", "digest": {"sha256": BYTES}}]
ITSELF: dict[str, object] = {}
ITSELF["me"] = ITSELF

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(10**38), 10**39) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
drafts = st.builds(
    Draft,
    texts,
    texts,
    st.dictionaries(texts, values, max_size=4),
    st.lists(st.fixed_dictionaries({"name": texts, "digest": st.just({"sha256": BYTES})}), min_size=1, max_size=3),
    st.none() | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True).filter(lambda name: name not in RESERVED),
    st.none() | st.integers(1, 2**53 - 1),
    st.none() | texts,
)
RESERVED = {"workspaces", "champion", "latest", "tmp"}


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"in": value}
    return value


def draft(**changes):
    fields = {"type": "Submitted", "predicate_type": "noa:lifecycle/v1", "predicate": {"a": 1}, "subject": SUBJECT}
    return Draft(**fields | changes)


def statement(what):
    """The statement that ``what`` asks for, made without asking whether it may be."""
    header = {"v": 1, "type": what.type, "seq": 0, "prev": "0" * 64, "ts": NOW}
    about = {"lifecycle_id": what.lifecycle_id, "version": what.version, "status": what.status}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "noa_entry": header | {name: value for name, value in about.items() if value is not None},
        "predicateType": what.predicate_type,
        "predicate": what.predicate,
        "subject": what.subject,
    }


def read_again(what):
    line = sign_statement(what, KEY)
    return read_entry(line, split_line(line))


@settings(max_examples=40, deadline=None)
@given(drafts)
def test_an_entry_that_was_written_is_the_one_that_is_read_from_its_line(what):
    entry = write_entry(what, LedgerState(), NOW, KEY)
    assert read_entry(entry.line, split_line(entry.line)) == entry
    assert entry.line == sign_statement(statement(what), KEY)


def test_an_entry_holds_nothing_that_its_writer_can_still_change():
    predicate = {"list": [1], "pair": (1, 2)}
    entry = write_entry(draft(predicate=predicate), LedgerState(), NOW, KEY)
    predicate["list"].append(2)
    assert entry.predicate == {"list": [1], "pair": [1, 2]}


def test_a_predicate_may_be_as_deep_as_readers_allow():
    entry = write_entry(draft(predicate=nested(62)), LedgerState(), NOW, KEY)
    assert read_entry(entry.line, split_line(entry.line)) == entry


REFUSED = {
    "a type that is no text": {"type": 7},
    "a lifecycle without a name": {"lifecycle_id": ""},
    "a lifecycle that leaves its folder": {"lifecycle_id": "../x"},
    "a lifecycle with a quote": {"lifecycle_id": 'a"b'},
    "version 0": {"version": 0},
    "a version that is a boolean": {"version": True},
    "a version that is no index": {"version": 2**53},
    "a status that is no text": {"status": 1},
    "a predicate type that is no text": {"predicate_type": None},
    "a predicate that is no object": {"predicate": [1]},
    "no subject": {"subject": []},
    "a subject without a digest": {"subject": [{"name": "plan"}]},
    "a subject whose digest is another's": {"subject": [{"digest": {"sha256": BYTES[:-1]}}]},
    "a predicate too deep": {"predicate": nested(63)},
    "a number too long": {"predicate": {"n": 10**40}},
    "no number": {"predicate": {"n": math.nan}},
    "one key twice": {"predicate": {1: "a", "1": "b"}},
    "half of a surrogate pair": {"predicate": {"text": "\ud800"}},
    "half of a surrogate pair in the type": {"type": "\ud800"},
    "what is no JSON": {"predicate": {"set": {1}}},
    "what contains itself": {"predicate": ITSELF},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_no_reader_would_accept_is_refused_before_it_is_signed(ledger, layout, changes):
    what, before = draft(**changes), layout.ledger.read_bytes()
    with pytest.raises((StatementInvalid, EntryInvalid)):
        write_entry(what, LedgerState(), NOW, KEY)
    with pytest.raises(LedgerConflict):
        ledger.append(lambda state: what)
    assert layout.ledger.read_bytes() == before


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_in_writing_is_refused_in_reading(changes):
    with pytest.raises((StatementInvalid, EntryInvalid)):
        read_again(statement(draft(**changes)))


@pytest.mark.parametrize("ts", ["", "yesterday", "2026-11-22T10:00:00+00:00", '2026-11-22T10:00:00Z"'])
def test_a_time_of_another_form_is_refused(ts):
    with pytest.raises(EntryInvalid, match="RFC 3339"):
        write_entry(draft(), LedgerState(), ts, KEY)
