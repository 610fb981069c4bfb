"""``noa show``: a lifecycle, one version with its evidence, or a data file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.show_data import names_data, show_data
from noa_mlops.cli.show_then import show_then
from noa_mlops.cli.show_version import show_no_gate, show_override, show_version


@click.command(epilog="Example: noa show rainfall@1")
@click.argument("name", metavar="LIFECYCLE[@N]|FILE")
@click.option("--at", metavar="TIME", help="Which model was in force then: 2026-11-01T12:00Z.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write the report of a version as one page."
)
@options.common
def show(name: str, at: str | None, html: Path | None, folder: Path, *, as_json: bool) -> int:
    """Show a lifecycle, or one version: metrics with their intervals beside thresholds, data, agents, entries.

    Of a data file or dataset definition: rows, and for each column its type, missing values, range or levels. With --at:
    which version of a lifecycle was in force then, who decided it, and on which data.
    """
    if html is not None and (at is not None or names_data(name, folder) or options.address(name)[1] is None):
        raise click.UsageError("--html is the report of a version: noa show LIFECYCLE@N --html FILE")
    if at is not None:
        return show_then(name, at, folder, as_json=as_json)
    if names_data(name, folder):
        return show_data(name, folder, as_json=as_json)
    from noa_mlops.audit.diagnosing import diagnosis_view
    from noa_mlops.audit.version_page import version_page
    from noa_mlops.audit.views import lifecycle_view, version_view
    from noa_mlops.ledger import Ledger

    lifecycle_id, version = options.address(name)
    ledger = Ledger.read_only(options.project(folder))
    if version is None:
        view = lifecycle_view(ledger, lifecycle_id)
        printer = _show_lifecycle
    else:
        view = version_view(ledger, lifecycle_id, version)
        printer = show_version
        if html is not None:
            view["diagnosis"] = diagnosis_view(ledger, lifecycle_id, version)
            html.write_text(version_page(view), encoding="utf-8")
    if as_json:
        output.emit(view)
    else:
        printer(view)
    return 0


def _show_lifecycle(view: Mapping[str, Any]) -> None:
    champion = view["champion"]
    output.say(f"{output.rollout(view)}  {view['lifecycle_id']}")
    output.say()
    if champion is None:
        output.field("Champion", "none")
    else:
        output.field("Champion", f"@{champion['version']}   {champion['profile']}   sha256 {champion['checksum']}")
        since = champion["since"]
        words = {"RolledBack": ", brought back", "RolloutEnabled": ", enabled", "Overridden": ", by override"}
        how = words.get(since["type"], "")
        output.field("Since", f"{since['ts']}   entry {since['seq']}{how}")
        show_no_gate(champion)
        show_override(view["rollout"]["override"])
        output.reached(champion["metrics"], champion["thresholds"], f"{view['lifecycle_id']}@{champion['version']}")
        _show_proven(champion["proven"])
    for made in view["rollout"]["deployed"]:
        output.field("Runs", output.deployed(made))
    _show_incident(view)
    output.say()
    rows = [(f"@{version['version']}", version["state"], version["profile"]) for version in view["versions"]]
    output.table(rows, ("version", "state", "profile"))


def _show_proven(proven: Mapping[str, Any]) -> None:
    """Beyond what no later version may fall, whatever the champions in between."""
    for name, gain in proven.items():
        output.field("Proven", f"{name} by @{gain['version']}; later versions are held to {gain['limit']:.4g}")


def _show_incident(view: Mapping[str, Any]) -> None:
    """What blocks the rollout, and what comes next."""
    incident = view["rollout"]["incident"]
    if incident is None:
        return
    looked = incident["investigated"]
    how = "nobody has investigated it" if looked is None else f"investigated by entry {looked}"
    output.field("Incident", f"entry {incident['entry']}; {how}")
    for place, command in enumerate(incident["next"]):
        output.field("" if place else "Next", command)
