"""``noa profiles``: the kinds of agents, and what can be set for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa profiles sklearn-classifier")
@click.argument("name", required=False)
@options.common
def profiles(name: str | None, folder: Path, *, as_json: bool) -> int:
    """List agent profiles, or the hyperparameters of one."""
    from noa_mlops.agents import AgentFactory

    factory = AgentFactory()
    chosen = [factory.profile(name)] if name else list(factory.profiles().values())
    documents = [profile.to_document() for profile in chosen]
    if as_json:
        output.emit(documents[0] if name else documents)
        return 0
    if name is None:
        rows = [(item["name"], item["task"] or "any", output.foreign(item["summary"])) for item in documents]
        output.table(rows, ("profile", "task", "what it does"))
        return 0
    output.say(f"{name}: {output.foreign(documents[0]['summary'])}")
    output.say()
    output.table(
        [_row(parameter) for parameter in documents[0]["hyperparameters"]], ("hyperparameter", "default", "what it is")
    )
    return 0


def _row(parameter: Mapping[str, Any]) -> tuple[str, str, str]:
    default = "" if parameter["default"] in (None, {}) else json.dumps(parameter["default"]).strip('"')
    choices = f": {', '.join(map(str, parameter['choices']))}" if parameter["choices"] else ""
    return parameter["name"], default, f"{output.foreign(parameter['summary'])}{choices}"
