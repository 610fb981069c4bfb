"""The report of one version as a page: what `noa show LIFECYCLE@N` says, with its pictures.

Made from the view of the version alone, so the page and the JSON document have the same numbers; each stands in the page
in full, in the ``value`` of its ``data`` element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from noa_mlops.audit import drawing
from noa_mlops.audit.pages import facts, frame, number, table, written
from noa_mlops.audit.search_page import search_parts
from noa_mlops.records.events import RUN
from noa_mlops.records.layout import address
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.threshold_text import threshold_text

MOST_SLICES = 200
"""Cells of slices that a page draws, which keeps it below 300 kB."""

_STYLE = (
    drawing.STYLE
    + """
.wide{overflow-x:auto}.confusion{width:auto}.confusion td{text-align:right;background:color-mix(in srgb,var(--was) calc(var(--part)*70%),transparent)}
.ends{white-space:nowrap}.champion,.ready{color:var(--good)}.rejected,.failed,.blocked{color:var(--bad)}
"""
)
_COLOURED = {"champion", "ready", "rejected", "failed", "blocked"}

_UNMEASURED = {"value": None, "interval": None, "unbounded": "was not measured", "outcome": "fail"}
"""What a threshold asks for and nobody measured."""


def version_page(view: Mapping[str, Any]) -> str:
    """The page of a version, by its view with the member ``diagnosis``."""
    evaluation = view.get("evaluation", {})
    state, thresholds = view["state"], view.get("decision", {}).get("thresholds", {})
    parts = [
        f"<p class='{state if state in _COLOURED else 'few'}'><b>{written(state).upper()}</b> {written(view['profile'])}</p>",
        facts(_standing(view)),
        *_metrics(evaluation, thresholds),
        *_beside_champion(evaluation.get("champion")),
        *_slices(evaluation.get("by_slice", ()), thresholds),
        *_diagnosis(view["diagnosis"], measured=bool(evaluation)),
        *search_parts(view["search"]),
        "<h2>Data, plan and training</h2>",
        facts(_making(view)),
        "<h2>Evidence</h2>",
        facts(_evidence(view)),
        table(("entry", "type", "time", "key"), map(_entry, view["entries"])),
    ]
    return frame(written(address(view["lifecycle_id"], view["version"])), parts, _STYLE)


def _standing(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was decided, and by whose word the version stands where it stands."""
    if "failure" in view:
        yield "failure", written(f"{view['failure']['cause']}: {view['failure']['message']}")
    if "decision" in view:
        yield from _decided(view["decision"], view["no_gate"])
    yield from _people(view)
    if (again := view["measured_again"]) is not None:
        verdict = again["verdict"]["verdict"]
        yield (
            "measured again",
            written(f"{verdict}, {again['rows']} rows, look {again['look']}, entry {again['entry']}"),
        )
    if view.get("notes"):
        yield "its plan says", written(view["notes"])


def _decided(decision: Mapping[str, Any], no_gate: str | None) -> Iterator[tuple[str, str]]:
    yield "verdict", f"<span class='{written(decision['verdict'])}'>{written(decision['verdict'])}</span>"
    why = f" ({', '.join(decision['reasons'])})" if decision["reasons"] else ""
    yield "decision", written(f"{decision['status']}{why}")
    for violation in decision["violations"]:
        yield "against it", written(f"{violation['metric']}: {violation['reason']}")
    yield from (("noted", written(reason)) for reason in decision["notes"])
    if no_gate is not None:
        yield "no gate", written(no_gate)
    if decision["solo_mode"]:
        yield "solo mode", "one person holds every role"


def _people(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who approved it, and who put it in force against the gate's word."""
    if (waits := view["approvals"]) is not None:
        yield "approvals", written(f"{len(waits['approved'])} of {waits['required']}")
        yield from (("approved by", _digest(key)) for key in waits["approved"])
        yield from (("not by", f"{_digest(key)}, who submitted it") for key in waits["excluded"])
    if (told := view["override"]) is not None:
        ends = "expired" if told["expired"] else "until"
        yield "override", written(f"entry {told['entry']}, {ends} {told['expires']}: {told['reason']}")
        yield from (("override by", _digest(key)) for key in told["by"])


def _metrics(evaluation: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Iterator[str]:
    if not evaluation:
        return
    yield "<h2>Metrics</h2>"
    yield facts(_measuring(evaluation))
    estimates = evaluation["estimates"]
    ordered = dict.fromkeys((*thresholds, *estimates))
    rows = (_metric(name, estimates.get(name, _UNMEASURED), thresholds.get(name)) for name in ordered)
    yield table(("metric", "value", "interval", "", "threshold", ""), rows)


def _metric(name: str, found: Mapping[str, Any], threshold: Mapping[str, Any] | None) -> Sequence[str]:
    said = threshold_text(threshold)
    limits = _limits(threshold)
    title = f"{name} {_said(found)}" + (f"; threshold {said}" if said else "")
    cells = (number(found["value"]), _interval(found), drawing.interval(title, found, limits))
    return written(name), *cells, written(said), _outcome(found)


def _limits(threshold: Mapping[str, Any] | None) -> Sequence[float]:
    return [threshold[side] for side in ("min", "max") if threshold is not None and side in threshold]


def _measuring(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """On which rows, how often before, and by whom."""
    yield "rows", written(evaluation["rows"])
    for name in ("missing_labels", "missing_predictions", "unseen_labels"):
        if evaluation[name]:
            yield name.replace("_", " "), written(evaluation[name])
    if evaluation["overlap"] is not None:
        yield "seen in training", written(Overlap.from_document(evaluation["overlap"]))
    if (groups := evaluation.get("group_by")) is not None:
        yield "grouped", written(f"by {groups['column']}, {groups['groups']} groups")
    if (own := evaluation.get("evaluator")) is not None:
        yield "evaluator", f"{written(own['function'])} {_digest(own['sha256'])}"
    yield "look", written(f"{evaluation['look']} since the champion was promoted")
    errors = sorted({f"{found['error']:.2%}" for found in evaluation["estimates"].values()})
    yield "bounds", f"each errs with {' or '.join(errors)}"


def _beside_champion(champion: Mapping[str, Any] | None) -> Iterator[str]:
    if champion is None:
        return
    yield f"<h2>Against the champion @{written(champion['version'])}</h2>"
    if champion["unavailable"] is not None:
        yield f"<p>It could not be measured: {written(champion['unavailable'])}</p>"
    if champion["identical"]:
        yield "<p>It is the same model, to the byte.</p>"
    items = champion["improvements"].items()
    rows = [_improvement(*item) for item in sorted(items, key=lambda item: item[1]["rule"] is None)]
    if rows:
        yield "<p class=few>An improvement above 0 is better, whatever the metric.</p>"
        yield table(("metric", "champion", "improvement", "interval", "", "asked", ""), rows)


def _improvement(name: str, found: Mapping[str, Any]) -> Sequence[str]:
    limit, asked = found["limit"], ""
    if limit is not None:
        asked = f"{'allowed' if found['rule'] == 'max_drop' else 'asked for'} {limit:.4g}"
    title = f"improvement of {name} {_said(found)}" + (f"; {asked}" if asked else "")
    picture = drawing.interval(title, found, (0.0,) if limit is None else (limit,))
    values = (number(found["champion"]), number(found["value"]), _interval(found))
    return written(name), *values, picture, asked, _outcome(found)


def _slices(by_slice: Sequence[Mapping[str, Any]], thresholds: Mapping[str, Any]) -> Iterator[str]:
    left = MOST_SLICES
    for by in by_slice:
        yield f"<h2>By {written(by['column'])}</h2>"
        rows = []
        for place, name in enumerate(by["slices"]):
            for metric, cells in by["metrics"].items():
                found, left = cells[place], left - 1
                limits = _limits(thresholds.get(metric)) if left >= 0 else ()
                picture = drawing.interval(f"{metric}, {name}: {_said(found)}", found, limits)
                values = (number(found["value"]), _interval(found), picture)
                rows.append((written(name), written(by["rows"][place]), written(metric), *values))
        yield table(("slice", "rows", "metric", "value", "interval", ""), rows)


def _diagnosis(found: Mapping[str, Any], *, measured: bool) -> Iterator[str]:
    if found["unavailable"] is not None:
        if measured:
            yield "<h2>Predictions</h2>"
            yield f"<p>Calibration, confusion and residuals cannot be drawn: {written(found['unavailable'])}.</p>"
        return
    if found["calibration"]:
        of = "the most probable class" if found["calibrated"] is None else f"class {found['calibrated']}"
        yield "<h2>Calibration</h2>"
        yield drawing.calibration(f"Reliability curve of {of}", found["calibration"])
        yield f"<p class=few>Of {written(of)}: on the dashed line, probabilities come true as often as they say.</p>"
    if found["confusion"] is not None:
        yield "<h2>Confusion</h2>"
        yield _confusion(**found["confusion"])
    if found["residuals"]:
        yield "<h2>Residuals</h2>"
        yield drawing.residuals("Prediction minus label along the prediction", found["residuals"])
        yield "<p class=few>Dots are medians of as many rows each; lines reach from the 10 % to the 90 % quantile.</p>"


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Each row is a true class, shaded by its share of that class."""
    heads = "".join(f"<th scope=col>{written(name)}</th>" for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        whole = max(1, sum(row))
        cells = "".join(f"<td style='--part:{count / whole:.2f}'>{count}</td>" for count in row)
        rows.append(f"<tr><th scope=row>{written(name)}</th>{cells}</tr>")
    head = f"<tr><th>true \\ predicted</th>{heads}</tr>"
    return f"<div class=wide><table class=confusion>{head}{''.join(rows)}</table></div>"


def _making(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The data, the plan, the code, and how the agents ran."""
    submitted = view.get("submitted", {})
    for part, data in submitted.get("datasets", {}).items():
        yield part, f"{written(data['path'])}, {written(data['rows'])} rows, fingerprint {_digest(data['fingerprint'])}"
    yield "plan", _digest(view["plan_digest"])
    yield from (("code", f"{written(file['path'])} {_digest(file['sha256'])}") for file in submitted.get("code", ()))
    if view["checksum"]:
        yield "model", _digest(view["checksum"])
    for label, ran in (("trainer", view.get("training")), ("predictor", view.get("evaluation", {}).get(RUN))):
        if ran and ran.get("started_at"):
            yield label, written(f"{ran['started_at']} to {ran.get('finished_at')}")
        if ran and ran.get("isolation"):
            yield "", "; ".join(f"{written(name)}: {_fact(fact)}" for name, fact in ran["isolation"].items())


def _fact(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return written(", ".join(map(str, fact)) if isinstance(fact, list | tuple) else fact)


def _evidence(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "agent", written(view["agent_id"])
    if "decided_by" in view:
        yield "signed by", _digest(view["decided_by"])


def _entry(entry: Mapping[str, Any]) -> Sequence[str]:
    return written(entry["seq"]), written(entry["type"]), written(entry["ts"]), _digest(entry["keyid"][:16])


def _outcome(found: Mapping[str, Any]) -> str:
    outcome = found["outcome"]
    return "" if outcome is None else f"<span class={outcome}>{outcome}</span>"


def _said(found: Mapping[str, Any]) -> str:
    """Value and interval in words."""
    bounds = found["interval"]
    if found["value"] is None:
        return "was not measured"
    return f"{found['value']:.4g}" + ("" if bounds is None else f" ({bounds[0]:.4g} .. {bounds[1]:.4g})")


def _interval(found: Mapping[str, Any]) -> str:
    if found["interval"] is None:
        return f"<span class=few>{written(found['unbounded'])}</span>"
    return f"<span class=ends>{' .. '.join(map(number, found['interval']))}</span>"


def _digest(digest: str) -> str:
    return f"<code>{written(digest)}</code>"
