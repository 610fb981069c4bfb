"""Sizes and durations: as people write them, exact, with one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.reading.quantities import duration_text, read_duration, read_size, size_text


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("2GiB", 2**31),
        ("2 GiB", 2**31),
        ("1.5GiB", 3 * 2**29),
        ("512MiB", 2**29),
        ("1KiB", 1024),
        ("1kB", 1000),
        ("1KB", 1000),
        ("2GB", 2 * 10**9),
        ("0.5TB", 5 * 10**11),
        ("1TiB", 2**40),
        ("7B", 7),
        (7, 7),
    ],
)
def test_reads_sizes(written, size):
    assert read_size(written) == size


@pytest.mark.parametrize(
    "written",
    [
        "2G",
        "2",
        "",
        "GiB",
        "-1GiB",
        "2gib",
        "1e3MiB",
        "0.3B",
        "0.1KiB",
        "2  GiB",
        "2GiB ",
        "٢GiB",
        "9" * 50 + "B",
        1.5,
        True,
        None,
        [1],
    ],
)
def test_refuses_what_is_no_size(written):
    with pytest.raises(PlanInvalid, match=r"must be a size, got .*; write it like 512MiB or 2GiB"):
        read_size(written)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1d1h1m1s", 90061), (90, 90)]
)
def test_reads_durations(written, seconds):
    assert read_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["10", "", "m", "1m1h", "1.5h", "-1s", "10 m", "10min", "12:30", "9" * 50 + "s", 1.5, False, None]
)
def test_refuses_what_is_no_duration(written):
    with pytest.raises(PlanInvalid, match=r"must be a duration, got .*; write it like 90s, 10m or 2h"):
        read_duration(written)


@given(st.integers(min_value=0, max_value=2**52))
def test_writes_back_what_it_reads(number):
    assert read_size(size_text(number)) == number
    if number < 10**9:
        assert read_duration(duration_text(number)) == number


@pytest.mark.parametrize(
    ("size", "text"), [(2**31, "2GiB"), (3 * 2**29, "1536MiB"), (1000, 1000), (2**50, "1024TiB"), (0, 0)]
)
def test_has_one_normal_form_of_a_size(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(600, "10m"), (90, "90s"), (5400, "90m"), (86400, "1d"), (0, "0s")])
def test_has_one_normal_form_of_a_duration(seconds, text):
    assert duration_text(seconds) == text
