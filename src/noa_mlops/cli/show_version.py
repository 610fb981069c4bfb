"""``noa show LIFECYCLE@N``: one version with everything that its entries say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noa_mlops.cli import output
from noa_mlops.records.threshold_text import threshold_text

BEST_TRIALS = 5
"""Trials of a search that are listed."""


def show_version(view: Mapping[str, Any]) -> None:
    """Everything about one version, for people."""
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
    _show_search(view["search"])
    if "failure" in view:
        output.field("Failure", f"{view['failure']['cause']}: {output.foreign(view['failure']['message'])}")
    decision = view.get("decision")
    evaluation = view.get("evaluation", {})
    metrics = evaluation.get("metrics", {})
    if metrics:
        _show_measuring(evaluation)
        _show_metrics(evaluation, decision["thresholds"] if decision else {})
        _show_champion(evaluation["champion"])
        _show_slices(evaluation["by_slice"])
    if decision:
        output.say()
        why = f" ({', '.join(decision['reasons'])})" if decision["reasons"] else ""
        output.field("Verdict", decision["verdict"])
        output.field("Decision", f"{decision['status']}{why}")
        for violation in decision["violations"]:
            output.field("", f"{violation['metric']}: {output.foreign(violation['reason'])}")
        for reason in decision["notes"] if "no_gate" not in decision["reasons"] else ():
            output.field("", output.foreign(reason))
        show_no_gate(view)
        if view["notes"] is not None:
            output.field("Plan says", output.foreign(view["notes"]))
        _show_approvals(view)
        show_override(view["override"])
        _show_again(view)
        output.field("Signed by", view["decided_by"] + ("   solo mode" if decision["solo_mode"] else ""))
    output.say()
    entries = [(entry["seq"], entry["type"], entry["ts"], entry["keyid"][:16]) for entry in view["entries"]]
    output.table(entries, ("entry", "type", "time", "key"))


def _show_search(found: Mapping[str, Any] | None) -> None:
    """What was searched for: the best trials, and which hyperparameters mattered."""
    if found is None:
        return
    trials = found["trials"]
    if trials is None:
        output.field("Search", f"trial {found['best']} was the best; the table of trials is not here any more")
        return
    from noa_mlops.records.search import ranked

    scored = [trial for trial in ranked(found["metric"], trials) if trial["value"] is not None]
    output.field("Search", f"{len(trials)} trials, {len(scored)} scored; trained with what trial {found['best']} had")
    names = sorted(found["hyperparameters"], key=lambda name: -found["importance"].get(name, 0.0))
    if found["importance"]:
        output.field("Mattered", ", ".join(f"{name} {found['importance'].get(name, 0.0):.0%}" for name in names))
    rows = [
        (
            trial["number"],
            output.number(trial["value"]),
            *(output.short(trial["hyperparameters"][name]) for name in names),
        )
        for trial in scored[:BEST_TRIALS]
    ]
    output.say()
    output.table(rows, ("trial", found["metric"], *names))
    output.say()


def _show_measuring(evaluation: Mapping[str, Any]) -> None:
    """On which rows a version was measured, and by whom."""
    output.field("Measured", _rows(evaluation))
    each = " or ".join(sorted({f"{found['error']:.2%}" for found in evaluation["estimates"].values()}))
    output.field("Look", f"{evaluation['look']} since the champion was promoted; each bound errs with {each}")
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


def _show_metrics(evaluation: Mapping[str, Any], thresholds: Mapping[str, Any]) -> None:
    """Every metric with its interval and what it is held against: those with a threshold first."""
    estimates = evaluation["estimates"]
    ordered = [*thresholds, *(name for name in estimates if name not in thresholds)]
    rows = []
    for name in ordered:
        found = estimates.get(name, {"value": None, "interval": None, "outcome": None})
        threshold = threshold_text(thresholds.get(name))
        rows.append((name, output.number(found["value"]), _interval(found), threshold, found["outcome"] or ""))
    output.say()
    output.table(rows, ("metric", "value", "interval", "threshold", ""))


def _show_champion(champion: Mapping[str, Any] | None) -> None:
    """The improvement over the champion in every metric: those of which something is asked first."""
    if champion is None:
        return
    output.say()
    if champion["unavailable"] is not None:
        output.field("Against", f"@{champion['version']}, not measured: {output.foreign(champion['unavailable'])}")
    elif champion["identical"]:
        output.field("Against", f"@{champion['version']}, the same model to the byte")
    improvements = sorted(champion["improvements"].items(), key=lambda item: item[1]["rule"] is None)
    rows = [
        (name, output.number(found["champion"]), output.number(found["value"]), _interval(found), *_asked(found))
        for name, found in improvements
    ]
    if rows:
        output.table(rows, ("metric", f"@{champion['version']}", "improvement", "interval", "asked", ""))


def _asked(found: Mapping[str, Any]) -> tuple[str, str]:
    if found["limit"] is None:
        return "", ""
    word = "allowed" if found["rule"] == "max_drop" else "asked for"
    return f"{word} {output.number(found['limit'])}", found["outcome"] or ""


def _show_slices(by_slice: Sequence[Mapping[str, Any]]) -> None:
    """A table for each column whose slices were measured."""
    for by in by_slice:
        rows = [
            (output.foreign(name), by["rows"][place], *(_with_bounds(cells[place]) for cells in by["metrics"].values()))
            for place, name in enumerate(by["slices"])
        ]
        output.say()
        output.table(rows, ("slice", "rows", *by["metrics"]))


def _interval(found: Mapping[str, Any]) -> str:
    """The ends of an interval, each of them a bound; a dash when there are none."""
    bounds = found["interval"]
    return "-" if bounds is None else f"{output.number(bounds[0])} .. {output.number(bounds[1])}"


def _with_bounds(found: Mapping[str, Any]) -> str:
    value = output.number(found["value"])
    return value if found["interval"] is None else f"{value} ({_interval(found)})"


def _seen(overlap: Mapping[str, Any]) -> str:
    """How many of the measured rows training has seen."""
    from noa_mlops.records.overlap import Overlap

    return str(Overlap.from_document(overlap))


def show_no_gate(view: Mapping[str, Any]) -> None:
    """Why its plan declares that there is no gate; nothing when it declares one."""
    if view["no_gate"] is not None:
        output.field("No gate", output.foreign(view["no_gate"]))


def show_override(told: Mapping[str, Any] | None) -> None:
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
        if facts and facts.get("started_at"):
            output.field(label, f"{facts['started_at']} to {facts.get('finished_at')}")
        if isolation:
            hidden = ", labels hidden" if isolation.get("labels_hidden") else ", labels not hidden"
            confined = f"{isolation['rung']} agent{hidden if label == 'Predictor' else ''}{_own(isolation)}"
            output.field("" if facts and facts.get("started_at") else label, output.foreign(confined))


def _own(isolation: Mapping[str, Any]) -> str:
    """What an agent had of its own; nothing for one of an older version."""
    kinds = (("namespaces", isolation.get("namespaces")), ("control group", isolation.get("cgroup")))
    return "".join(f"; {name}: {', '.join(found)}" for name, found in kinds if found)
