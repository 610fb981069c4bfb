"""``noa init``: a project in this folder."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output
from noa_mlops.records.layout import Layout


@click.command(epilog="Example: noa init -C churn")
@options.dry_run
@options.common
def init(folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Make a project: folders, policy, keys outside it, the genesis entry. Nothing is overwritten."""
    layout = Layout.of(folder.absolute())
    if dry_run:
        if as_json:
            output.emit({"folder": str(layout.project), "dry_run": True})
        else:
            output.say(f"would make a project in {output.foreign(str(layout.project))}; nothing was written")
        return 0
    from noa_mlops.agents import AgentFactory, RuntimeManager
    from noa_mlops.lifecycle.bootstrap import open_orchestrator
    from noa_mlops.lifecycle.founding import found_project

    layout.project.mkdir(parents=True, exist_ok=True)
    founded = found_project(layout)
    created = [str(path.relative_to(layout.project)) for path in founded.created]
    solo = founded.ledger.state.policy is not None and founded.ledger.state.policy.solo_mode
    founded.ledger.close()
    open_orchestrator(layout, AgentFactory(), RuntimeManager()).close()
    if as_json:
        output.emit({"origin": founded.ledger.origin, "created": created, "solo_mode": solo})
        return 0
    output.say(f"project {output.foreign(str(layout.project))}")
    output.field("Created", ", ".join(created) if created else "nothing: everything is there")
    output.field("Origin", founded.ledger.origin)
    output.field("", "give this line to everyone who will check your evidence: it is where trust starts")
    if solo:
        output.field("Solo mode", "one person holds every role; every verdict says so")
    output.field("Next", "write plans/NAME.yaml, then: noa run plans/NAME.yaml")
    return 0
