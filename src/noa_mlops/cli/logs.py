"""``noa logs``: what the agents of a version printed, and what the runtime did with them."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output
from noa_mlops.errors import NotFound
from noa_mlops.files import open_beneath
from noa_mlops.records.layout import Layout, agent_id, evaluator_id, predictor_id

FILES = ("controller.log", "stdout.log", "stderr.log")
"""The logs of an agent's workspace."""

TAIL = 256 << 10
"""Bytes shown from the end of each log."""


@click.command(epilog="Example: noa logs rainfall@2")
@click.argument("name", metavar="LIFECYCLE[@N]")
@options.common
def logs(name: str, folder: Path, *, as_json: bool) -> int:
    """Print the logs of a version's trainer, predictor and evaluator; control characters are made visible."""
    lifecycle_id, wanted = options.address(name)
    layout = options.project(folder)
    version = _version(layout, lifecycle_id, wanted)
    trainer = agent_id(lifecycle_id, version)
    found = {
        f"{agent}/{file}": text
        for agent in (trainer, predictor_id(trainer), evaluator_id(trainer))
        for file in FILES
        if (text := _read(layout.workspace(agent), file)) is not None
    }
    if not found:
        raise NotFound(f"there are no logs of {lifecycle_id}@{version}: its workspace is gone")
    if as_json:
        output.emit(found)
        return 0
    for title, text in found.items():
        output.say(f"== {title}")
        if text:
            output.say(output.foreign(text.rstrip("\n")))
    return 0


def _version(layout: Layout, lifecycle_id: str, wanted: int | None) -> int:
    """The version asked for, by default the newest. Raises `NotFound` when there is none."""
    from noa_mlops.audit.views import lifecycle_view, version_view
    from noa_mlops.ledger import Ledger

    ledger = Ledger.read_only(layout)
    if wanted is not None:
        version_view(ledger, lifecycle_id, wanted)
        return wanted
    newest: int = lifecycle_view(ledger, lifecycle_id)["versions"][0]["version"]
    return newest


def _read(workspace: Path, name: str) -> str | None:
    try:
        with open_beneath(workspace, name) as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL))
            return stream.read(TAIL).decode(errors="replace")
    except FileNotFoundError:
        return None
