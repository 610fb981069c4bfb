"""``noa demo``: the whole procedure on real data, from nothing to a champion, through drift and back, and audited."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import options, output
from noa_mlops.errors import LedgerConflict
from noa_mlops.records.layout import Layout

if TYPE_CHECKING:
    from noa_mlops.demo import Chapter


@click.command(epilog="Example: noa demo -C /tmp/demo")
@options.dry_run
@options.common
def demo(folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """The whole story on weather data in ./demo: promotion, harmless drift, real drift, the way out, audit.

    Every step is a command that is shown as it could be typed. Where ./demo is taken, the next free ./demo-N is used.
    """
    from noa_mlops.demo import STORY, lay_out

    target = _free(folder).absolute()
    if dry_run:
        if as_json:
            output.emit({"folder": str(target), "dry_run": True})
        else:
            output.say(f"would make a demo project in {output.foreign(str(target))}; nothing was written")
        return 0
    lay_out(Layout.of(target))
    told = []
    for chapter in STORY:
        told.append(_tell(chapter, target, as_json=as_json))
        if told[-1]["status"] != chapter.status:
            break
    as_it_goes = [one["status"] for one in told] == [chapter.status for chapter in STORY]
    if as_json:
        output.emit({"folder": str(target), "steps": told, "complete": as_it_goes})
        return 0 if as_it_goes else 1
    where = output.foreign(str(target))
    if not as_it_goes:
        output.say(f"the story broke off: the last command should have ended with {STORY[len(told) - 1].status}")
    output.field("Look", f"noa show rainfall -C {where}")
    output.field("", f"noa show rainfall@3 -C {where}")
    output.field("", f"jq . {output.foreign(str(Layout.of(target).ledger))}")
    return 0 if as_it_goes else 1


def _free(folder: Path) -> Path:
    """The folder that is named, else the first of demo, demo-2, ... without a project. Raises `LedgerConflict`."""
    if folder == Path():
        names = (folder / ("demo" if number == 1 else f"demo-{number}") for number in count(1))
        return next(path for path in names if not Layout.of(path.absolute()).ledger.exists())
    if Layout.of(folder.absolute()).ledger.exists():
        raise LedgerConflict(
            f"there is a project in {folder} already", hint="Name a folder that is empty or not there: noa demo -C DIR"
        )
    return folder


def _tell(chapter: Chapter, target: Path, *, as_json: bool) -> dict[str, Any]:
    """Run one command as it would be typed; what it was, how it ended, and with JSON what it said."""
    from noa_mlops.cli.app import main

    arguments = [*chapter.arguments, "-C", str(target)]
    command = shlex.join(("noa", *chapter.arguments))
    if not as_json:
        output.say(f"--- {chapter.title}: {command}")
        status = main(arguments)
        output.say()
        return {"title": chapter.title, "command": command, "status": status}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        status = main([*arguments, "--json"])
    return {"title": chapter.title, "command": command, "status": status, "said": json.loads(said.getvalue())}
