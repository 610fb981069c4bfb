"""One holder at a time; who waits in vain is told whom for."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger.lock import Lock, _file_system


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def test_a_second_holder_waits_in_vain_and_is_told_the_process_of_the_first(path):
    first, second = Lock(path), Lock(path)
    with first.held(0), pytest.raises(LedgerConflict, match=f"in use by process {os.getpid()} "), second.held(0.01):
        pass
    with second.held(0):
        assert int(path.read_text()) == os.getpid()
    first.close()
    second.close()


def test_what_stands_in_the_file_only_informs(path):
    first, second = Lock(path), Lock(path)
    with first.held(0):
        path.write_bytes(b"somebody")
        with pytest.raises(LedgerConflict, match="in use by process unknown "), second.held(0):
            pass
    first.close()
    second.close()


def test_a_lock_is_held_again_after_its_file_was_taken_away(path):
    lock, other = Lock(path), Lock(path)
    with lock.held(0):
        pass
    path.unlink()
    with lock.held(1), pytest.raises(LedgerConflict, match="in use"), other.held(0):
        pass
    lock.close()
    other.close()


def test_a_machine_that_cannot_lock_says_so_instead_of_writing(path, monkeypatch):
    def full(descriptor, how):
        raise OSError(37, "No locks available")

    lock = Lock(path)
    monkeypatch.setattr(fcntl, "flock", full)
    with pytest.raises(LedgerConflict, match=r"cannot be locked \(No locks available\)"):
        lock._acquire(0)
    lock.close()


def test_the_kind_of_a_file_system_is_that_of_the_folder():
    assert _file_system(Path("/proc")) == "proc"
