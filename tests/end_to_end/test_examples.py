"""Every folder under ``examples/`` does, in a copy, what its README shows.

The one ``console`` block of a README is the test. A line that begins with ``$ `` is a command; it ends with status 0,
or with the one that a comment ``# exit N`` behind it names. The lines below a command are in what it prints, in that
order, with other lines between them: numbers, digests and times may differ, and blanks count as one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/README.md"))
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIES = re.compile(r"-?\b(?:[0-9a-f]{8,}|\d[\d.:,TZ-]*)")


def commands(folder: Path) -> list[tuple[str, int, list[str]]]:
    """Each command of the README with its exit status and the lines that it shows."""
    (block,) = BLOCK.findall((folder / "README.md").read_text(encoding="utf-8"))
    found: list[tuple[str, int, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            command, _, comment = line[2:].partition("  # exit ")
            found.append((command.rstrip(), int(comment or 0), []))
        elif line.strip():
            found[-1][2].append(line)
    return found


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    return " ".join(VARIES.sub("#", line).split())


def first_absent(wanted: list[str], said: str) -> str | None:
    """The first of the lines that does not come in what was said, after those before it."""
    rest = iter([plain(line) for line in said.splitlines()])
    return next((line for line in wanted if plain(line) not in rest), None)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_does_what_its_page_shows(folder, home):
    copy = home / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("storage", "registry", "__pycache__"))
    (home / "home").mkdir()
    surroundings = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    for command, status, shown in commands(folder):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=copy,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == status, f"$ {command}\n{done.stdout}"
        assert first_absent(shown, done.stdout) is None, f"$ {command}\n{done.stdout}"


def test_a_messy_file_takes_four_commands_and_no_edit():
    assert [command.split()[:2] for command, _, _ in commands(EXAMPLES / "churn")] == [
        ["noa", "show"],
        ["noa", "init"],
        ["noa", "run"],
        ["noa", "show"],
    ]


def test_every_example_is_small_and_comes_without_results():
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "examples"], cwd=EXAMPLES.parent, capture_output=True, check=False
    )
    paths = [EXAMPLES.parent / name for name in tracked.stdout.decode().split("\0") if name]
    assert [path for path in paths if path.stat().st_size > 150_000] == []
    assert [path for path in paths if {"storage", "registry"} & set(path.parts)] == []
