"""Whatever the bytes: a table or a refusal in our words, and what was written comes back."""

from __future__ import annotations

import datetime as dt
import json
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from noa_mlops.datasets import DatasetReader, fingerprint, write_csv
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import MISSING

EXACT = pa.table(
    {
        "n": [1, 2, None] * 20,
        "s": ["x", "é", None] * 20,
        "f": [0.5, None, 1e300] * 20,
        "b": [True, None, False] * 20,
        "t": pa.array([1, None, 3] * 20, pa.timestamp("us")),
    }
)


@pytest.fixture
def whole(tmp_path):
    parquet.write_table(EXACT, tmp_path / "a.parquet")
    feather.write_feather(EXACT, tmp_path / "a.feather", compression="uncompressed")
    write_csv(EXACT, tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", x=np.arange(9), s=np.array(["a"] * 9))
    (tmp_path / "a.jsonl").write_text('{"n":1,"s":"x","t":"2024-01-01"}\n{"n":2.5,"b":true}\n' * 5)
    return tmp_path


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv", "npz", "jsonl"])
def test_damaged_files_are_read_or_refused_but_never_crash(whole, suffix):
    good = (whole / f"a.{suffix}").read_bytes()
    chance = random.Random(suffix)
    refusals = []
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(chance.choice([1, 2, 10])):
            place = chance.randrange(len(bad))
            bad[place : place + chance.randrange(2)] = bytes([chance.randrange(256)])
        (whole / f"b.{suffix}").write_bytes(bad)
        try:
            DatasetReader(whole).read(f"b.{suffix}")
        except DatasetInvalid as error:
            refusals.append(str(error))
    assert len(refusals) > 20
    assert all(text.startswith(f"b.{suffix}: ") and text.isprintable() and len(text) < 400 for text in refusals)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
ROWS = 4
COLUMNS = {
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float64(), st.floats(allow_nan=False)),
    "bool": (pa.bool_(), st.booleans()),
    "text": (pa.string(), TEXTS.filter(lambda text: text not in MISSING)),
    "time": (pa.timestamp("us"), st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))),  # noqa: DTZ001
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_written_as_csv_comes_back_with_the_same_fingerprint(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("csv")
    kinds = data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
    names = data.draw(
        st.lists(TEXTS.filter(lambda t: t.strip() == t), min_size=len(kinds), max_size=len(kinds), unique=True)
    )
    arrays = [
        pa.array(data.draw(st.lists(st.none() | COLUMNS[kind][1], min_size=ROWS, max_size=ROWS)), COLUMNS[kind][0])
        for kind in kinds
    ]
    table = pa.table(arrays, names=names)
    write_csv(table, folder / "a.csv")
    definition = {"files": ["a.csv"], "format": {"delimiter": ","}, "types": dict(zip(names, kinds, strict=True))}
    (folder / "a.dataset.json").write_text(json.dumps(definition))
    assert DatasetReader(folder).read("a.dataset.json").identity.fingerprint == fingerprint(table)
