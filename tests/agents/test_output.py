"""Outputs that a stranger's code could leave, and what is made of them."""

import hashlib
import os
import re
import socket
import unicodedata

import pytest

from noa_mlops.agents import output, scan_output
from noa_mlops.agents.removal import remove
from noa_mlops.errors import TrainingFailed


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"model")
    yield folder
    parent = os.open(tmp_path, os.O_RDONLY)
    remove(parent, "out")  # some are deeper than pytest can remove
    os.close(parent)


def refused(folder, reason, **options):
    with pytest.raises(TrainingFailed, match=reason) as caught:
        scan_output(folder, **options)
    return caught.value


def test_lists_the_files_sorted_with_size_and_digest(out):
    (out / "a").mkdir()
    (out / "a" / "weights 1").write_bytes(b"")
    (out / "Z").write_bytes(b"z")
    found = scan_output(out)
    assert [(file.path, file.size) for file in found] == [("Z", 1), ("a/weights 1", 0), ("model.bin", 5)]
    assert found[2].sha256 == hashlib.sha256(b"model").hexdigest()


def test_refuses_an_output_without_files(out):
    (out / "model.bin").unlink()
    (out / "empty").mkdir()
    assert refused(out, "no file").cause == "no_output"


@pytest.mark.parametrize("target", ["/etc/passwd", "model.bin", "loop", "..", "missing"])
def test_refuses_symbolic_links(out, target):
    (out / "loop").symlink_to(target)
    refused(out, "'loop' is a symbolic link")


def test_refuses_an_output_that_is_itself_a_link(out, tmp_path):
    (tmp_path / "link").symlink_to(out)
    refused(tmp_path / "link", "no folder")


def test_refuses_an_output_that_is_missing_or_a_file(out, tmp_path):
    refused(tmp_path / "missing", "no folder")
    refused(out / "model.bin", "no folder")


def test_refuses_hard_links(out, tmp_path):
    (tmp_path / "champion").write_text("champion")
    os.link(tmp_path / "champion", out / "mine")
    refused(out, "'mine' is a hard link: it has 2 names")


def test_refuses_pipes_without_waiting_for_them(out):
    os.mkfifo(out / "pipe")
    refused(out, "'pipe' is a pipe")


def test_refuses_sockets(out, monkeypatch):
    monkeypatch.chdir(out)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        refused(out, "'s' is a socket")


def test_refuses_devices(out):
    try:
        os.mknod(out / "zero", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make a device")
    refused(out, "'zero' is a character device")


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_refuses_files_that_run_with_the_rights_of_another(out, mode):
    (out / "model.bin").chmod(mode)
    refused(out, "rights of its owner")


def test_refuses_a_sparse_giant_without_reading_it(out):
    with (out / "giant").open("wb") as file:
        file.truncate(10 << 40)
    assert refused(out, "larger than").cause == "disk_limit"


def test_refuses_files_that_are_too_large_together(out):
    for number in range(3):
        (out / str(number)).write_bytes(b"x" * 600)
    refused(out, "larger than 1024 bytes", limit=1024)
    assert len(scan_output(out, limit=1805)) == 4


@pytest.mark.parametrize(
    "name",
    [
        b"new\nline",
        b"tab\t",
        b"\x1b[31m",
        b"\x7f",
        b"back\\slash",
        b" lead",
        b"trail ",
        "\u202egnp".encode(),
        "a\u200bb".encode(),
    ],
)
def test_refuses_names_that_hide_something(out, name):
    with open(os.fsencode(out) + b"/" + name, "w"):
        refused(out, "not printable|another spelling")


def test_refuses_names_that_are_not_utf8(out):
    with open(os.fsencode(out) + b"/\xff\xfe", "w"):
        refused(out, "not UTF-8")


def test_refuses_names_not_in_normal_form_and_twins_by_case(out):
    (out / unicodedata.normalize("NFC", "m\u00e9")).write_text("")
    assert len(scan_output(out)) == 2
    (out / unicodedata.normalize("NFD", "m\u00e9")).write_text("")
    refused(out, "another spelling")
    os.unlink(out / unicodedata.normalize("NFD", "m\u00e9"))
    (out / "Model.bin").write_text("")
    refused(out, "one name on other systems")


@pytest.mark.parametrize(
    "name", ["-rf", ".hidden", "con", "...", "weights (1).bin", "gewichte_ä.bin", "a b", "x" * 255]
)
def test_takes_names_that_are_only_unusual(out, name):
    (out / name).write_text("")
    assert name in [file.path for file in scan_output(out)]


def test_refuses_folders_nested_too_deeply(out):
    deep = out
    for _ in range(output.DEEPEST):
        deep = deep / "d"
        deep.mkdir()
    (deep / "model").write_text("")
    assert len(scan_output(out)) == 2
    (deep / "e").mkdir()
    refused(out, "nested more than")


def test_refuses_a_chain_of_folders_longer_than_any_path(out):
    here = os.getcwd()
    try:
        os.chdir(out)
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    refused(out, "nested more than")


def test_refuses_too_many_files(out, monkeypatch):
    monkeypatch.setattr(output, "MOST_FILES", 50)
    for number in range(60):
        (out / str(number)).write_text("")
    refused(out, "more than 50 files")


def test_the_message_has_one_line_whatever_the_name(out):
    (out / "a\nb").symlink_to("x")
    error = refused(out, "cannot be used")
    assert re.fullmatch(r"[ -~]+", str(error))
