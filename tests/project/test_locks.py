"""The locked requirements: complete, pinned, hashed, one inside the other, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ["core", "tabular", "dev"]
APART = ["pip", "fuzz"]
"""Locks of what is no part of the package: the installer, and what only fuzzing needs."""
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;]+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def text_of(lock: str) -> str:
    return ROOT.joinpath("requirements", f"{lock}.txt").read_text()


def pins(lock: str) -> dict[str, str]:
    """The version of each locked package, by its normal name."""
    return {canonicalize_name(name): version for name, version, _ in PIN.findall(text_of(lock))}


@pytest.mark.parametrize("lock", [*LOCKS, *APART])
def test_pins_and_hashes_every_line(lock):
    statements = [
        line for line in PIN.sub("", text_of(lock)).splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert statements == []
    assert pins(lock)


@pytest.mark.parametrize(
    "path",
    [
        *(f"requirements/{lock}.txt" for lock in [*LOCKS, *APART]),
        "requirements/build.in",
        "requirements/fuzz.in",
        "pyproject.toml",
        "Makefile",
        ".ci/run",
    ],
)
def test_names_no_place_that_packages_come_from(path):
    text = ROOT.joinpath(path).read_text()
    assert not re.search(
        r"https?://|file://|--(extra-)?index-url[ =]|(?<!no-emit-)find-links[ =]|^-[if] ", text, re.MULTILINE
    )


def test_the_smaller_lock_is_part_of_the_larger_one():
    core, tabular, dev = (pins(lock).items() for lock in LOCKS)
    assert core < tabular < dev


@pytest.mark.parametrize(
    ("lock", "declared"),
    [
        ("core", PROJECT["dependencies"]),
        ("tabular", PROJECT["optional-dependencies"]["tabular"]),
        ("dev", PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_locks_a_version_that_the_project_declares(lock, declared):
    locked = pins(lock)
    for requirement in map(Requirement, declared):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_core_stays_small():
    build_only = {"hatchling", "packaging", "pathspec", "pip", "pluggy", "tomlkit", "trove-classifiers"}
    assert len(pins("core").keys() - build_only) <= 16
