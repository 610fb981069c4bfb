"""What a crash may leave: the next writer goes on without an operator, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil

import pytest

from ledger.writing import decided, evaluated, promote, submitted, trained
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """A sealed version, and three entries behind it that no checkpoint vouches for."""
    root = tmp_path_factory.mktemp("crashed")
    layout, keystore = Layout.of(root / "project"), KeyStore(root / "keys")
    ledger = Ledger.create(layout, "demo", keystore)
    promote(ledger, 1)
    for compose in (submitted(), trained(2), evaluated(2)):
        ledger.append(compose)
    return root, layout.ledger.read_bytes()


@pytest.fixture
def root(crashed, tmp_path):
    shutil.copytree(crashed[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def aside(layout):
    return sorted(path for path in layout.evidence.iterdir() if ".torn-" in path.name)


def test_whole_entries_that_were_never_sealed_stay(root, layout, keystore):
    with Ledger.open(layout, keystore) as ledger:
        assert (ledger.state.size, ledger.sealed_size, ledger.recovered) == (8, 5, None)
        ledger.append(decided(2, replaces=1))
    assert Ledger.read_only(layout).state.lifecycle("rain").champion == 2


def test_a_tail_cut_at_any_byte_is_moved_aside(crashed, tmp_path):
    """Every byte of the last line, and places all over those before; the last whole entry is where one goes on."""
    root, content = crashed
    lines = content.splitlines(keepends=True)
    ends = [sum(map(len, lines[:count])) for count in range(len(lines) + 1)]
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    layout, keystore = Layout.of(tmp_path / "project"), KeyStore(tmp_path / "keys")
    checkpoints = layout.log_checkpoints.read_bytes()
    for cut in (*range(ends[5], ends[7], 29), *range(ends[7], ends[8] + 1)):
        layout.ledger.write_bytes(content[:cut])
        layout.log_checkpoints.write_bytes(checkpoints)
        whole = max(end for end in ends if end <= cut)
        ledger = Ledger.open(layout, keystore)
        assert ledger.state.size == ends.index(whole)
        assert layout.ledger.read_bytes() == content[:whole]
        assert (ledger.recovered is None) == (cut == whole)
        if ledger.recovered is not None:
            assert ledger.recovered.read_bytes() == content[whole:cut]
            ledger.recovered.unlink()
        ledger._release()


def test_a_tail_with_a_flipped_bit_is_kept_up_to_there(crashed, tmp_path):
    """Whichever line it is in, also one that others follow: none of them is taken for what was written."""
    root, content = crashed
    lines = content.splitlines(keepends=True)
    sealed = sum(map(len, lines[:5]))
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    layout, keystore = Layout.of(tmp_path / "project"), KeyStore(tmp_path / "keys")
    checkpoints = layout.log_checkpoints.read_bytes()
    for place in range(sealed, len(content), 41):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 7
        layout.ledger.write_bytes(flipped)
        layout.log_checkpoints.write_bytes(checkpoints)
        ledger = Ledger.open(layout, keystore)
        assert ledger.state.size == content[:place].count(b"\n")
        assert content.startswith(layout.ledger.read_bytes())
        assert ledger.recovered is not None
        ledger._release()


@pytest.mark.parametrize(
    "tail",
    [b"\0" * 4096, b"half a line", b"\n", b"{}\n{}\n", b"\xff\n", b"x" * 200_000, b'{"_type":"x"}\n' * 3],
)
def test_a_tail_that_is_no_entry_is_moved_aside_whole(root, layout, keystore, tail):
    content = layout.ledger.read_bytes()
    layout.ledger.write_bytes(content + tail)
    with Ledger.open(layout, keystore) as ledger:
        assert ledger.recovered.read_bytes() == tail
        assert ledger.recovered.name.startswith("ledger.jsonl.torn-")
        assert layout.ledger.read_bytes() == content
        assert ledger.append(submitted()).seq == 8


def test_recovering_twice_changes_nothing_more(root, layout, keystore):
    with layout.ledger.open("ab") as stream:
        stream.write(b"torn")
    Ledger.open(layout, keystore).close()
    before = {path.name: path.read_bytes() for path in layout.evidence.iterdir()}
    with Ledger.open(layout, keystore) as ledger:
        assert ledger.recovered is None
    assert {path.name: path.read_bytes() for path in layout.evidence.iterdir()} == before
    assert len(aside(layout)) == 1


def test_each_torn_tail_gets_a_name_of_its_own(root, layout, keystore):
    for _ in range(3):
        with layout.ledger.open("ab") as stream:
            stream.write(b"torn")
        Ledger.open(layout, keystore).close()
    assert [path.read_bytes() for path in aside(layout)] == [b"torn"] * 3


def test_a_tail_torn_under_an_open_writer_is_moved_aside_by_its_next_append(root, layout, keystore):
    with Ledger.open(layout, keystore) as ledger:
        with layout.ledger.open("ab") as stream:
            stream.write(b'{"_type":"torn by another')
        assert ledger.append(submitted()).seq == 8
        assert ledger.recovered.read_bytes() == b'{"_type":"torn by another'


def test_a_lost_page_inside_the_last_batch_takes_what_follows_with_it(root, layout, keystore):
    content = layout.ledger.read_bytes()
    lines = content.splitlines(keepends=True)
    start = sum(map(len, lines[:6]))
    layout.ledger.write_bytes(content[:start] + b"\0" * len(lines[6]) + lines[7])
    with Ledger.open(layout, keystore) as ledger:
        assert ledger.state.size == 6
        assert ledger.recovered.read_bytes() == b"\0" * len(lines[6]) + lines[7]


@pytest.mark.parametrize("kept", [0, 1, 60, 77, 80, 145, 250, -2, -1])
def test_a_checkpoint_torn_by_a_crash_is_not_trusted(root, layout, keystore, kept, another_machine):
    with Ledger.open(layout, keystore) as ledger:
        before = layout.log_checkpoints.read_bytes()
        ledger.append(decided(2, replaces=1))
        record = layout.log_checkpoints.read_bytes()[len(before) :]
    layout.log_checkpoints.write_bytes(before + record[:kept])
    another_machine()
    assert Ledger.read_only(layout).state.size == 5
    with Ledger.open(layout, keystore) as ledger:
        assert (ledger.state.size, ledger.sealed_size) == (9, 9)
        assert (ledger.recovered is None) == (kept == 0)
    assert Ledger.read_only(layout).state.size == 9
    assert layout.log_checkpoints.read_bytes().startswith(before)


@pytest.mark.parametrize("kept", [0, 1, 700, -1])
def test_a_genesis_torn_by_a_crash_is_begun_again(tmp_path, layout, keystore, kept):
    with Ledger.create(layout, "demo", keystore) as ledger:
        origin = ledger.origin
    content = layout.ledger.read_bytes()
    layout.log_checkpoints.unlink()
    layout.ledger.write_bytes(content[:kept])
    with Ledger.create(layout, "demo", keystore) as ledger:
        assert ledger.origin != origin
        assert (ledger.recovered is None) == (kept == 0)
        ledger.append(submitted())
    assert Ledger.read_only(layout).state.size == 2


def test_a_genesis_that_was_never_sealed_is_sealed_by_the_next_writer(layout, keystore):
    with Ledger.create(layout, "demo", keystore) as ledger:
        origin = ledger.origin
    os.truncate(layout.log_checkpoints, 0)
    with Ledger.create(layout, "demo", keystore) as ledger:
        assert (ledger.origin, ledger.sealed_size) == (origin, 1)
