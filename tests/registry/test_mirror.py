"""The mirror is a projection of the ledger: complete, signed, derivable byte for byte, never silently overwritten."""

from __future__ import annotations

import json
import os
import threading

import pytest

from noa_mlops.errors import RegistryConflict
from noa_mlops.evidence import Frontier, SigningKey, leaf_hash, parse_checkpoint, sign_checkpoint
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.registry import MirrorTampered, project
from registry.conftest import METRICS


def documents(registry):
    return [json.loads(line) for line in registry.lines]


def root(lines):
    frontier = Frontier()
    for line in lines:
        frontier = frontier.push(leaf_hash(line))
    return frontier.root()


def test_the_same_entry_always_gives_the_same_line(registry):
    first, again = ([project(entry) for entry in registry.entries(0)] for _ in range(2))
    assert first == again


def test_every_deciding_or_measuring_entry_has_a_line_and_no_other(mirrored):
    types = ["Genesis", "EvaluationLogged", "PromotionReady", "EvaluationLogged", "PromotionReady"]
    assert [document["type"] for document in documents(mirrored)] == types


def test_each_line_carries_the_ledger_line_to_the_byte(mirrored):
    ledger = mirrored.layout.ledger.read_bytes().splitlines()
    for document in documents(mirrored):
        seq = json.loads(document["line"])["noa_entry"]["seq"]
        assert document["line"].encode() == ledger[seq]


def test_a_line_says_what_people_and_ci_look_for(mirrored):
    genesis, measured, champion, _, rejected = documents(mirrored)
    assert genesis.keys() == {"capability", "type", "timestamp", "line"}
    assert measured["metrics"] == METRICS
    assert "decision" not in measured
    assert champion["capability"] == "ml.lifecycle.controller"
    assert champion["artifact"] == {"checksum": "b" * 64, "lifecycle_id": "rain", "version": 1}
    assert champion["decision"] == {"status": "ready", "verdict": "pass", "reasons": []}
    assert champion["rollout"] == {"champion": 1, "status": "ready"}
    assert rejected["decision"] == {"status": "blocked", "verdict": "fail", "reasons": ["threshold"]}
    assert rejected["rollout"] == {"champion": 1, "status": "ready"}
    assert rejected["timestamp"] == json.loads(rejected["line"])["noa_entry"]["ts"]


def test_catching_up_appends_only_what_is_missing(mirrored):
    before = mirrored.log
    mirrored.promote()
    assert mirrored.catch_up() == 2
    assert mirrored.log.startswith(before)
    assert len(mirrored.lines) == 7


def test_catching_up_again_changes_nothing(mirrored):
    before = (mirrored.log, mirrored.head, os.stat(mirrored.layout.mirror_checkpoint).st_ino)
    assert mirrored.catch_up() == 0
    assert (mirrored.log, mirrored.head, os.stat(mirrored.layout.mirror_checkpoint).st_ino) == before


def test_one_mirror_object_goes_on_where_it_was(registry):
    mirror = registry.mirror
    counts = []
    for _ in range(3):
        counts.append(mirror.catch_up(registry.entries, registry.key))
        registry.promote("snow")
    assert counts == [5, 2, 2]
    registry.catch_up()
    assert registry.findings() == []


def test_the_head_is_signed_over_exactly_the_lines(mirrored):
    head = parse_checkpoint(mirrored.head, f"{mirrored.ledger.origin}/registry", [mirrored.key.public])
    assert (head.size, head.root) == (5, root(mirrored.lines))


def test_a_rebuilt_mirror_equals_a_grown_one_byte_for_byte(mirrored):
    mirrored.promote()
    mirrored.catch_up()
    grown = (mirrored.log, mirrored.head)
    mirrored.log, mirrored.head = b"rubbish\n", b"rubbish"
    assert mirrored.mirror.rebuild(mirrored.entries, mirrored.key) == 7
    assert (mirrored.log, mirrored.head) == grown


@pytest.mark.parametrize("gone", [["mirror"], ["mirror_checkpoint"], ["mirror", "mirror_checkpoint"]])
def test_what_was_deleted_is_made_again(mirrored, gone):
    before = (mirrored.log, mirrored.head)
    for name in gone:
        getattr(mirrored.layout, name).unlink()
    mirrored.catch_up()
    assert (mirrored.log, mirrored.head) == before


def edited(lines):
    return [*lines[:2], lines[2].replace(b'"ready"', b'"steady"'), *lines[3:]]


TAMPERINGS = {
    "edited": edited,
    "edited at its end": lambda lines: [*lines[:-1], lines[-1].replace(b"blocked", b"ready!!")],
    "the first line dropped": lambda lines: lines[1:],
    "a line in the middle dropped": lambda lines: [*lines[:2], *lines[3:]],
    "the last line dropped": lambda lines: lines[:-1],
    "two lines swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "a line repeated": lambda lines: [*lines, lines[-1]],
    "a line invented": lambda lines: [*lines, b'{"decision":{"status":"ready"}}'],
    "an empty line": lambda lines: [*lines, b""],
    "carriage returns": lambda lines: [line + b"\r" for line in lines],
    "other white space": lambda lines: [line.replace(b'":', b'": ', 1) for line in lines],
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_a_mirror_with_other_lines_is_refused_and_left_alone(mirrored, change):
    mirrored.log = tampered = b"".join(line + b"\n" for line in change(mirrored.lines))
    head = mirrored.head
    with pytest.raises(MirrorTampered, match=r"ml_artifacts\.log"):
        mirrored.catch_up()
    mirrored.promote()
    with pytest.raises(MirrorTampered) as caught:
        mirrored.catch_up()
    assert caught.value.exit_code == 4
    assert "noa doctor --repair" in caught.value.hint
    assert (mirrored.log, mirrored.head) == (tampered, head)


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_a_mirror_with_other_lines_is_found_by_comparison_and_left_alone(mirrored, change):
    mirrored.log = tampered = b"".join(line + b"\n" for line in change(mirrored.lines))
    assert "ml_artifacts.log" in {name for name, _ in mirrored.findings()}
    assert mirrored.log == tampered


def test_the_line_that_does_not_hold_is_named(mirrored):
    mirrored.log = b"".join(line + b"\n" for line in edited(mirrored.lines))
    with pytest.raises(MirrorTampered, match="line 3 does not follow from ledger entry 4"):
        mirrored.catch_up()
    assert mirrored.findings() == [
        ("ml_artifacts.log", "line 3 does not follow from ledger entry 4"),
        ("checkpoint", "is over 5 other lines than those that are there"),
    ]


def test_every_flipped_byte_of_mirror_and_head_is_found(mirrored):
    for name, good in (("mirror", mirrored.log), ("mirror_checkpoint", mirrored.head)):
        path = getattr(mirrored.layout, name)
        for place in range(0, len(good), 1 if name == "mirror_checkpoint" else 23):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
            assert path.name in {found for found, _ in mirrored.findings()}, (name, place)
        path.write_bytes(good)
    assert mirrored.findings() == []


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\n\n\n", b"\n" * 70_000])
def test_a_head_that_is_none_is_refused_and_found(mirrored, data):
    mirrored.head = data
    with pytest.raises(MirrorTampered, match="checkpoint"):
        mirrored.catch_up()
    assert mirrored.head == data
    assert [name for name, _ in mirrored.findings()] == ["checkpoint"]


def test_a_head_signed_by_another_key_is_refused_and_found(mirrored):
    head = parse_checkpoint(mirrored.head, f"{mirrored.ledger.origin}/registry", [mirrored.key.public])
    mirrored.head = sign_checkpoint(head, SigningKey.generate("ed25519"))
    with pytest.raises(MirrorTampered, match="known key"):
        mirrored.catch_up()
    assert [name for name, _ in mirrored.findings()] == ["checkpoint"]


def test_a_missing_mirror_or_head_is_found(mirrored):
    mirrored.layout.mirror_checkpoint.unlink()
    assert [name for name, _ in mirrored.findings()] == ["checkpoint"]
    mirrored.layout.mirror.unlink()
    assert [name for name, _ in mirrored.findings()] == ["ml_artifacts.log"]


def test_a_mirror_of_another_ledger_is_refused(mirrored, tmp_path):
    layout = type(mirrored.layout).of(tmp_path / "other")
    with Ledger.create(layout, "demo", KeyStore(tmp_path / "keys")) as other:
        log, head = mirrored.log, mirrored.head
        registry = type(mirrored)(layout, other)
        layout.mirror.parent.mkdir()
        registry.log, registry.head = log, head
        with pytest.raises(MirrorTampered):
            registry.catch_up()
        assert registry.findings() != []
        assert registry.log == log


def torn(registry):
    """A mirror whose last two lines nobody signed yet; the bytes before them."""
    head, before = registry.head, registry.log
    registry.promote()
    registry.catch_up()
    whole = registry.log
    registry.head = head
    return before, whole


def test_unsigned_lines_that_a_crash_left_whole_are_kept_and_signed(mirrored):
    _, whole = torn(mirrored)
    assert mirrored.catch_up() == 0
    assert mirrored.log == whole
    assert mirrored.findings() == []


def test_a_tail_torn_at_any_byte_is_written_again(mirrored):
    before, whole = torn(mirrored)
    head = mirrored.head
    for length in {*range(len(before), len(whole), 37), len(whole) - 1}:
        mirrored.log, mirrored.head = whole[:length], head
        mirrored.catch_up()
        assert mirrored.log == whole
        assert mirrored.findings() == []


def test_blocks_that_never_reached_the_disk_are_written_again(mirrored):
    before, whole = torn(mirrored)
    mirrored.log = before + bytes(100) + whole[len(before) + 100 :]
    mirrored.catch_up()
    assert mirrored.log == whole
    assert mirrored.findings() == []


def test_what_was_signed_is_never_taken_for_torn(mirrored):
    for length in (len(mirrored.log) - 1, len(mirrored.log) // 2, 1):
        good = mirrored.log
        mirrored.log = good[:length]
        with pytest.raises(MirrorTampered):
            mirrored.catch_up()
        assert mirrored.log == good[:length]
        mirrored.log = good


def test_threads_that_share_a_mirror_write_every_line_once(registry):
    mirror = registry.mirror
    threads = [threading.Thread(target=mirror.catch_up, args=(registry.entries, registry.key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.lines) == 5
    assert registry.findings() == []


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_link(path):
    moved = path.rename(path.with_name("moved"))
    path.symlink_to(moved)


def replace_by_dangling_link(path):
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("name", ["mirror", "mirror_checkpoint"])
@pytest.mark.parametrize("replace", [replace_by_folder, replace_by_pipe, replace_by_link, replace_by_dangling_link])
def test_something_else_in_the_place_of_a_file_is_a_conflict_found_before_anything_runs(mirrored, name, replace):
    path = getattr(mirrored.layout, name)
    replace(path)
    with pytest.raises(RegistryConflict, match=rf"{path.name} is .*, not a regular file \(mode \d+, owner \d+:\d+\)"):
        mirrored.mirror.check_writable()
    with pytest.raises(RegistryConflict):
        mirrored.catch_up()
    assert path.name in {found for found, _ in mirrored.findings()}


def test_checking_makes_nothing(registry):
    registry.mirror.check_writable()
    assert not registry.layout.mirror.parent.exists()
