"""``noa drift``: did the data move away from those that the champion was made on?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    import pyarrow as pa

    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.lifecycle.asking import Ask
    from noa_mlops.lifecycle.scanning import Scan
    from noa_mlops.records.layout import Layout


@click.command(epilog="Example: noa drift rainfall --current data/november.parquet")
@click.argument("lifecycle_id", metavar="[LIFECYCLE]", required=False)
@click.option("--current", metavar="DATASET", help="The data of now: a file or a definition; else those of noa.yaml.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page with pictures as well.")
@click.option("--all", "everything", is_flag=True, help="Show the columns that hardly moved as well.")
@options.ci_reports
@options.dry_run
@options.common
def drift(  # noqa: PLR0913 - one for each option
    lifecycle_id: str | None,
    current: str | None,
    html: Path | None,
    junit: Path | None,
    sarif: Path | None,
    folder: Path,
    *,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Scan new data against those that the champion was made on; record it, and block the rollout when it must be.

    Without --current the data that the schedule of noa.yaml names are scanned, of one lifecycle or of all: a data file each
    time, of a name with * the files that were not scanned yet. --html is the page of the worst scan then.
    """
    from noa_mlops.audit.reports import append_drift_report

    name, version = options.address(lifecycle_id) if lifecycle_id is not None else (None, None)
    if version is not None:
        raise click.BadParameter(f"name the lifecycle: its champion is scanned for, noa drift {name}")
    layout = options.project(folder)
    if current is None:
        from noa_mlops.cli.drift_scheduled import Ways, scan_scheduled

        ways = Ways(scanner(layout, dry_run=dry_run), partial(tell, everything=everything), partial(checks_of, layout))
        written = {"html": html, "junit": junit, "sarif": sarif}
        return scan_scheduled(layout, name, written, ways, dry_run=dry_run, as_json=as_json)
    if name is None:
        raise click.UsageError("--current DATASET is scanned for one lifecycle: noa drift LIFECYCLE --current DATASET")
    scan = scanner(layout, dry_run=dry_run)(name, current)
    if not dry_run:
        append_drift_report(layout, scan.to_document())
    if html is not None:
        from noa_mlops.audit.pages import scan_page

        html.write_text(scan_page(f"{name}@{scan.champion}", current, scan.report), encoding="utf-8")
    options.tell_ci(f"drift of {name}", checks_of(layout, scan), layout.project, junit, sarif)
    if as_json:
        output.emit(scan.to_document())
    else:
        tell(scan, everything=everything)
    return 3 if scan.rollout == "blocked" else 0


def scanner(layout: Layout, *, dry_run: bool = False) -> Callable[[str, str], Scan]:
    """Scans the data at a path for the champion of a lifecycle, and records it, but in a dry run."""
    from noa_mlops.lifecycle.scanning import scan_drift, try_scan

    one = try_scan if dry_run else scan_drift
    return lambda name, path: one(layout, name, path, answer=answers_by(layout, name))


def checks_of(layout: Layout, scan: Scan) -> list[Check]:
    """What was checked: data that moved and do not hurt are no finding, and the first suspect window only warns."""
    from noa_mlops.audit.ci_reports import drift_checks
    from noa_mlops.audit.plan_places import plan_about

    labels = scan.asked.labels
    worse = [] if labels is None else [(metric.metric, metric.why) for metric in labels.hurting]
    name, path = f"{scan.lifecycle_id}@{scan.champion}", str(scan.dataset["path"])
    checks = drift_checks(name, path, scan.report, worse, plan_about(layout.project, scan.lifecycle_id))
    if scan.verdict == "pass":
        return [replace(check, problem=None) for check in checks]
    return [replace(check, level="error" if scan.rollout == "blocked" else "warning") for check in checks]


def answers_by(layout: Layout, name: str) -> Ask:
    """Asks the champion, loaded and checked only when there is something to ask."""

    def answer(features: pa.Table) -> pa.Table:
        from noa_mlops.delivery import load

        return load(name, layout.project).answers(features)

    return answer


def tell(scan: Scan, *, everything: bool) -> None:
    """A scan for people: what moved, what follows, what to do next."""
    from noa_mlops.cli import drifting

    word = "blocked" if scan.rollout == "blocked" else "suspect" if scan.suspect else "ready"
    since = f"   since entry {scan.incident}" if scan.incident is not None else ""
    output.say(f"{output.status(word)}  {scan.lifecycle_id}   champion @{scan.champion}{since}")
    output.say()
    path = output.foreign(str(scan.dataset["path"]))
    output.field("Scanned", f"{path}   {scan.report.rows[1]} rows, against {scan.report.rows[0]} of the training")
    output.field("Verdict", scan.verdict + _why(scan))
    _tell_asked(scan)
    output.say()
    drifting.tell(scan.report, everything=everything)
    if scan.rollout == "blocked":
        output.say()
        output.field("Safe now", f"@{scan.champion} keeps serving; nothing new is rolled out")
        _tell_next(scan.lifecycle_id, first=3 if scan.investigated else 1)
    recorded = "nothing was recorded" if scan.entry is None else f"entry {scan.entry}"
    output.field("Evidence", f"{recorded}   exit {3 if scan.rollout == 'blocked' else 0}")


def _tell_asked(scan: Scan) -> None:
    """What the labels say of the champion, metric by metric; where they decide nothing, what may be expected."""
    from noa_mlops.cli import drifting

    asked = scan.asked
    if asked.problem is not None:
        output.field("Champion", f"could not be asked: {output.foreign(asked.problem)}")
    if asked.labels is not None:
        if asked.labels.problem is None and asked.labels.labelled.lack is not None:
            output.field("Labels", asked.labels.labelled.lack)
        drifting.tell_metrics(asked.labels.to_document(), "Labels")
    if asked.labels is None or asked.labels.finding == "undecided":
        for name, value in asked.expected.items():
            was = output.number(scan.then.get(name))
            output.field("Estimated", f"{name} {value:.4g}, was {was}: by its own probabilities, and so clears nothing")


def _tell_next(name: str, first: int) -> None:
    """The procedure, in its order, from the ``first`` step on that was not gone yet."""
    steps = {
        f"noa diff {name}": "what changed in the data",
        f'noa investigate {name} --finding "..."': "",
        "noa run PLAN": "retrain, measured on data of now; what passes is held",
        f'noa enable {name}@N --reason "..."': "",
    }
    for number, (command, words) in list(enumerate(steps.items(), start=1))[first - 1 :]:
        output.field(
            "Next" if number == first else "", f"{number}. {command:<{max(map(len, steps))}}  {words}".rstrip()
        )


def _why(scan: Scan) -> str:
    if scan.asked.labels is not None and scan.asked.labels.finding == "hurts":
        return ", and it hurts: the labels show it"
    if scan.verdict == "pass" and scan.report.outcome == "fail":
        return ": the data drifted, and the labels show that it does not hurt"
    if scan.blocks:
        return f", as entry {scan.confirms} had shown" if scan.confirms is not None else ", beyond doubt"
    return ": suspect; a second window like it would block" if scan.suspect else ""
