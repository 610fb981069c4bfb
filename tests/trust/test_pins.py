"""What this machine has seen of a ledger, it does not forget: a replaced or rolled-back folder is refused."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from ledger.writing import promote, python
from noa_mlops.errors import LedgerTampered
from noa_mlops.ledger import KeyStore, KnownLogs, Ledger, Pin, split_records
from noa_mlops.records.layout import Layout


@pytest.fixture
def copy(tmp_path, layout, ledger, keystore, pins):
    """The folder as it was after the first promotion; the ledger has had two."""
    promote(ledger)
    ledger.close()
    shutil.copytree(layout.project, tmp_path / "copy")
    with Ledger.open(layout, keystore, pins=pins) as later:
        promote(later, 2)
    return tmp_path / "copy"


def put_back(copy, layout):
    shutil.rmtree(layout.project)
    shutil.copytree(copy, layout.project)


def refused(layout, keystore, pins, match):
    """Reading and writing refuse, with exit status 4, and say which file remembers."""
    before = layout.ledger.read_bytes()
    for attempt in (lambda: Ledger.read_only(layout, pins), lambda: Ledger.open(layout, keystore, pins=pins)):
        with pytest.raises(LedgerTampered, match=match) as caught:
            attempt()
        assert caught.value.exit_code == 4
        assert str(pins.path) in str(caught.value)
        assert str(pins.path) in caught.value.hint
    assert layout.ledger.read_bytes() == before


def test_first_use_pins_and_every_use_raises(layout, keystore, pins, ledger):
    assert pins.pin(layout.ledger) == Pin(ledger.origin, 1, ledger.state.frontier.root())
    promote(ledger)
    ledger.close()
    assert pins.pin(layout.ledger).size == 5
    pins.path.unlink()
    Ledger.read_only(layout, pins)
    assert pins.pin(layout.ledger) == Pin(ledger.origin, 5, ledger.state.frontier.root())


def test_the_pins_are_private(pins, ledger):
    assert stat.S_IMODE(pins.path.stat().st_mode) == 0o600


def test_a_whole_folder_rolled_back_is_refused(copy, layout, keystore, pins):
    put_back(copy, layout)
    refused(layout, keystore, pins, "was rolled back: 5 entries are sealed, the pin says 9")


def test_a_rolled_back_folder_that_grew_again_is_refused(copy, layout, keystore, pins, tmp_path):
    put_back(copy, layout)
    elsewhere = KnownLogs(tmp_path / "elsewhere" / "known_logs")
    with Ledger.open(layout, keystore, pins=elsewhere) as ledger:
        promote(ledger, 2)
        promote(ledger, 3)
    refused(layout, keystore, pins, "was rewritten: the first 9 entries are not those")


def test_another_log_with_new_keys_in_its_place_is_refused(copy, layout, keystore, pins, tmp_path):
    shutil.rmtree(layout.project)
    other = KnownLogs(tmp_path / "elsewhere" / "known_logs")
    with Ledger.create(layout, "demo", keystore, pins=other) as ledger:
        for version in range(1, 4):
            promote(ledger, version)
    refused(layout, keystore, pins, "is another log than before")


def test_a_project_begun_anew_in_an_empty_place_is_pinned_anew(layout, keystore, pins, ledger):
    """Its maker knows that it is new; nothing pretends to be the old one."""
    origin = ledger.origin
    ledger.close()
    shutil.rmtree(layout.project)
    with Ledger.create(layout, "demo", keystore, pins=pins) as anew:
        assert anew.origin != origin
        assert pins.pin(layout.ledger).origin == anew.origin


def test_deleting_the_line_is_the_way_out(copy, layout, keystore, pins):
    put_back(copy, layout)
    pins.path.write_bytes(b"")
    assert Ledger.read_only(layout, pins).state.size == 5


def test_a_checkpoint_lost_with_the_entries_it_sealed_is_found_by_the_pin(layout, keystore, pins, ledger):
    promote(ledger)
    ledger.close()
    notes = split_records(layout.log_checkpoints.read_bytes())
    layout.log_checkpoints.write_bytes(notes[0] + b"\n")
    layout.ledger.write_bytes(layout.ledger.read_bytes().splitlines(keepends=True)[0])
    refused(layout, keystore, pins, "was rolled back")


def test_one_path_is_one_ledger_whatever_way_leads_to_it(copy, layout, pins, tmp_path):
    put_back(copy, layout)
    (tmp_path / "link").symlink_to(layout.project)
    with pytest.raises(LedgerTampered, match="rolled back"):
        Ledger.read_only(Layout.of(tmp_path / "link"), pins)


@pytest.mark.parametrize("text", [b"nonsense\n", b"file:///x demo/0 1 AAAA\n", b"\xff\n", b"\n"])
def test_pins_that_cannot_be_read_refuse(layout, keystore, pins, ledger, text):
    ledger.close()
    pins.path.write_bytes(text)
    with pytest.raises(LedgerTampered, match="line 1 is no pin"):
        Ledger.read_only(layout, pins)


def test_pins_behind_a_link_are_not_followed(layout, pins, ledger, tmp_path):
    ledger.close()
    pins.path.rename(tmp_path / "mine")
    pins.path.symlink_to(tmp_path / "mine")
    with pytest.raises(LedgerTampered, match="cannot be read"):
        Ledger.read_only(layout, pins)


def test_a_place_that_cannot_be_written_keeps_no_pin(layout, keystore, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    nowhere = KnownLogs(tmp_path / "file" / "noa" / "known_logs")
    with Ledger.create(layout, "demo", keystore, pins=nowhere):
        pass
    assert Ledger.read_only(layout, nowhere).state.size == 1
    assert not nowhere.raise_to(layout.ledger, Pin("demo/0", 1, bytes(32)))


RAISE = """
import pathlib, sys
from noa_mlops.ledger import KnownLogs, Pin
folder, start = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for size in range(start, 40, 2):
    KnownLogs(folder / "known_logs").raise_to(folder / f"ledger-{start % 2}", Pin("demo/0", size, bytes(32)))
"""


def test_many_processes_lose_no_pin_and_lower_none(tmp_path):
    working = [python(RAISE, tmp_path, start) for start in range(1, 5)]
    assert [process.communicate()[1] for process in working] == [""] * 4
    pins = KnownLogs(tmp_path / "known_logs")
    assert [pins.pin(tmp_path / f"ledger-{number}").size for number in (0, 1)] == [38, 39]


def test_the_place_of_the_pins_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert KnownLogs().path == tmp_path / "state" / "noa" / "known_logs"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert KnownLogs().path == tmp_path / ".local" / "state" / "noa" / "known_logs"


def test_a_name_of_any_bytes_has_a_pin(tmp_path):
    pins = KnownLogs(tmp_path / "known_logs")
    ledger = tmp_path / os.fsdecode(b"odd \xff\nname") / "ledger.jsonl"
    pin = Pin("demo/0", 3, bytes(32))
    assert pins.raise_to(ledger, pin)
    assert pins.pin(ledger) == pin
    assert len(pins.path.read_bytes().splitlines()) == 1


def test_the_keys_of_a_stranger_in_the_same_place_are_no_matter(tmp_path, copy, layout, pins):
    """With the folder replaced by the stranger's, and their keys at hand, the pin still refuses."""
    shutil.rmtree(layout.project)
    theirs = KeyStore(tmp_path / "theirs")
    Ledger.create(layout, "demo", theirs, pins=KnownLogs(tmp_path / "their" / "known_logs")).close()
    refused(layout, theirs, pins, "is another log")
