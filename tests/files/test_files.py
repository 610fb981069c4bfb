"""Files are opened without following or waiting for anything, and written whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from end_to_end.projects import until
from noa_mlops.files import (
    BLOCK,
    Identity,
    UnsafePath,
    abreast,
    blocks,
    copy_and_hash,
    hash_stream,
    list_beneath,
    make_directories,
    open_beneath,
    read_capped,
    replacing,
    sync_together,
    write_durably,
)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "inner" / "deep").mkdir(parents=True)
    (root / "inner" / "deep" / "file.txt").write_bytes(b"content")
    (root / "top.txt").write_bytes(b"top")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def read(root, relative):
    with open_beneath(root, relative) as stream:
        return stream.read()


@pytest.mark.parametrize("name", ["inner/deep/file.txt", "inner//deep/./file.txt", "./inner/deep/file.txt"])
def test_opens_a_regular_file_below_its_root(root, name):
    assert read(root, name) == b"content"


def test_its_root_may_be_reached_through_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert read(tmp_path / "link", "top.txt") == b"top"


@pytest.mark.parametrize(
    "name", ["../secret", "inner/../../secret", "inner/../top.txt", "/etc/passwd", "", ".", "a\0b", "\ud800", ".."]
)
def test_refuses_a_name_that_leaves_its_root_or_is_none(root, name):
    with pytest.raises(UnsafePath):
        open_beneath(root, name)


def test_refuses_a_link_in_the_place_of_the_file(root):
    for target in ("top.txt", "../secret", "nowhere", "link"):
        (root / "link").symlink_to(target)
        with pytest.raises(UnsafePath, match="symbolic link 'link'"):
            open_beneath(root, "link")
        (root / "link").unlink()


def test_refuses_a_link_in_the_place_of_a_folder_on_the_way(root, tmp_path):
    (root / "out").symlink_to(tmp_path)
    (root / "back").symlink_to("inner")
    for name in ("out/secret", "back/deep/file.txt"):
        with pytest.raises(UnsafePath, match="symbolic link"):
            open_beneath(root, name)
        with pytest.raises(UnsafePath, match="symbolic link"):
            list_beneath(root, os.path.dirname(name))


def test_refuses_folders_pipes_sockets_and_devices_without_waiting(root):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(root)  # the name of a socket is short
        server.bind("socket")
        os.chdir(place)
        for name in ("inner", "pipe", "socket"):
            with pytest.raises(UnsafePath, match="not a regular file"):
                open_beneath(root, name)
    for name in ("zero", "null"):
        with pytest.raises(UnsafePath, match="not a regular file"):
            open_beneath(root.__class__("/dev"), name)


def test_a_missing_file_or_folder_is_an_ordinary_error(root):
    for name in ("none", "none/file", "inner/none"):
        with pytest.raises(FileNotFoundError):
            open_beneath(root, name)
    with pytest.raises(NotADirectoryError):
        open_beneath(root, "top.txt/file")


def test_opening_leaks_no_descriptor(root):
    (root / "link").symlink_to("top.txt")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("top.txt", "none", "link", "inner", "none/x", "../x", "top.txt/x"):
        try:
            open_beneath(root, name).close()
        except (OSError, UnsafePath):
            continue
    assert len(os.listdir("/proc/self/fd")) == before


def test_lists_a_folder_in_order(root):
    assert list_beneath(root, "inner") == ["deep"]
    (root / "inner" / "another").touch()
    assert list_beneath(root, "inner") == ["another", "deep"]


def test_reads_no_more_than_the_cap(root):
    for limit, expected in ((2, None), (3, b"top"), (4, b"top")):
        with open_beneath(root, "top.txt") as stream:
            assert read_capped(stream, limit) == expected


def test_a_digest_is_over_every_byte_whatever_the_blocks(tmp_path):
    content = os.urandom(2 * BLOCK + 17)
    (tmp_path / "big").write_bytes(content)
    with (tmp_path / "big").open("rb") as stream:
        assert hash_stream(stream) == hashlib.sha256(content).hexdigest()
    with (tmp_path / "big").open("rb") as stream:
        assert [len(block) for block in blocks(stream)] == [BLOCK, BLOCK, 17]
    with (tmp_path / "big").open("rb") as stream:
        assert copy_and_hash(stream, tmp_path / "copy") == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "copy").read_bytes() == content


def test_a_copy_never_overwrites_and_never_follows(root, tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    for taken in (root / "top.txt", tmp_path / "link"):
        with open_beneath(root, "inner/deep/file.txt") as stream, pytest.raises(FileExistsError):
            copy_and_hash(stream, taken)
    assert (root / "top.txt").read_bytes() == b"top"


def test_makes_folders_and_their_parents_and_leaves_what_is_there(tmp_path):
    make_directories(tmp_path / "a" / "b" / "c")
    (tmp_path / "a" / "kept").touch()
    make_directories(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "kept").exists()
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_says_so_when_something_is_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link", "file/below", "link/below"):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            make_directories(tmp_path / name)


def test_replaces_a_file_whole_for_every_reader(tmp_path):
    path = tmp_path / "document"
    write_durably(path, b"old")
    with path.open("rb") as reader:
        write_durably(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    assert os.listdir(tmp_path) == ["document"]


def test_replaces_a_link_and_not_what_it_points_to(tmp_path):
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("target")
    write_durably(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"kept"
    assert not (tmp_path / "link").is_symlink()


def test_a_private_file_is_private_from_its_first_moment(tmp_path):
    with replacing(tmp_path / "key", b"secret", mode=0o600) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "document"
    write_durably(path, b"old")
    with pytest.raises(ZeroDivisionError):
        _fail_late(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["document"]


def test_what_a_killed_writer_left_is_cleared_away(tmp_path):
    (tmp_path / ".document.tmp").write_bytes(b"half")
    write_durably(tmp_path / "document", b"new")
    assert os.listdir(tmp_path) == ["document"]


def test_what_a_living_writer_holds_is_left_alone(tmp_path):
    held = tmp_path / ".document.tmp"
    with held.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        write_durably(tmp_path / "document", b"new")
        assert held.exists()
    assert (tmp_path / "document").read_bytes() == b"new"


def test_something_else_under_the_temporary_name_is_no_hindrance(tmp_path):
    (tmp_path / ".document.tmp").mkdir()
    write_durably(tmp_path / "document", b"new")
    assert (tmp_path / "document").read_bytes() == b"new"


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_durably(tmp_path / "none" / "document", b"new")


def test_syncs_files_and_folders_and_follows_no_link(root, tmp_path):
    sync_together([root / "top.txt", root / "inner" / "deep" / "file.txt", root / "inner" / "deep", root])
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        sync_together([root, root / "link"])


def test_says_that_something_could_not_be_synced_among_many(root):
    with pytest.raises(FileNotFoundError):
        sync_together([*(root / "top.txt" for _ in range(20)), root / "gone", root])


def test_gives_results_in_the_order_of_the_items_and_the_first_error():
    assert list(abreast(lambda number: number * number, range(50))) == [number * number for number in range(50)]
    assert list(abreast(str, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(abreast(lambda number: 1 // (number - 25), range(50)))


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"TOP"), lambda path: path.chmod(0o600), os.unlink])
def test_the_identity_of_a_file_tells_whether_it_was_touched(root, change):
    path = root / "top.txt"
    before = Identity.of(path.stat())
    assert Identity.of(path.lstat()) == before
    change(path)
    if not path.exists():
        path.write_bytes(b"top")
    assert Identity.of(path.stat()) != before


def _fail_late(path):
    with replacing(path, b"new") as temporary:
        assert temporary.read_bytes() == b"new"
        assert path.read_bytes() == b"old"
        raise ZeroDivisionError


def test_keeps_the_threads_it_works_with_and_a_forked_process_has_its_own():
    list(abreast(str, range(3)))
    before = threading.active_count()
    list(abreast(str, range(50)))
    assert threading.active_count() == before
    program = (
        "import os; from noa_mlops.files import abreast; list(abreast(str, range(9))); child = os.fork();"
        "assert list(abreast(str, range(3))) == ['0', '1', '2']; child and os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


def test_waits_for_what_was_begun_when_something_fails():
    """What no thread has begun yet is not begun any more."""
    begun, ended = [], []

    def work(seconds):
        begun.append(seconds)
        time.sleep(seconds)
        ended.append(seconds)
        if seconds == 0:
            until(lambda: len(begun) == 3)
        return 1 / seconds

    with pytest.raises(ZeroDivisionError):
        list(abreast(work, [0.2, 0.1, 0]))
    assert sorted(begun) == sorted(ended) == [0, 0.1, 0.2]
