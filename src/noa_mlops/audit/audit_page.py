"""An audit as a page: what `noa audit` says, for whoever keeps it beside the evidence."""

from __future__ import annotations

from collections.abc import Iterator

from noa_mlops.audit.checklist import Audit, Item
from noa_mlops.audit.pages import facts, frame, table, written
from noa_mlops.audit.past_incidents import PastIncident, Step

_OUTCOMES = {True: "<span class=pass>ok</span>", False: "<span class=fail>FAIL</span>"}


def audit_page(found: Audit, made: str) -> str:
    """The page of an audit that was made at a time, RFC 3339 in UTC."""
    evidence = found.evidence
    held = f"{evidence.checkpoints} checkpoints, {evidence.objects} objects and {evidence.versions} stored versions"
    asked_again = "Ask again: <code>noa audit</code>, <code>noa verify --decisions</code>."
    parts = [
        f"<p class={'pass' if found.holds else 'fail'}>{'EVERYTHING HOLDS' if found.holds else 'SOMETHING DOES NOT HOLD'}</p>",
        facts(_about(found, made)),
        "<h2>Checklist</h2>",
        table(("item", "what must hold", "looked at", ""), [*map(_item, found.items), _evidence(found)]),
        *_failures(found),
        "<h2>Incidents</h2>",
        _incidents(found.incidents),
        "<h2>Notes</h2>" if found.notes else "",
        _list(found.notes),
        f"<p class=few>{held} were held against the ledger. {asked_again}</p>",
    ]
    return frame("Audit", parts, "td{overflow-wrap:anywhere}")


def _about(found: Audit, made: str) -> Iterator[tuple[str, str]]:
    yield "ledger", f"<code>{written(found.evidence.origin or 'unknown')}</code>"
    yield "decisions", written(f"{found.since or 'from the first'} to {found.until or 'the newest'}")
    yield "made", written(made)


def _item(item: Item) -> tuple[str, ...]:
    return written(item.name), written(item.what), str(item.asked), _OUTCOMES[item.holds]


def _evidence(found: Audit) -> tuple[str, ...]:
    evidence = found.evidence
    counted = f"{evidence.entries} entries, {evidence.decisions or 0} decisions computed again"
    return "evidence", "everything is what was signed", counted, _OUTCOMES[evidence.holds]


def _failures(found: Audit) -> Iterator[str]:
    failures = [(item.name, failure) for item in found.items for failure in item.failures]
    failures += [("evidence", str(finding)) for finding in found.evidence.findings]
    if failures:
        yield "<h2>What does not hold</h2>"
        yield table(("item", ""), [(written(name), written(failure)) for name, failure in failures])


def _incidents(incidents: tuple[PastIncident, ...]) -> str:
    if not incidents:
        return "<p>No rollout was blocked by drift.</p>"
    heads = ("champion", "data", "blocked", "investigated", "ended", "enabled")
    return table(heads, map(_incident, incidents))


def _incident(found: PastIncident) -> tuple[str, ...]:
    steps = (_step(step) for step in (found.opened, found.investigated, found.ended))
    return written(found.champion), written(found.data), *steps, written(found.enabled or "")


def _step(step: Step | None) -> str:
    return "<span class=fail>not yet</span>" if step is None else written(f"entry {step.entry}, {step.ts}")


def _list(notes: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{written(note)}</li>' for note in notes)}</ul>" if notes else ""
