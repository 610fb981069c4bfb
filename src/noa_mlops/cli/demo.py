"""``noa demo``: the main job on real data, from nothing to a champion and a rejected challenger."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.run import execute, show_report
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan


@click.command(epilog="Example: noa demo -C /tmp/demo")
@options.dry_run
@options.common
def demo(folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Train, verify and promote a model on weather data in the folder ./demo, then see a worse one rejected."""
    from noa_mlops.agents import RuntimeManager
    from noa_mlops.audit import verify
    from noa_mlops.demo import lay_out

    target = (folder / "demo" if folder == Path() else folder).absolute()
    if dry_run:
        if as_json:
            output.emit({"folder": str(target), "dry_run": True})
        else:
            output.say(f"would make a demo project in {output.foreign(str(target))}; nothing was written")
        return 0
    layout = Layout.of(target)
    good, worse = lay_out(layout)
    reports, runtime = [], RuntimeManager()
    for title, plan in (("A first model", good), ("A worse challenger", worse)):
        if not as_json:
            output.say(f"--- {title}: noa run {plan.relative_to(target)}")
        report = execute(layout, TrainingPlan.load(plan), quiet=as_json, runtime=runtime)
        reports.append(report)
        if not as_json:
            show_report(report)
            output.say()
    checked = verify(layout)
    as_told = [report.state for report in reports] == ["champion", "rejected"] and checked.holds
    if as_json:
        output.emit(
            {"folder": str(target), "runs": [report.to_document() for report in reports], "verified": checked.holds}
        )
        return 0 if as_told else 1
    output.say(f"--- The evidence: noa verify -C {output.foreign(str(target))}")
    for finding in checked.findings:
        output.say(output.foreign(str(finding)))
    output.say(f"{'verified' if checked.holds else 'NOT verified'}: {checked.entries} entries, {checked.sealed} sealed")
    output.field("Origin", checked.origin)
    output.field("Look", f"noa show {reports[0].address} -C {output.foreign(str(target))}")
    output.field("", f"jq . {output.foreign(str(layout.ledger))}")
    return 0 if as_told else 1
