"""Recorded scans, held against their reports and against what was recorded of the labels.

The law says what follows from a verdict and its signs; that these follow from what was seen is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from noa_mlops.errors import LedgerTampered
from noa_mlops.ledger import get_object
from noa_mlops.records.documents import DocumentInvalid, parse_object
from noa_mlops.records.layout import Layout

MAX_REPORT = 1 << 28
"""Largest report that is read, in bytes."""


def scan_differences(layout: Layout, recorded: Mapping[str, Any]) -> Iterator[str]:
    """What a scan says otherwise than follows; nothing where its report is gone, which is named by itself unless it was redacted.

    Labels as older versions recorded them are not asked.
    """
    from noa_mlops.drift import read_labels, read_report, weigh

    try:
        document = parse_object(get_object(layout.objects, recorded["report"]), limit=MAX_REPORT)
    except LedgerTampered:
        return
    except DocumentInvalid as error:
        yield f"its scan names a report that {error}"
        return
    labels = recorded.get("labels")
    if labels is not None and "due" not in labels:
        return
    try:
        report = read_report(document)
        weighed = weigh(report, None if labels is None else read_labels(labels))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        yield f"its scan cannot be weighed again: no verifier wrote it ({error!r:.200})"
        return
    follows = {
        "reference": report.reference,
        "current": report.current,
        "data_verdict": report.outcome,
        "verdict": weighed.verdict,
        "certain": weighed.is_certain,
        "signs": weighed.signs,
    }
    for name, value in follows.items():
        if name in recorded and recorded[name] != value:
            yield f"its scan says {name} {recorded[name]!r:.300}, but from its report and the labels follows {value!r:.300}"
