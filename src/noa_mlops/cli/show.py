"""``noa show``: a lifecycle, one version with its evidence, or a data file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.show_data import names_data, show_data
from noa_mlops.cli.show_then import show_then

if TYPE_CHECKING:
    from noa_mlops.records.verdict import Estimate


@click.command(epilog="Example: noa show rainfall@1")
@click.argument("name", metavar="LIFECYCLE[@N]|FILE")
@click.option("--at", metavar="TIME", help="Which model was in force then: 2026-11-01T12:00Z.")
@options.common
def show(name: str, at: str | None, folder: Path, *, as_json: bool) -> int:
    """Show a lifecycle, or one version: metrics beside thresholds, data, agents, entries.

    Of a data file or dataset definition: rows, and for each column its type, missing values, range or levels. With --at:
    which version of a lifecycle was in force then, who decided it, and on which data.
    """
    if at is not None:
        return show_then(name, at, folder, as_json=as_json)
    if names_data(name, folder):
        return show_data(name, folder, as_json=as_json)
    from noa_mlops.audit.views import lifecycle_view, version_view
    from noa_mlops.ledger import Ledger

    lifecycle_id, version = options.address(name)
    ledger = Ledger.read_only(options.project(folder))
    if version is None:
        view = lifecycle_view(ledger, lifecycle_id)
        printer = _show_lifecycle
    else:
        view = version_view(ledger, lifecycle_id, version)
        printer = _show_version
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
        _show_no_gate(champion)
        _show_override(view["rollout"]["override"])
        output.reached(champion["metrics"], champion["thresholds"], f"{view['lifecycle_id']}@{champion['version']}")
        _show_proven(champion["proven"])
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
    incident, name = view["rollout"]["incident"], view["lifecycle_id"]
    if incident is None:
        return
    looked = incident["investigated"]
    how = "nobody has investigated it" if looked is None else f"investigated by entry {looked}"
    output.field("Incident", f"entry {incident['entry']}; {how}")
    if looked is None:
        output.field("Next", f'noa investigate {name} --finding "..."')
    else:
        output.field("Next", f'noa run PLAN, then noa enable {name}@N --reason "..."')


def _show_version(view: Mapping[str, Any]) -> None:
    output.say(f"{output.status(view['state'])}  {view['lifecycle_id']}@{view['version']}   {view['profile']}")
    output.say()
    submitted = view.get("submitted", {})
    for part, data in submitted.get("datasets", {}).items():
        path = output.foreign(str(data["path"]))
        output.field(part.capitalize(), f"{path}   {data['rows']} rows   fingerprint {data['fingerprint'][:16]}")
    output.field("Plan", f"sha256 {view['plan_digest']}")
    if view["checksum"]:
        output.field("Model", f"sha256 {view['checksum']}")
    _show_runs(view)
    if "failure" in view:
        output.field("Failure", f"{view['failure']['cause']}: {output.foreign(view['failure']['message'])}")
    decision = view.get("decision")
    evaluation = view.get("evaluation", {})
    metrics = evaluation.get("metrics", {})
    if metrics:
        _show_measuring(evaluation)
        output.say()
        output.table(
            output.metric_rows(metrics, decision["thresholds"] if decision else {}), ("metric", "value", "threshold")
        )
        _show_slices(evaluation.get("slices") or {})
    if decision:
        output.say()
        why = f" ({', '.join(decision['reasons'])})" if decision["reasons"] else ""
        output.field("Verdict", decision["verdict"])
        output.field("Decision", f"{decision['status']}{why}")
        for violation in decision["violations"]:
            output.field("", f"{violation['metric']}: {output.foreign(violation['reason'])}")
        for reason in decision["notes"] if "no_gate" not in decision["reasons"] else ():
            output.field("", output.foreign(reason))
        _show_no_gate(view)
        _show_approvals(view)
        _show_override(view["override"])
        _show_again(view)
        output.field("Signed by", view["decided_by"] + ("   solo mode" if decision["solo_mode"] else ""))
    output.say()
    output.table([(entry["seq"], entry["type"], entry["ts"]) for entry in view["entries"]], ("entry", "type", "time"))


def _show_measuring(evaluation: Mapping[str, Any]) -> None:
    """On which rows a version was measured, and by whom."""
    output.field("Measured", _rows(evaluation))
    if evaluation.get("overlap") is not None:
        output.field("Seen", _seen(evaluation["overlap"]))
    if (groups := evaluation.get("group_by")) is not None:
        kind = "blocks" if groups.get("blocks") else "groups"
        output.field("Grouped", f"by {output.foreign(groups['column'])}, {groups['groups']} {kind}")
    if (own := evaluation.get("evaluator")) is not None:
        output.field("Evaluator", f"{output.foreign(own['function'])}   sha256 {own['sha256']}")


def _rows(evaluation: Mapping[str, Any]) -> str:
    """The rows that count, and those that do not count as they should."""
    odd = {
        "missing_labels": "without a label left out",
        "missing_predictions": "without a prediction",
        "unseen_labels": "with a label that training did not have",
    }
    told = [f"{evaluation[name]} {words}" for name, words in odd.items() if evaluation[name]]
    return "; ".join([f"{evaluation['rows']} rows", *told])


def _show_slices(slices: Mapping[str, Any]) -> None:
    """A table for each column whose slices were measured."""
    from noa_mlops.records.slices import Sliced, slice_name

    for column, document in slices.items():
        sliced = Sliced.from_document(document)
        rows = [
            (
                output.foreign(slice_name(column, value)),
                str(count),
                *(_with_bounds(estimates[place]) for estimates in sliced.metrics.values()),
            )
            for place, (value, count) in enumerate(zip(sliced.values, sliced.rows, strict=True))
        ]
        output.say()
        output.table(rows, ("slice", "rows", *sliced.metrics))


def _with_bounds(estimate: Estimate) -> str:
    """A value and the ends of its interval, each of them a bound at 95 %."""
    bounds = estimate.bounds(0.05)
    value = output.number(estimate.value)
    return value if bounds is None else f"{value} ({output.number(bounds[0])} .. {output.number(bounds[1])})"


def _seen(overlap: Mapping[str, Any]) -> str:
    """How many of the measured rows training has seen."""
    from noa_mlops.records.overlap import Overlap

    return str(Overlap.from_document(overlap))


def _show_no_gate(view: Mapping[str, Any]) -> None:
    if view["no_gate"] is not None:
        output.field("No gate", output.foreign(view["no_gate"]))


def _show_override(told: Mapping[str, Any] | None) -> None:
    """By whose word the version is in force, and until when."""
    if told is not None:
        output.field("Override", output.overridden(told))
        for key in told["by"]:
            output.field("", f"by {key}")


def _show_again(view: Mapping[str, Any]) -> None:
    """What was measured after the decision."""
    if (again := view["measured_again"]) is not None:
        output.field(
            "Again",
            f"{again['verdict']['verdict']}, {again['rows']} rows, look {again['look']}, entry {again['entry']}",
        )


def _show_approvals(view: Mapping[str, Any]) -> None:
    """What a held version waits for, and who has agreed."""
    if (waits := view["approvals"]) is None:
        return
    output.field("Approvals", f"{output.approvals(waits)}   noa enable {view['lifecycle_id']}@{view['version']}")
    for key in waits["approved"]:
        output.field("", f"by {key}")
    for key in waits["excluded"]:
        output.field("", f"not by {key}, who submitted it")


def _show_runs(view: Mapping[str, Any]) -> None:
    from noa_mlops.records.events import RUN

    for label, facts in (("Trainer", view.get("training")), ("Predictor", view.get("evaluation", {}).get(RUN))):
        isolation = (facts or {}).get("isolation")
        if isolation:
            hidden = ", labels hidden" if isolation.get("labels_hidden") else ", labels not hidden"
            confined = f"{isolation['rung']} agent{hidden if label == 'Predictor' else ''}{_own(isolation)}"
            output.field(label, output.foreign(confined))


def _own(isolation: Mapping[str, Any]) -> str:
    """What an agent had of its own; nothing for one of an older version."""
    kinds = (("namespaces", isolation.get("namespaces")), ("control group", isolation.get("cgroup")))
    return "".join(f"; {name}: {', '.join(found)}" for name, found in kinds if found)
