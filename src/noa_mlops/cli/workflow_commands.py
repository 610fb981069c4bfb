"""Workflow commands of GitHub Actions: lines of a job's output that the runner obeys.

Ours annotate a file of the checkout. Text of others must never become one: the runner obeys ``::name ...::`` at the start
of a line, and the older ``##[name ...]`` anywhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noa_mlops.audit.ci_reports import Check

_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def annotation(check: Check) -> str:
    """The command that shows a check that does not hold at its line."""
    properties = {
        "file": check.file,
        "line": str(check.line),
        "col": str(check.column),
        "title": f"noa: {check.name}",
    }
    told = ",".join(f"{name}={_escaped(value, _PROPERTY)}" for name, value in properties.items())
    return f"::{check.level} {told}::{_escaped(check.problem or '', _DATA)}"


def disarmed(text: str) -> str:
    """Text in which no line is a command, for people who read the log of a job."""
    return _COMMAND.sub(r"\1\\x3a", text).replace("##[", "\\x23#[")


def disarmed_json(text: str) -> str:
    """A JSON document that says the same, and in which no line is a command."""
    return text.replace("##[", "\\u0023#[")


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    shown = "".join(c if c.isprintable() or c in "\r\n" else repr(c)[1:-1] for c in text)
    return "".join(escapes.get(c, c) for c in shown)
