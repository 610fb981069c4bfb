"""The law of scans: when data that drifted block the rollout, and when they only make one suspicious.

Every scan of the champion is an entry, quiet ones too. A window that fails makes its signs (column, question, direction)
suspect; the next one that fails with a sign of these, on other data, blocks; a window that passes clears them, and so do
three in a row that were too few data, for what was seen by chance months ago confirms nothing. A window that is certain (another schema, or a large effect beyond doubt) blocks at once. So the entry says what was seen, and the
law says what follows: a scan cannot block when it may not, or stay quiet when it must block.

The champion is measured beside every challenger as well. A measurement that shows that its metrics dropped is followed by a
scan of those data that says so, and until then nothing is decided of the challenger: what hurts blocks, whoever noticed.

An override that was given before ends with the incident that opens. While the rollout is blocked, further failures join the incident that is open and change nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from noa_mlops.evidence import leaf_hash
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import Dropped, Incident, LifecycleState, Sign, Suspicion, VersionState
from noa_mlops.ledger.version_law import DECISION, LIFECYCLE, Refusal
from noa_mlops.records.documents import is_digest
from noa_mlops.records.drift import MAX_SIGNS

BLIND = 3
"""Windows in a row that were too few data from which nobody is watching."""


def confirmed(lifecycle: LifecycleState, current: str, signs: frozenset[Sign]) -> int | None:
    """The index of the scan whose suspicion these signs, of the data ``current``, confirm; None when there is none."""
    before = lifecycle.suspicion
    if before is None or before.champion != lifecycle.champion or before.current == current:
        return None
    return before.seq if before.signs & signs else None


def scanned(lifecycle: LifecycleState, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle after a scan, or why it may not follow."""
    predicate = entry.predicate
    problem = (
        _form_problem(entry, predicate) or _champion_problem(lifecycle, entry) or _beside_problem(lifecycle, predicate)
    )
    if problem is not None:
        return Refusal(problem)
    lifecycle = _accounted(lifecycle, predicate)
    verdict, current, signs = predicate["verdict"], predicate["current"], read_signs(predicate["signs"])
    confirms = confirmed(lifecycle, current, signs)
    blocks = verdict == "fail" and (predicate["certain"] or confirms is not None)
    if predicate["confirms"] != confirms or blocks != (entry.status == "blocked"):
        return Refusal("blocks, or does not, against what the scans before it say")
    suspicion = lifecycle.suspicion
    unseen = (*lifecycle.unseen, entry.seq)[-BLIND:] if verdict == "inconclusive" else ()
    if verdict == "fail":
        suspicion = Suspicion(entry.seq, lifecycle.champion or 0, current, signs)
    elif verdict == "pass" or len(unseen) == BLIND:
        suspicion = None
    after = replace(lifecycle, suspicion=suspicion, unseen=unseen)
    return _blocked(after, entry) if blocks and lifecycle.incident is None else after


def shown_beside(version: VersionState, entry: LedgerEntry) -> VersionState | Refusal:
    """``version`` after its measurement, with what that shows of the champion beside it."""
    champion = entry.predicate.get("champion")
    if not isinstance(champion, dict) or champion.get("dropped") is None:
        return replace(version, dropped=None)
    said, dataset, number = champion["dropped"], entry.predicate.get("dataset"), champion.get("version")
    data = dataset.get("fingerprint") if isinstance(dataset, dict) else None
    certain = said.get("certain") if isinstance(said, dict) else None
    if not isinstance(data, str) or type(number) is not int or type(certain) is not bool:
        return Refusal("shows that the champion's metrics dropped in a form that is not known to this version")
    return replace(version, dropped=Dropped(number, data, certain))


def unaccounted(lifecycle: LifecycleState, version: VersionState) -> bool:
    """Whether what was measured beside ``version`` shows that the champion's metrics dropped, and no scan says so yet."""
    dropped = version.dropped
    return dropped is not None and dropped.champion == lifecycle.champion and lifecycle.incident is None


def read_signs(written: Any) -> frozenset[Sign]:
    """Signs as an entry writes them. Raises `ValueError` for anything else."""
    if not isinstance(written, list) or len(written) > MAX_SIGNS:
        raise ValueError("the signs of a scan are a short list")
    for sign in written:
        if not isinstance(sign, list) or len(sign) != 3 or not all(isinstance(part, str) for part in sign):
            raise ValueError("a sign is a column, a question and a direction")
    return frozenset((column, subject, direction) for column, subject, direction in written)


def _blocked(lifecycle: LifecycleState, entry: LedgerEntry) -> LifecycleState:
    """With the incident opened that ``entry`` is."""
    return replace(
        lifecycle,
        rollout="blocked",
        override=None,
        incident=Incident(entry.seq, entry.predicate["report"], lifecycle.champion or 0),
        deciding=entry.seq,
        answerable=leaf_hash(entry.line).hex(),
    )


def _champion_problem(lifecycle: LifecycleState, entry: LedgerEntry) -> str | None:
    champion = lifecycle.versions.get(lifecycle.champion or 0)
    if champion is None or entry.version != champion.version:
        return f"scans for version {entry.version}, but the champion is {lifecycle.champion}"
    if entry.checksum != champion.checksum:
        return "is about other bytes than those of the champion"
    return None


def _beside_problem(lifecycle: LifecycleState, predicate: Mapping[str, Any]) -> str | None:
    """Why a scan that says what was shown beside a version does not say that."""
    if "beside" not in predicate:
        return None
    number, dataset = predicate["beside"], predicate.get("dataset")
    version = lifecycle.versions.find(number) if type(number) is int else None
    shown = None if version is None else version.dropped
    if shown is None or not isinstance(dataset, dict) or dataset.get("fingerprint") != shown.data:
        return "says what was measured beside a version, which showed nothing on these data"
    if predicate["verdict"] != "fail" or (shown.certain and not predicate["certain"]):
        return "says less than the measurement beside the version showed"
    return None


def _accounted(lifecycle: LifecycleState, predicate: Mapping[str, Any]) -> LifecycleState:
    if "beside" not in predicate:
        return lifecycle
    return lifecycle.with_version(replace(lifecycle.versions[predicate["beside"]], dropped=None))


def _form_problem(entry: LedgerEntry, predicate: Mapping[str, Any]) -> str | None:
    if entry.predicate_type != LIFECYCLE or entry.status not in (None, "blocked"):
        return "has a predicate type or a status that a DriftScanned cannot have"
    if not all(is_digest(predicate.get(name)) for name in ("reference", "current", "report")):
        return "names no summaries or no report by their digests"
    verdict, certain = predicate.get("verdict"), predicate.get("certain")
    if verdict not in ("pass", "fail", "inconclusive") or type(certain) is not bool or "confirms" not in predicate:
        return "holds no verdict of a scan"
    try:
        signs = read_signs(predicate.get("signs"))
    except ValueError as error:
        return f"does not say what it saw: {error}"
    if (verdict == "fail") != bool(signs or certain):
        return "fails without a sign, or shows one and does not fail"
    return _decision_problem(entry, predicate)


def _decision_problem(entry: LedgerEntry, predicate: Mapping[str, Any]) -> str | None:
    decision = predicate.get(DECISION)
    if entry.status is None:
        return None if decision is None else "holds a decision although it decides nothing"
    if not isinstance(decision, dict) or decision.get("status") != "blocked" or decision.get("reasons") != ["drift"]:
        return "blocks without a decision that says so"
    return None if decision.get("verdict") == predicate["verdict"] else "holds a decision with another verdict"
