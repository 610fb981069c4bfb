"""Who may not write in the registry is told whose it is and how to get it; being root is never the advice."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys

import pytest

TRY = """
import json, pathlib, sys
from noa_mlops.errors import RegistryConflict
from noa_mlops.registry import CapabilityRegistry, Mirror, capability_entry
folder = pathlib.Path(sys.argv[1])
capabilities = CapabilityRegistry(folder / "capabilities.json")
mirror = Mirror(folder / "ml_artifacts.log", folder / "checkpoint", origin="demo")
tries = {
    "check": capabilities.check_writable,
    "ensure": lambda: capabilities.ensure(capability_entry("ml.lifecycle.controller")),
    "mirror": mirror.check_writable,
}
said = {}
for name, attempt in tries.items():
    try:
        attempt()
    except RegistryConflict as error:
        said[name] = [str(error), error.hint]
print(json.dumps(said))
"""


def obey_modes():
    """Give up the superuser's right to pass file modes by: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH (capabilities(7))."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):
            libc.prctl(24, capability, 0, 0, 0)


def tried(folder):
    """What each attempt was told, by somebody whom file modes bind."""
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(folder)], capture_output=True, text=True, check=True, preexec_fn=obey_modes
    )
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "registry of ours"
    folder.mkdir()
    (folder / "capabilities.json").write_text('{"version": 1, "capabilities": []}')
    (folder / "ml_artifacts.log").write_bytes(b"")
    yield folder
    folder.chmod(0o700)


def assert_conflict(message, hint, place, mode):
    who = f"{os.geteuid()}:{os.getegid()}"
    assert message.startswith(f"{place} ")
    assert f"(mode {mode}, owner {who})" in message
    assert f"chown {who} '{place}' && chmod u+rwX '{place}'" in hint
    assert "as root" not in message + hint
    assert "sudo" not in message + hint
    assert "sudo" not in message + hint


def test_a_writable_registry_is_no_conflict(folder):
    assert tried(folder) == {}


def test_a_folder_that_may_not_be_written(folder):
    folder.chmod(0o555)
    said = tried(folder)
    assert said.keys() == {"check", "ensure", "mirror"}
    for name in ("check", "mirror"):
        assert_conflict(*said[name], folder, "555")


@pytest.mark.parametrize("mode", [0o444, 0o200, 0o000])
def test_a_capability_manifest_that_may_not_be_replaced_or_read(folder, mode):
    (folder / "capabilities.json").chmod(mode)
    said = tried(folder)
    assert_conflict(*said["check"], folder / "capabilities.json", f"{mode:o}")
    assert "mirror" not in said


def test_a_mirror_that_may_not_be_written(folder):
    (folder / "ml_artifacts.log").chmod(0o444)
    said = tried(folder)
    assert said.keys() == {"mirror"}
    assert_conflict(*said["mirror"], folder / "ml_artifacts.log", "444")


def test_a_folder_that_cannot_be_made(folder):
    folder.chmod(0o555)
    said = tried(folder / "inner")
    assert said.keys() == {"check", "ensure", "mirror"}
    for message, hint in said.values():
        assert f"{folder}" in message
        assert f"chmod u+rwX '{folder}'" in hint
