"""The tiled form of a log, held against what clients of tiled logs rely on (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noa_mlops.evidence import bundle_path, leaf_hash, root_of, tile_files, tile_path

SIZES = [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000]


def entries(size):
    return [b"entry %d" % number for number in range(size)]


def hashes_of(tile):
    return [tile[start : start + 32] for start in range(0, len(tile), 32)]


def entries_of(bundle):
    found, place = [], 0
    while place < len(bundle):
        length = int.from_bytes(bundle[place : place + 2], "big")
        found.append(bundle[place + 2 : place + 2 + length])
        place += 2 + length
    return found


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 999, 256, "tile/1/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (2, 1_234_067, 256, "tile/2/x001/x234/067"),
        (0, 1_000_000, 3, "tile/0/x001/x000/000.p/3"),
        (63, 5, 1, "tile/63/005.p/1"),
    ],
)
def test_a_tile_lies_where_its_level_number_and_width_say(level, number, width, path):
    assert tile_path(level, number, width) == path


def test_a_bundle_lies_beside_the_tile_of_its_leaves():
    assert (bundle_path(1_234_067), bundle_path(0, 7)) == ("tile/entries/x001/x234/067", "tile/entries/000.p/7")


@pytest.mark.parametrize("size", SIZES)
def test_the_files_of_a_log_are_exactly_those_that_its_size_calls_for(size):
    expected, level = set(), 0
    while count := size >> 8 * level:
        for prefix in (f"tile/{level}", "tile/entries") if level == 0 else (f"tile/{level}",):
            expected |= {f"{prefix}/{number:03}" for number in range(count // 256)}
            expected |= {f"{prefix}/{count // 256:03}.p/{count % 256}"} if count % 256 else set()
        level += 1
    paths = [path for path, _ in tile_files(entries(size))]
    assert len(paths) == len(set(paths))
    assert set(paths) == expected


@pytest.mark.parametrize("size", SIZES)
def test_each_hash_above_the_leaves_is_the_root_of_the_full_tile_below(size):
    files = dict(tile_files(entries(size)))
    for path, content in files.items():
        level = path.split("/")[1]
        if level not in ("entries", "0"):
            number = int(path.split("/")[2].split(".")[0])
            below = [files[tile_path(int(level) - 1, 256 * number + place)] for place in range(len(content) // 32)]
            assert hashes_of(content) == [root_of(hashes_of(tile)) for tile in below]


@pytest.mark.parametrize("size", SIZES)
def test_the_lowest_tiles_hold_the_leaves_of_the_entries_beside_them(size):
    files = dict(tile_files(entries(size)))
    bundles = {path: content for path, content in files.items() if path.startswith("tile/entries/")}
    found = []
    for path, content in bundles.items():
        found += entries_of(content)
        tile = files[path.replace("tile/entries/", "tile/0/")]
        assert hashes_of(tile) == [leaf_hash(entry) for entry in entries_of(content)]
    assert found == entries(size)


@given(st.integers(1, 1000), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_log_that_grows_changes_no_file_that_it_had(size, more):
    before, after = dict(tile_files(entries(size))), dict(tile_files(entries(size + more)))
    assert all(after.get(path, content) == content for path, content in before.items())
    assert all(path in after for path in before if ".p/" not in path)


def test_an_entry_over_the_limit_of_a_bundle_is_refused():
    assert dict(tile_files([b"x" * 65_535]))["tile/entries/000.p/1"][:2] == b"\xff\xff"
    with pytest.raises(ValueError, match="65536 bytes"):
        dict(tile_files([b"x" * 65_536]))
