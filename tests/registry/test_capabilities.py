"""The capability manifest belongs to many: ours is kept current in it, everything else is kept as it is."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat

import pytest

from noa_mlops.errors import RegistryConflict
from noa_mlops.registry import CapabilityRegistry, capability_entry, offers
from noa_mlops.version import VERSION

OURS = capability_entry("ml.lifecycle.controller")
FOREIGN = {
    "id": "storage.artifacts",
    "type": "storage",
    "semver": "2.1.0",
    "requires": [],
    "provides": ["blobs"],
    "ö": [1.5],
}


@pytest.fixture
def registry(tmp_path):
    return CapabilityRegistry(tmp_path / "registry" / "capabilities.json")


def write(registry, document):
    registry.path.parent.mkdir(exist_ok=True)
    registry.path.write_text(document if isinstance(document, str) else json.dumps(document))


def stored(registry):
    return json.loads(registry.path.read_bytes())


def test_makes_the_file_with_our_entry_when_there_is_none(registry):
    assert registry.capabilities() == ()
    assert registry.ensure(OURS)
    assert stored(registry) == {
        "version": 1,
        "capabilities": [
            {
                "id": "ml.lifecycle.controller",
                "type": "ml",
                "semver": VERSION,
                "requires": ["storage.artifacts"],
                "provides": ["ml.training", "ml.evaluation", "ml.registry"],
            }
        ],
    }


def test_changes_nothing_when_our_entry_is_there(registry):
    registry.ensure(OURS)
    before = (registry.path.read_bytes(), registry.path.stat().st_ino)
    assert not registry.ensure(OURS)
    assert (registry.path.read_bytes(), registry.path.stat().st_ino) == before


def test_keeps_foreign_entries_unknown_members_and_every_order(registry):
    old = {"provides": ["ml.training"], "note": "ours, older", "id": OURS["id"], "semver": "0.0.1"}
    write(
        registry, {"owner": "platform", "capabilities": [FOREIGN, old, {"id": "x", "n": 1e3}], "version": 1, "z": None}
    )
    assert registry.ensure(OURS)
    found = stored(registry)
    assert list(found) == ["owner", "capabilities", "version", "z"]
    assert [entry["id"] for entry in found["capabilities"]] == ["storage.artifacts", OURS["id"], "x"]
    assert found["capabilities"][0] == FOREIGN
    assert list(found["capabilities"][0]) == list(FOREIGN)
    assert found["capabilities"][1] == {**old, **OURS}
    assert list(found["capabilities"][1]) == ["provides", "note", "id", "semver", "type", "requires"]
    assert found["capabilities"][2]["n"] == 1000
    assert "ö" in registry.path.read_text(encoding="utf-8")


def test_keeps_the_mode_of_the_file(registry):
    write(registry, {"version": 1, "capabilities": [FOREIGN]})
    registry.path.chmod(0o660)
    registry.ensure(OURS)
    assert stat.S_IMODE(registry.path.stat().st_mode) == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
def test_keeps_the_owner_of_the_file(registry):
    write(registry, {"version": 1, "capabilities": []})
    os.chown(registry.path, 1234, 5678)
    registry.ensure(OURS)
    status = registry.path.stat()
    assert (status.st_uid, status.st_gid) == (1234, 5678)


def test_replaces_the_file_whole_and_leaves_nothing_beside_it(registry):
    write(registry, {"version": 1, "capabilities": [FOREIGN]})
    with registry.path.open("rb") as reader:
        registry.ensure(OURS)
        assert json.loads(reader.read())["capabilities"] == [FOREIGN]
    assert os.listdir(registry.path.parent) == ["capabilities.json"]


def test_refuses_to_take_an_id_that_somebody_else_uses(registry):
    write(registry, {"version": 1, "capabilities": [{"id": OURS["id"], "type": "storage"}]})
    before = registry.path.read_bytes()
    with pytest.raises(RegistryConflict, match="is registered with type 'storage', not ours"):
        registry.ensure(OURS)
    assert registry.path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        *("", "not json", "[]", "null", "{}", '{"version": 1}', '{"capabilities": []}', "\x00", '{"version": 1,'),
        '{"version": 2, "capabilities": []}',
        '{"version": true, "capabilities": []}',
        '{"version": 1, "capabilities": {}}',
        '{"version": 1, "capabilities": [1]}',
        '{"version": 1, "capabilities": [{"name": "no id"}]}',
        '{"version": 1, "capabilities": [], "capabilities": []}',
        '{"version": 1, "capabilities": [{"id": "x", "n": NaN}]}',
    ],
)
def test_refuses_a_file_that_is_no_capability_manifest_and_leaves_it(registry, text):
    write(registry, text)
    for attempt in (registry.check_writable, registry.capabilities, lambda: registry.ensure(OURS)):
        with pytest.raises(RegistryConflict, match=r"capabilities\.json ") as caught:
            attempt()
        assert caught.value.exit_code == 5
        assert "move it away" in caught.value.hint
    assert registry.path.read_text() == text


def test_refuses_a_file_that_is_too_large_without_reading_it_all(registry):
    write(registry, "")
    os.truncate(registry.path, 1 << 40)
    with pytest.raises(RegistryConflict, match="is larger than"):
        registry.check_writable()


def as_folder(path):
    path.mkdir()


def as_pipe(path):
    os.mkfifo(path)


def as_link(path):
    path.with_name("real.json").write_text('{"version": 1, "capabilities": []}')
    path.symlink_to("real.json")


def as_dangling_link(path):
    path.symlink_to("nowhere.json")


@pytest.mark.parametrize("make", [as_folder, as_pipe, as_link, as_dangling_link])
def test_something_else_in_the_place_of_the_file_is_a_conflict(registry, make):
    registry.path.parent.mkdir()
    make(registry.path)
    for attempt in (registry.check_writable, registry.capabilities, lambda: registry.ensure(OURS)):
        with pytest.raises(RegistryConflict, match=r"not a regular file \(mode \d+, owner \d+:\d+\)") as caught:
            attempt()
        assert f"mv {registry.path}" in caught.value.hint


@pytest.mark.parametrize("make", [lambda path: path.write_text("a file"), as_dangling_link])
def test_something_else_in_the_place_of_the_folder_is_a_conflict(registry, make):
    make(registry.path.parent)
    with pytest.raises(RegistryConflict, match=rf"{registry.path.parent} is not a folder \(mode \d+, owner \d+:\d+\)"):
        registry.check_writable()
    with pytest.raises(RegistryConflict, match=rf"{registry.path.parent} cannot be created"):
        registry.ensure(OURS)


def test_checking_makes_nothing(registry, tmp_path):
    registry.check_writable()
    assert os.listdir(tmp_path) == []


def _ensure(path, number):
    registry = CapabilityRegistry(path)
    for turn in range(5):
        registry.ensure(capability_entry(f"other.{number}.{turn}"))


def test_processes_that_write_at_once_lose_no_entry(registry):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_ensure, args=(registry.path, number)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    expected = {f"other.{number}.{turn}" for number in range(6) for turn in range(5)}
    assert {entry["id"] for entry in registry.capabilities()} == expected
    assert os.listdir(registry.path.parent) == ["capabilities.json"]


def test_tells_whether_our_capability_is_offered_under_whatever_id():
    assert offers([FOREIGN, capability_entry("ml.our-own-name")])
    assert not offers([FOREIGN, {"id": OURS["id"], "provides": "ml.training"}, {"id": "y"}])
