"""How the command line speaks: text for people, one JSON document for machines, errors in one or two lines."""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli.workflow_commands import annotation, disarmed, disarmed_json
from noa_mlops.errors import Problem
from noa_mlops.records.masking import masked
from noa_mlops.records.threshold_text import threshold_text

if TYPE_CHECKING:
    from noa_mlops.audit.ci_reports import Check

LABEL = 11
"""Width of the column in which labels stand."""


def say(text: str = "") -> None:
    """A line for people, on standard output; control characters of foreign text are made visible."""
    click.echo(visible(text))


def note(text: str) -> None:
    """A line for people that is not the answer: on standard error."""
    click.echo(visible(text), err=True)


def emit(document: object) -> None:
    """The answer for machines: one JSON document."""
    click.echo(_document(document, indent=2))


def emit_line(document: object) -> None:
    """One document of a stream, on one line, at once."""
    click.echo(_document(document))
    sys.stdout.flush()


def _document(document: object, indent: int | None = None) -> str:
    text = json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False)
    return disarmed_json(text) if _on_github() else text


def annotate(checks: Iterable[Check]) -> None:
    """On GitHub, show what does not hold at its line; nothing anywhere else."""
    for check in checks if _on_github() else ():
        if check.problem is not None:
            click.echo(annotation(replace(check, problem=masked(check.problem))), err=True)


def _on_github() -> bool:
    """Whether a runner of GitHub reads what is written, and obeys some of it."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def field(label: str, value: object) -> None:
    """A labelled line."""
    say(f"{label:<{LABEL}} {value}")


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> None:
    """Columns, left-aligned, two spaces apart."""
    cells = [tuple(heads), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(heads))]
    for row in cells:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def size(rows: int, columns: int) -> str:
    """How large a table is, in words."""
    words = (f"{count} {one if count == 1 else f'{one}s'}" for count, one in ((rows, "row"), (columns, "column")))
    return ", ".join(words)


def share(count: int, rows: int) -> str:
    """How much of ``rows`` a ``count`` is; what is there is never shown as nothing, nor what is missing as all."""
    percent = 100 * count / rows
    return "< 1 %" if 0 < percent < 1 else f"{percent:.0f} %" if percent <= 99 or count == rows else "> 99 %"


def status(word: str) -> str:
    """A state, coloured on a terminal unless NO_COLOR is set (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return word.upper()
    colours = {
        **dict.fromkeys(("champion", "ready", "bit-equal", "equal"), "green"),
        **dict.fromkeys(("rejected", "failed", "blocked", "different"), "red"),
    }
    return click.style(word.upper(), fg=colours.get(word, "yellow"), bold=True)


def rollout(lifecycle: Mapping[str, Any]) -> str:
    """Whether a lifecycle's champion may be rolled out, as a state; one without champion has nothing to roll out."""
    word = lifecycle["rollout"]["status"]
    return status("no champion" if lifecycle["champion"] is None and word == "ready" else word)


def overridden(told: Mapping[str, Any] | None) -> str:
    """By whose word a champion is in force against the gate's; nothing when by a decision."""
    if told is None:
        return ""
    ends = f"expired {told['expires']}, the rollout is blocked" if told["expired"] else f"until {told['expires']}"
    return f"by override, entry {told['entry']}, {ends}: {foreign(told['reason'])}"


def deployed(made: Mapping[str, Any]) -> str:
    """What runs in a target, since when, and by whose word."""
    other = "" if made["champion"] else ", not the champion"
    by = ", ".join(key[:16] for key in made["by"])
    return f"@{made['version']} in {made['target']}{other}   {made['ts']}   entry {made['entry']} by {by}"


def approvals(waits: Mapping[str, Any] | None) -> str:
    """How far a version that waits for approval has come; nothing for one that does not."""
    return "" if waits is None else f"{len(waits['approved'])} of {waits['required']} approvals"


def number(value: float | None) -> str:
    """A metric as people read it; a dash when it could not be computed."""
    return "-" if value is None else f"{value:.4g}"


def short(value: object) -> str:
    """A value of a plan as people read it, numbers in short."""
    return number(value) if isinstance(value, float) else foreign(str(value))


def visible(text: str) -> str:
    """Text in which no control character can move the cursor or hide anything; our own colours pass.

    On GitHub it is no command for the runner either.
    """
    text = disarmed(text) if _on_github() else text
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in "\n\x1b" else repr(character)[1:-1] for character in text
    )


def foreign(text: str) -> str:
    """Text that somebody else wrote, with every control character made visible, escape sequences too."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def error(
    message: str, hint: str | None, code: int, *, as_json: bool = False, problems: Iterable[Problem] = ()
) -> None:
    """An error: what, where, what to do next; secrets in what it quotes are masked."""
    listed = tuple(problems)
    if as_json:
        said = [{name: _masked(value) for name, value in asdict(problem).items()} for problem in listed]
        emit({"error": masked(message), "hint": hint, "exit": code, "problems": said})
        return
    if listed:
        for problem in listed:
            note(foreign(masked(str(problem))))
        note(f"{len(listed)} error{'s' if len(listed) != 1 else ''}, nothing was run")
        return
    note(foreign(masked(f"noa: {message}")))
    if hint:
        note(foreign(f"     {hint}"))


def _masked(value: object) -> object:
    return masked(value) if isinstance(value, str) else value


def system_error(problem: OSError) -> tuple[str, str, int]:
    """Message, hint and exit status for an error of the operating system."""
    where = f" ({problem.filename})" if problem.filename else ""
    message = f"{problem.strerror or problem}{where}"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return message, "Free some space and run the same command again: nothing acknowledged is lost.", 5
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return message, f"This process runs as user {os.geteuid()}; 'noa doctor' shows modes and owners.", 5
    if problem.errno in (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return (
            message,
            "The disk, the memory or the limit on open files failed this command: mend it and run it again.",
            5,
        )
    return message, "Run the command again with --debug for the place.", 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def reached(metrics: Mapping[str, float | None], thresholds: Mapping[str, Any], name: str) -> None:
    """The metrics that have a threshold, or all when none has, after an empty line; ``name`` is where the rest is shown."""
    if not metrics:
        return
    shown = {metric: metrics.get(metric) for metric in thresholds} or metrics
    say()
    table(metric_rows(shown, thresholds), ("metric", "value", "threshold"))
    if more := len(metrics) - len(shown):
        say(f"{more} more measured: noa show {name}")


def metric_rows(metrics: Mapping[str, float | None], thresholds: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Metric, value, threshold: those with a threshold first."""
    ordered = [*thresholds, *(name for name in metrics if name not in thresholds)]
    return [(name, number(metrics.get(name)), threshold_text(thresholds.get(name))) for name in ordered]
