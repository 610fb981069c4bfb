"""``noa init``: a project in this folder, and a first plan for a data file that nobody has described."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.first_plan import document, show
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.layout import Layout

if TYPE_CHECKING:
    from noa_mlops.lifecycle.beginning import Beginning
    from noa_mlops.lifecycle.ci import System


@click.command(epilog="Example: noa init --data data/customers.csv --target churned")
@click.option("--data", metavar="FILE", help="A data file of the project: describe it and write a first plan.")
@click.option("--target", metavar="COLUMN", help="The column of FILE to predict.")
@click.option("--ci", type=click.Choice(["github", "gitlab"]), help="Add the jobs of cicd/ml and what triggers them.")
@options.dry_run
@options.common
def init(folder: Path, data: str | None, target: str | None, ci: System | None, *, dry_run: bool, as_json: bool) -> int:
    """Make a project: folders, policy, keys outside it, the genesis entry. Nothing is overwritten.

    With --data and --target, all rows of the file are looked at: its format, types, keys, times, and features that
    give the answer away. What was found becomes a dataset definition beside the file, and a first plan.
    """
    layout = Layout.of(folder.absolute())
    beginning = _begin(layout, data, target)
    if dry_run:
        return _would(layout, beginning, as_json=as_json)
    told = _found(layout)
    told["created"] += _jobs(layout, ci, told["origin"])
    written = beginning.write() if beginning is not None else ()
    if as_json:
        output.emit(told if beginning is None else {**told, **document(layout, beginning, written)})
        return 0
    output.say(f"project {output.foreign(str(layout.project))}")
    created = ", ".join(told["created"])
    output.field("Created", created or "nothing: everything is there")
    output.field("Origin", told["origin"])
    output.field("", "give this line to everyone who will check your evidence: it is where trust starts")
    if told["solo_mode"]:
        output.field("Solo mode", "one person holds every role; every verdict says so")
    if beginning is None:
        output.field(
            "Next", "noa init --data FILE --target COLUMN, or write plans/NAME.yaml and: noa run plans/NAME.yaml"
        )
    else:
        show(layout, beginning, written)
    return 0


def _jobs(layout: Layout, ci: System | None, origin: str) -> list[str]:
    """Write the jobs of a CI system; what was written. Says which files were there already, as other ones."""
    if ci is None:
        return []
    from noa_mlops.lifecycle.ci import write_jobs

    found = {str(path.relative_to(layout.project)): new for path, new in write_jobs(layout, ci, origin)}
    for path in (path for path, new in found.items() if not new):
        output.note(f"{path} was there and stays as it is")
    return [path for path, new in found.items() if new]


def _begin(layout: Layout, data: str | None, target: str | None) -> Beginning | None:
    """What follows from the data, before anything is written. Raises `click.UsageError` for half a wish."""
    if data is None:
        if target is not None:
            raise click.UsageError("--target names a column of --data FILE")
        return None
    from noa_mlops.lifecycle.beginning import begin, columns

    _check_place(layout, data)
    if target is None:
        raise click.UsageError(f"name the column to predict with --target; {data} has {columns(layout, data)}")
    return begin(layout, data, target)


def _check_place(layout: Layout, data: str) -> None:
    """Say how a file that lies here, but not in the project, gets there. Raises `DatasetInvalid`."""
    if not Path(data).is_file() or Path(data).absolute().is_relative_to(layout.project):
        return
    if Path(data).is_absolute() or not (layout.project / data).exists():
        raise DatasetInvalid(
            f"{data}: lies outside the project {layout.project}",
            hint=f"Copy it into the project and name it there: cp {shlex.quote(data)} {shlex.quote(f'{layout.project}/')}",
        )


def _found(layout: Layout) -> dict[str, Any]:
    """Make the project; what was made."""
    from noa_mlops.agents import AgentFactory, RuntimeManager
    from noa_mlops.lifecycle.bootstrap import open_orchestrator
    from noa_mlops.lifecycle.founding import found_project

    layout.project.mkdir(parents=True, exist_ok=True)
    founded = found_project(layout)
    policy = founded.ledger.state.policy
    founded.ledger.close()
    open_orchestrator(layout, AgentFactory(), RuntimeManager()).close()
    return {
        "origin": founded.ledger.origin,
        "created": [str(path.relative_to(layout.project)) for path in founded.created],
        "solo_mode": policy is not None and policy.solo_mode,
    }


def _would(layout: Layout, beginning: Beginning | None, *, as_json: bool) -> int:
    if as_json:
        found = {} if beginning is None else document(layout, beginning, None)
        output.emit({"folder": str(layout.project), "dry_run": True, **found})
        return 0
    output.say(f"would make a project in {output.foreign(str(layout.project))}; nothing was written")
    if beginning is not None:
        show(layout, beginning, None)
    return 0
