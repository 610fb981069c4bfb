"""``noa status``: every lifecycle in a few lines."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa status --json")
@options.common
def status(folder: Path, *, as_json: bool) -> int:
    """Show each lifecycle: its champion, its rollout, its newest versions."""
    from noa_mlops.audit.views import project_view
    from noa_mlops.ledger import Ledger

    layout = options.project(folder)
    view = project_view(Ledger.read_only(layout))
    if as_json:
        output.emit(view)
        return 0
    for lifecycle in view["lifecycles"]:
        champion = lifecycle["champion"]
        name = f"   champion @{champion['version']}" if champion else ""
        output.say(f"{output.rollout(lifecycle)}  {lifecycle['lifecycle_id']}{name}")
        if override := output.overridden(lifecycle["rollout"]["override"]):
            output.say(f"  champion {override}")
        for made in lifecycle["deployed"]:
            output.say(f"  {output.deployed(made)}")
        for version in lifecycle["versions"]:
            waits = output.approvals(version["approvals"])
            output.say(
                f"  @{version['version']:<5} {version['state']:<13} {version['profile']}{waits and '   ' + waits}"
            )
    if not view["lifecycles"]:
        output.say("no lifecycle yet; next: noa run plans/PLAN.yaml")
    mode = "   solo mode: one person holds every role" if view["solo_mode"] else ""
    output.say(f"{view['entries']} entries{mode}")
    return 0
