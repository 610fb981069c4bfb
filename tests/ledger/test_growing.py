"""A file that only grows, by itself."""

from __future__ import annotations

import os

import pytest

from noa_mlops.errors import LedgerConflict, LedgerTampered
from noa_mlops.ledger.growing import GrowingFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lines"


@pytest.fixture
def growing(path):
    file = GrowingFile(path)
    yield file
    file.close()


def test_a_new_one_is_empty_and_knows_what_was_added(growing, path):
    assert (growing.size, growing.length(), growing.stopped) == (0, 0, False)
    growing.append(b"one\n")
    growing.append(b"two\n")
    assert (growing.size, growing.length()) == (8, 8)
    assert path.read_bytes() == b"one\ntwo\n"
    assert growing.read(3, 4) == b"two"


def test_closing_gives_the_descriptor_back_once_and_stops_it(path):
    file = GrowingFile(path)
    descriptor = file._descriptor
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert file.stopped
    with pytest.raises(LedgerConflict, match="is closed"):
        file.append(b"more\n")
    with pytest.raises(LedgerConflict, match="is closed"):
        file.sync()


def test_what_cannot_be_opened_for_writing_says_so_and_what_to_do(tmp_path):
    for path in (tmp_path, tmp_path / "absent" / "lines"):
        with pytest.raises(LedgerConflict, match="cannot be opened for writing") as caught:
            GrowingFile(path)
        assert "writable" in caught.value.hint


def test_a_torn_tail_is_kept_durably_before_it_is_cut_off(growing, path, monkeypatch):
    growing.append(b"whole\n")
    path.write_bytes(b"whole\ntorn")
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), path.stat().st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    aside = growing.set_aside("now")
    assert (aside.name, aside.read_bytes(), path.read_bytes()) == ("lines.torn-now-1", b"torn", b"whole\n")
    assert (str(aside), 10) in synced
    assert growing.set_aside("now") is None


def test_every_torn_tail_is_kept_under_a_name_of_its_own(growing, path):
    for number in (1, 2, 3):
        path.write_bytes(b"torn")
        assert growing.set_aside("now").name == f"lines.torn-now-{number}"


def test_a_file_that_was_cut_or_took_another_place_is_noticed(growing, path):
    growing.append(b"whole\n")
    os.truncate(path, 5)
    with pytest.raises(LedgerTampered, match="was cut to 5 bytes; 6 were known"):
        growing.length()
    path.rename(path.with_name("away"))
    path.write_bytes(b"whole\n")
    with pytest.raises(LedgerTampered, match="replaced or removed"):
        growing.length()
