"""Every change to what was sealed is found, and nothing is written when it is."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from ledger.writing import evaluated, promote, submitted, trained
from noa_mlops.errors import LedgerTampered, NotAuthorised, NotFound
from noa_mlops.evidence import SigningKey, sign_statement, split_line
from noa_mlops.ledger import KeyStore, Ledger, LedgerState, admit, admit_sealed, split_records
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A closed ledger of 53 entries; tests work on copies."""
    root = tmp_path_factory.mktemp("sealed")
    with Ledger.create(Layout.of(root / "project"), "demo", KeyStore(root / "keys")) as ledger:
        for number in range(1, 14):
            promote(ledger, number)
        assert ledger.state.size == 53
    return root


@pytest.fixture
def root(sealed, tmp_path):
    shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)
    return tmp_path


def fingerprint(layout):
    return {path.name: path.read_bytes() for path in layout.evidence.iterdir() if path.name != "ledger.lock"}


def assert_found(layout, keystore, match=None):
    """Reading and writing both refuse, and change nothing."""
    before = fingerprint(layout)
    with pytest.raises(LedgerTampered, match=match):
        Ledger.read_only(layout)
    with pytest.raises(LedgerTampered, match=match):
        Ledger.open(layout, keystore)
    assert fingerprint(layout) == before


def states_of(lines):
    states = [LedgerState()]
    for line in lines:
        states.append(admit(states[-1], line))
    return states


def test_every_single_flipped_bit_is_found(sealed):
    """Folded from the flipped line on, without signatures: the chain and the root alone find all of them."""
    content = (sealed / "project/storage/db/evidence/ledger.jsonl").read_bytes()
    lines = content.splitlines()
    states = states_of(lines)
    unfound = []
    for number, line in enumerate(lines):
        before, following = states[number], lines[number + 1 : number + 2]
        for place in range(len(line)):
            for bit in range(8):
                flipped = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
                after = admit_sealed(before, flipped)
                if isinstance(after, LedgerState) and following:
                    after = admit_sealed(after, following[0])
                if isinstance(after, LedgerState) and after.frontier.root() == states[-1].frontier.root():
                    unfound.append((number, place, bit))
    assert len(content) * 8 > 100_000
    assert unfound == []


def test_every_flipped_bit_of_a_line_is_refused_by_the_whole_law(sealed):
    lines = (sealed / "project/storage/db/evidence/ledger.jsonl").read_bytes().splitlines()
    states = states_of(lines[:5])
    for number in (2, 4):
        line = lines[number]
        for place in range(len(line)):
            flipped = line[:place] + bytes([line[place] ^ 1 << place % 8]) + line[place + 1 :]
            assert not isinstance(admit(states[number], flipped), LedgerState)


@pytest.mark.parametrize("place", range(0, 40_000, 1009))
def test_a_flipped_bit_stops_readers_and_writers(root, layout, keystore, place):
    content = bytearray(layout.ledger.read_bytes())
    content[place % len(content)] ^= 1
    layout.ledger.write_bytes(content)
    assert_found(layout, keystore)


REARRANGED = {
    "delete": lambda lines: [*lines[:20], *lines[21:]],
    "duplicate": lambda lines: [*lines[:20], lines[20], *lines[20:]],
    "swap": lambda lines: [*lines[:20], lines[21], lines[20], *lines[22:]],
    "join": lambda lines: [*lines[:20], lines[20].rstrip(b"\n"), *lines[21:]],
    "crlf": lambda lines: [*lines[:20], lines[20][:-1] + b"\r\n", *lines[21:]],
    "spaces": lambda lines: [*lines[:20], lines[20][:-1] + b"  \n", *lines[21:]],
    "blank": lambda lines: [*lines[:20], b"\n", *lines[20:]],
    "insert": lambda lines: [*lines[:20], b'{"noa_entry":{}}\n', *lines[20:]],
    "behead": lambda lines: lines[1:],
    "mark": lambda lines: [b"\xef\xbb\xbf", *lines],
}


@pytest.mark.parametrize("name", REARRANGED)
def test_a_rearranged_ledger_is_found(root, layout, keystore, name):
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    layout.ledger.write_bytes(b"".join(REARRANGED[name](lines)))
    assert_found(layout, keystore)


@pytest.mark.parametrize("cut", [1, 2, 100, 1000, 10_000])
def test_a_ledger_cut_below_its_checkpoint_is_found(root, layout, keystore, cut):
    os.truncate(layout.ledger, layout.ledger.stat().st_size - cut)
    assert_found(layout, keystore, match="vouches for 53")


def test_an_emptied_or_removed_ledger_is_found(root, layout, keystore):
    os.truncate(layout.ledger, 0)
    assert_found(layout, keystore)
    layout.ledger.unlink()
    assert_found(layout, keystore)
    with pytest.raises(LedgerTampered):
        Ledger.create(layout, "demo", keystore)
    assert not layout.ledger.exists()


def test_an_older_copy_of_the_ledger_under_a_newer_checkpoint_is_found(root, layout, keystore):
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    layout.ledger.write_bytes(b"".join(lines[:49]))
    assert_found(layout, keystore, match="holds 49 entries; a checkpoint vouches for 53")


def test_lost_checkpoints_are_found(root, layout, keystore):
    layout.log_checkpoints.unlink()
    assert_found(layout, keystore, match="lost its checkpoints")


def test_a_forged_newest_checkpoint_is_found(root, layout, keystore):
    content = layout.log_checkpoints.read_bytes()
    layout.log_checkpoints.write_bytes(content[:-10] + (b"A" if content[-10:-9] != b"A" else b"B") + content[-9:])
    assert_found(layout, keystore, match="a checkpoint has")


def test_a_ledger_signed_anew_by_another_key_is_found(root, layout, keystore):
    thief = SigningKey.generate()
    lines = layout.ledger.read_bytes().splitlines()
    forged, previous = lines[:30], lines[29]
    for line in lines[30:]:
        statement = json.loads(split_line(line).payload)
        statement["noa_entry"]["prev"] = sha256(previous)
        previous = sign_statement(statement, thief)
        forged.append(previous)
    layout.ledger.write_bytes(b"\n".join(forged) + b"\n")
    assert_found(
        layout, keystore, match="entry 30 is signed by a key that may not sign|not those that were sealed|unknown"
    )


def test_the_ledger_of_another_project_does_not_pass_under_these_checkpoints(root, layout, keystore, tmp_path):
    other = Layout.of(tmp_path / "other")
    with Ledger.create(other, "demo", keystore) as ledger:
        for number in range(1, 14):
            promote(ledger, number)
    shutil.copy(other.ledger, layout.ledger)
    assert_found(layout, keystore, match="no checkpoint of|no signature of")


def test_reading_again_finds_what_was_changed_meanwhile(root, layout):
    reader = Ledger.read_only(layout)
    content = layout.ledger.read_bytes()
    layout.ledger.write_bytes(content.replace(b'"attempt":1', b'"attempt":2', 1))
    with pytest.raises(LedgerTampered, match="entry 1 "):
        list(reader.entries())
    with pytest.raises(LedgerTampered, match="entry 1 "):
        reader.entry(1)
    assert reader.entry(5).seq == 5


@pytest.mark.parametrize("place", [0, 1, -1])
def test_known_entries_are_told_by_the_chain_alone(root, layout, place):
    """No signature is asked again, yet no line can be another one: the chain ends in the head that is known."""
    reader = Ledger.read_only(layout)
    assert list(reader.known_entries(3)) == list(reader.entries(3))
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    lines[place] = lines[place].replace(b'"ts":"2', b'"ts":"3')
    layout.ledger.write_bytes(b"".join(lines))
    with pytest.raises(LedgerTampered, match=r"is no longer what it was|does not follow"):
        list(reader.known_entries())


def test_a_file_replaced_under_an_open_ledger_is_found(root, layout, keystore):
    with Ledger.open(layout, keystore) as ledger:
        twin = layout.evidence / "twin"
        shutil.copy(layout.ledger, twin)
        twin.replace(layout.ledger)
        with pytest.raises(LedgerTampered, match="replaced"):
            ledger.append(submitted())


def test_a_file_cut_under_an_open_ledger_is_found(root, layout, keystore):
    ledger = Ledger.open(layout, keystore)
    ledger.append(submitted())
    os.truncate(layout.ledger, layout.ledger.stat().st_size - 700)
    with pytest.raises(LedgerTampered, match="was cut"):
        ledger.append(submitted())
    with pytest.raises(LedgerTampered):
        ledger.close()


def test_a_signed_line_that_breaks_the_law_is_not_moved_aside(root, layout, keystore, another_machine):
    """It was written on purpose, perhaps by a newer version: only a person can know."""
    with Ledger.open(layout, keystore) as ledger:
        state = ledger.state
        entry = ledger.append(submitted())
        statement = json.loads(split_line(entry.line).payload)
        statement["noa_entry"]["v"] = 2
        newer = sign_statement(statement, ledger.keys.signing_key("verifier"))
    content = layout.ledger.read_bytes()[: -len(entry.line) - 1]
    records = layout.log_checkpoints.read_bytes()
    layout.log_checkpoints.write_bytes(b"".join(note + b"\n" for note in split_records(records)[:-1]))
    layout.ledger.write_bytes(content + newer + b"\n")
    another_machine()
    before = fingerprint(layout)
    with pytest.raises(LedgerTampered, match="form 2, which is not known to this version, yet it is signed"):
        Ledger.open(layout, keystore)
    assert fingerprint(layout) == before
    assert Ledger.read_only(layout).state == state


def test_no_ledger_is_not_an_empty_ledger(layout, keystore):
    with pytest.raises(NotFound):
        Ledger.read_only(layout)
    with pytest.raises(NotFound):
        Ledger.open(layout, keystore)
    assert not layout.evidence.exists()


def test_writing_needs_the_keys_and_reading_does_not(root, layout, keystore):
    shutil.rmtree(keystore.root)
    before = fingerprint(layout)
    with pytest.raises(NotAuthorised, match="not in"):
        Ledger.open(layout, keystore)
    assert fingerprint(layout) == before
    assert Ledger.read_only(layout).state.size == 53


def test_the_checkpoints_are_whole_records_of_growing_size(root, layout):
    notes = split_records(layout.log_checkpoints.read_bytes())
    sizes = [int(note.split(b"\n")[1]) for note in notes]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 1
    with pytest.raises(LedgerTampered):
        split_records(layout.log_checkpoints.read_bytes()[:-1])
    with pytest.raises(LedgerTampered):
        split_records(b"\n" + layout.log_checkpoints.read_bytes())


def test_a_symbolic_link_in_place_of_the_ledger_is_refused(root, layout, keystore):
    layout.ledger.rename(layout.evidence / "elsewhere")
    layout.ledger.symlink_to(layout.evidence / "elsewhere")
    with pytest.raises(Exception, match="symbolic link"):
        Ledger.open(layout, keystore)


def test_reading_on_from_an_index_gives_the_same_as_reading_all(root, layout):
    reader = Ledger.read_only(layout)
    every = list(reader.entries())
    assert [entry.seq for entry, _ in every] == list(range(53))
    for start in (0, 1, 30, 52, 53):
        assert list(reader.entries(start)) == every[start:]
    assert every[-1][1] == reader.state
    assert [entry.type for entry in reader.history("rain", 3)] == [
        "Submitted",
        "TrainingCompleted",
        "EvaluationLogged",
        "PromotionReady",
    ]
    assert reader.history("rain", 99) == ()
    with pytest.raises(IndexError):
        reader.entry(53)


def test_what_lies_beyond_the_checkpoint_is_only_pending(layout, keystore):
    with Ledger.create(layout, "demo", keystore) as ledger:
        ledger.append(submitted())
        ledger.append(trained())
        reader = Ledger.read_only(layout)
        assert (reader.state.size, [entry.type for entry in reader.pending]) == (1, ["Submitted", "TrainingCompleted"])
        with layout.ledger.open("ab") as stream:
            stream.write(b'{"_type":"half a line')
        assert len(reader.pending) == 2
        ledger.append(evaluated())
        ledger.seal()
        reader.refresh()
        assert (reader.state.size, reader.pending) == (4, ())
        assert ledger.recovered is not None
