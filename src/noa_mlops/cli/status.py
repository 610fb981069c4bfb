"""``noa status``: every lifecycle in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from noa_mlops.cli import options, output

WRONG = frozenset({"interrupted", "failed", "rejected", "inconclusive"})
"""States of a newest version of which the doctor has something to say."""


@click.command(epilog="Example: noa status --json")
@options.common
def status(folder: Path, *, as_json: bool) -> int:
    """Show each lifecycle: its champion, its rollout, its newest versions."""
    from noa_mlops.audit.views import project_view
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.presence import presence_of

    layout = options.project(folder)
    view = {**project_view(Ledger.read_only(layout)), "loop": presence_of(layout)}
    if as_json:
        output.emit(view)
        return 0
    for lifecycle in view["lifecycles"]:
        champion = lifecycle["champion"]
        name = f"   champion @{champion['version']}" if champion else ""
        output.say(f"{output.rollout(lifecycle)}  {lifecycle['lifecycle_id']}{name}")
        if (incident := lifecycle["rollout"]["incident"]) is not None:
            output.say(f"  incident, entry {incident['entry']}; next: {incident['next'][0]}")
        if override := output.overridden(lifecycle["rollout"]["override"]):
            output.say(f"  champion {override}")
        for made in lifecycle["rollout"]["deployed"]:
            output.say(f"  {output.deployed(made)}")
        for version in lifecycle["versions"]:
            waits = output.approvals(version["approvals"])
            output.say(
                f"  @{version['version']:<5} {version['state']:<13} {version['profile']}{waits and '   ' + waits}"
            )
        if lifecycle["versions"][0]["state"] in WRONG:
            output.say("  the newest version did not get there; why, and what next: noa doctor")
    if not view["lifecycles"]:
        output.say("no lifecycle yet; next: noa run plans/PLAN.yaml")
    if view["loop"] is not None:
        _tell_loop(view["loop"])
    mode = "   solo mode: one person holds every role" if view["solo_mode"] else ""
    output.say(f"{view['entries']} entries{mode}")
    return 0


def _tell_loop(loop: Mapping[str, Any]) -> None:
    """What the loop of the project is doing, and what it waits for."""
    doing = output.foreign(str(loop["doing"])) if loop["doing"] else "nothing is due"
    output.say(f"noa operate runs as process {loop['pid']} since {loop['since']}: {doing}")
    for name, why in loop["waits"].items():
        output.say(output.foreign(f"  {name} waits: {why}"))
