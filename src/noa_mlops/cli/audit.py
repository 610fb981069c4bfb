"""``noa audit``: the checklist of the operating procedure."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.audit.checklist import Audit

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z)?", re.ASCII)


@click.command(epilog="Example: noa audit --since 2026-01-01 --until 2026-03-31T23:59:59Z")
@click.option("--since", metavar="TIME", help="Look at decisions from then on: 2026-01-01, or 2026-01-01T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Look at decisions up to then.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write it as one page as well.")
@options.common
def audit(since: str | None, until: str | None, html: Path | None, folder: Path, *, as_json: bool) -> int:
    """Go through the checklist: manifests, signatures, registry log, drift job, and the evidence behind them.

    Exit status 4 when an item or the evidence does not hold. Overrides, loosened floors and the like are notes.
    """
    from noa_mlops.audit.checklist import audit as check

    layout = options.project(folder)
    begin, end = _moment(since, "00:00:00"), _moment(until, "23:59:59")
    if begin is not None and end is not None and begin > end:
        raise click.BadParameter(f"the period ends before it begins: --since {begin} --until {end}")
    found = check(layout, since=begin, until=end)
    code = 0 if found.holds else 4
    if html is not None:
        from noa_mlops.audit.audit_page import audit_page
        from noa_mlops.ledger.ledger import now

        html.write_text(audit_page(found, now()), encoding="utf-8")
    if as_json:
        output.emit({**asdict(found), "holds": found.holds, "exit": code})
    else:
        _show(found)
    return code


def _moment(text: str | None, hour: str) -> str | None:
    """A time of the command line, in full. Raises `click.BadParameter`."""
    if text is None:
        return None
    moment = text if "T" in text else f"{text}T{hour}Z"
    if _TIME.fullmatch(text) is None or not _is_date(text[:10]):
        raise click.BadParameter(f"{text!r} is no time like 2026-01-01 or 2026-01-01T12:00:00Z")
    return moment


def _is_date(text: str) -> bool:
    """Whether the calendar has a day of that form."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _show(found: Audit) -> None:
    for item in found.items:
        output.say(f"{'ok  ' if item.holds else 'FAIL'}  {item.name:<10} {item.what} ({item.asked} looked at)")
        for failure in item.failures:
            output.field("", output.foreign(failure))
    evidence = found.evidence
    word = "ok  " if evidence.holds else "FAIL"
    counted = f"{evidence.entries:,} entries, {evidence.decisions or 0:,} decisions computed again"
    output.say(f"{word}  {'evidence':<10} everything is what was signed ({counted})")
    for finding in evidence.findings:
        output.field("", output.foreign(str(finding)))
    for incident in found.incidents:
        output.field("Incident", output.foreign(str(incident)))
    for note in found.notes:
        output.field("Note", output.foreign(note))
