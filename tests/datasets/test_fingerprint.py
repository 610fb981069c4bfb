"""The fingerprint against an independent computation, and against every small change."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from noa_mlops.datasets import fingerprint, inverse, permutation, reordered
from noa_mlops.errors import DatasetInvalid


def at(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - a time without a zone is what is tested


EPOCH = at(1970, 1, 1)


def by_hand(columns):
    """The documented format, from Python lists of (name, letter, values), with nothing but struct and hashlib."""
    rows = len(columns[0][2]) if columns else 0
    text = b"noa fingerprint 1\n" + struct.pack("<QQ", rows, len(columns))
    for name, letter, values in columns:
        text += struct.pack("<Q", len(name.encode())) + name.encode() + letter.encode()
        text += hashlib.sha256(bytes(value is not None for value in values)).digest()
        if letter == "s":
            texts = [(value or "").encode() for value in values]
            text += hashlib.sha256(b"".join(struct.pack("<Q", len(value)) for value in texts)).digest()
            text += hashlib.sha256(b"".join(texts)).digest()
        else:
            packed = b"".join(struct.pack({"f": "<d", "b": "<?"}.get(letter, "<q"), value or 0) for value in values)
            text += hashlib.sha256(packed).digest()
    return hashlib.sha256(text).hexdigest()


def microseconds(moment):
    return None if moment is None else (moment - EPOCH) // dt.timedelta(microseconds=1)


ROWS = 5
KINDS = {
    "i": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "f": (pa.float64(), st.floats(allow_nan=False).map(lambda value: value + 0.0)),
    "b": (pa.bool_(), st.booleans()),
    "s": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)),
    "t": (pa.timestamp("us"), st.datetimes()),
}


@st.composite
def columns(draw, min_columns=1):
    found = []
    for index in range(draw(st.integers(min_columns, 4))):
        letter = draw(st.sampled_from(sorted(KINDS)))
        values = draw(st.lists(st.none() | KINDS[letter][1], min_size=ROWS, max_size=ROWS))
        found.append((f"c{index}", letter, values))
    return found


def table_of(found):
    arrays = [pa.array(values, KINDS[letter][0]) for _, letter, values in found]
    return pa.table(arrays, names=[name for name, _, _ in found])


@settings(max_examples=150, deadline=None)
@given(columns())
def test_is_what_the_documented_format_says(found):
    plain = [(n, k, [microseconds(v) for v in values] if k == "t" else values) for n, k, values in found]
    assert fingerprint(table_of(found)) == by_hand(plain)


def test_of_a_known_table_never_changes():
    table = pa.table({"x": [1, None], "y": [0.5, -0.0], "ok": [True, None], "name": ["é", ""]})
    assert fingerprint(table) == "536330a42e07cb8e60850ceabef48e5d4bda096430c352f835e801858663aaef"


@settings(max_examples=100, deadline=None)
@given(columns(), st.lists(st.integers(1, ROWS - 1), unique=True), st.booleans())
def test_does_not_depend_on_chunks_dictionaries_or_slices(found, cuts, encoded):
    table = table_of(found)
    edges = [0, *sorted(cuts), ROWS]
    chunked = pa.concat_tables([table.slice(a, b - a) for a, b in pairwise(edges)])
    padded = pa.concat_tables([table, table, table]).combine_chunks().slice(ROWS, ROWS)
    if encoded:
        chunked = pa.table(
            [c.dictionary_encode() if c.type == pa.string() else c for c in chunked.columns], chunked.column_names
        )
    assert fingerprint(chunked) == fingerprint(padded) == fingerprint(table)


@settings(max_examples=100, deadline=None)
@given(columns(), st.data())
def test_changes_with_any_cell(found, data):
    column = data.draw(st.integers(0, len(found) - 1))
    row = data.draw(st.integers(0, ROWS - 1))
    name, letter, values = found[column]
    other = data.draw(st.none() | KINDS[letter][1])
    assume(other != values[row])
    changed = [*found]
    changed[column] = (name, letter, [*values[:row], other, *values[row + 1 :]])
    assert fingerprint(table_of(changed)) != fingerprint(table_of(found))


@settings(max_examples=50, deadline=None)
@given(columns(min_columns=2))
def test_changes_with_names_order_and_number_of_columns_and_rows(found):
    table = table_of(found)
    names = table.column_names
    others = [
        table.rename_columns([*names[:-1], "other"]),
        table.select([*names[1:], names[0]]),
        table.select(names[1:]),
        table.slice(1),
        pa.concat_tables([table, table.slice(0, 1)]),
    ]
    assert len({fingerprint(table), *(fingerprint(other) for other in others)}) == 6


def test_changes_with_the_order_of_rows():
    table = pa.table({"x": list(range(50))})
    order = permutation(50, seed=3)
    assert fingerprint(reordered(table, order)) != fingerprint(table)
    assert fingerprint(reordered(reordered(table, order), inverse(order))) == fingerprint(table)


def test_tells_types_apart_that_print_the_same():
    numbers = pa.table({"x": [0, 1]})
    kinds = [pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us")]
    assert len({fingerprint(numbers), *(fingerprint(numbers.cast(pa.schema({"x": kind}))) for kind in kinds)}) == 5


def test_does_not_confuse_where_one_text_ends_and_the_next_begins():
    assert fingerprint(pa.table({"x": ["ab", "c"]})) != fingerprint(pa.table({"x": ["a", "bc"]}))
    assert fingerprint(pa.table({"x": ["", "a"]})) != fingerprint(pa.table({"x": [None, "a"]}))


def test_holds_nan_for_missing_and_minus_zero_for_zero():
    assert fingerprint(pa.table({"x": [float("nan"), -0.0]})) == fingerprint(pa.table({"x": [None, 0.0]}))


def test_does_not_depend_on_the_width_of_numbers_or_on_metadata():
    wide = pa.table({"x": pa.array([1, 2]), "y": pa.array([0.5, None])})
    narrow = wide.cast(pa.schema({"x": pa.uint8(), "y": pa.float32()})).replace_schema_metadata({"made": "by hand"})
    assert fingerprint(narrow) == fingerprint(wide)


def test_ignores_what_lies_under_missing_values():
    dirty = pc.if_else(pa.array([True, False]), pa.array(["a", "hidden"]), pa.scalar(None, pa.string()))
    under = pa.Array.from_buffers(pa.int64(), 2, [dirty.buffers()[0], pa.array([5, 6]).buffers()[1]])
    clean = pa.table({"s": pa.array(["a", None]), "i": pa.array([5, None], pa.int64())})
    assert fingerprint(pa.table({"s": dirty, "i": under})) == fingerprint(clean)


def test_covers_rows_beyond_the_first_block():
    many = pa.table({"x": pa.array(range(600_000)), "s": pa.array(["a"] * 600_000)})
    last = pa.concat_tables([many.slice(0, 599_999), pa.table({"x": [0], "s": ["a"]})])
    assert fingerprint(many) != fingerprint(last)


def test_refuses_what_has_no_normal_form():
    with pytest.raises(DatasetInvalid, match="column 'x'"):
        fingerprint(pa.table({"x": [[1]]}))
