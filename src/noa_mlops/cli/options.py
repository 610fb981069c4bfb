"""What every command shares: the project folder, ``--json``, ``--debug``, and how LIFECYCLE[@N] is read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from noa_mlops.cli import output
from noa_mlops.errors import NotFound
from noa_mlops.records.layout import Layout
from noa_mlops.records.names import name_problem
from noa_mlops.records.reading.fields import FieldInvalid
from noa_mlops.records.reading.quantities import read_duration

if TYPE_CHECKING:
    from noa_mlops.audit.ci_reports import Check

MAX_FILE = 1 << 18
"""Largest file, in bytes, that an option may name."""

_F = TypeVar("_F", bound=Callable[..., Any])


def common(function: _F) -> _F:
    """The options of every command: ``-C DIR``, ``--json``, ``--debug``."""
    function = click.option(
        "-C", "folder", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="The project folder."
    )(function)
    function = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)
    return click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback on errors.")(function)


def dry_run(function: _F) -> _F:
    """The option of every command that writes."""
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")(function)


def ci_reports(function: _F) -> _F:
    """The options of commands that CI runs: ``--junit FILE`` and ``--sarif FILE``; `tell_ci` writes them."""
    kind = click.Path(path_type=Path)
    function = click.option("--sarif", type=kind, metavar="FILE", help="Write SARIF 2.1.0 for code scanning.")(function)
    return click.option("--junit", type=kind, metavar="FILE", help="Write JUnit XML for a job's test report.")(function)


def tell_ci(
    suite: str, checks: Sequence[Check], folder: Path, junit: Path | None = None, sarif: Path | None = None
) -> None:
    """Tell CI what was checked: in the files that were asked for, and on GitHub by annotations of what does not hold.

    ``folder`` is that of the project, which the files of the checks are relative to. Folders are made. Raises `OSError`.
    """
    from noa_mlops.audit import ci_reports
    from noa_mlops.ledger.ledger import now

    placed = [replace(check, file=_in_checkout(folder, check.file)) for check in checks]
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_bytes(ci_reports.junit(suite, placed, now()))
    if sarif is not None:
        sarif.parent.mkdir(parents=True, exist_ok=True)
        sarif.write_bytes(ci_reports.sarif(placed))
    output.annotate(placed)


def _in_checkout(folder: Path, file: str) -> str:
    """A file of the project as CI names it: from the top of its checkout, where the project may be a folder of it."""
    top = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR")
    inside = top and folder.absolute().is_relative_to(top) and not os.path.isabs(file)
    return os.path.relpath(folder.absolute() / file, top) if inside else file


def project(folder: Path) -> Layout:
    """The layout of an existing project folder. Raises `NotFound` where there is none."""
    layout = Layout.of(folder.absolute())
    if _begun(layout):
        return layout
    around = next((parent for parent in layout.project.parents if _begun(Layout.of(parent))), None)
    raise NotFound(
        f"{layout.project} is no project: it has no {layout.ledger.relative_to(layout.project)}",
        hint="Run 'noa init' there, or name the project folder with -C DIR."
        if around is None
        else f"It lies in the project {around}: go there, or name it with -C {around}.",
    )


def _begun(layout: Layout) -> bool:
    """Whether there is a ledger, or the checkpoints of one that was lost."""
    return layout.ledger.exists() or layout.log_checkpoints.exists()


def address(text: str) -> tuple[str, int | None]:
    """``LIFECYCLE`` or ``LIFECYCLE@N``. Raises `click.BadParameter`."""
    found = re.fullmatch(r"([^@]+)(?:@([1-9][0-9]{0,9}))?", text)
    if found is None or name_problem(found[1]) is not None:
        raise click.BadParameter(f"{text!r} is not LIFECYCLE or LIFECYCLE@N")
    return found[1], int(found[2]) if found[2] else None


def read(file: Path) -> bytes:
    """The content of a small file that the caller named. Raises `click.BadParameter`."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be read ({error.strerror})") from error
    if len(data) > MAX_FILE:
        raise click.BadParameter(f"{file} is larger than {MAX_FILE} bytes")
    return data


def duration(text: str) -> int:
    """Seconds, from text like ``12h`` or ``7d``. Raises `click.BadParameter`."""
    try:
        return read_duration(text)
    except FieldInvalid as error:
        raise click.BadParameter(f"{text!r}: {error}") from error
