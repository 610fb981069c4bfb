"""Entries as CloudEvents 1.0 (cloudevents.io), in the JSON event format, for brokers and functions outside.

``source`` and ``id`` name an entry for ever: the same entry is the same event, however often it is sent.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from noa_mlops.ledger import LedgerEntry
from noa_mlops.records.act_events import told
from noa_mlops.records.documents import parse_object, sha256
from noa_mlops.records.layout import address

PREFIX = "noa.lifecycle."
"""What every type begins with; the name of the entry's type follows."""

SEQUENCE_DIGITS = 20
"""Digits of ``sequence`` (the extension of that name), so that its order as text is that of the ledger."""


def cloud_event(origin: str, entry: LedgerEntry) -> dict[str, Any]:
    """The event of an entry; ``data`` is what subscribers are told of it, and the SHA-256 of its line in the ledger."""
    event = told(parse_object(entry.line, limit=len(entry.line)))
    subject = {} if entry.lifecycle_id is None else {"subject": _subject(entry)}
    about = {"seq": entry.seq, "lifecycle_id": entry.lifecycle_id, "version": entry.version, "status": entry.status}
    return {
        "specversion": "1.0",
        "id": str(entry.seq),
        "source": f"noa:{origin}",
        "type": f"{PREFIX}{entry.type}",
        **subject,
        "time": entry.ts,
        "sequence": f"{entry.seq:0{SEQUENCE_DIGITS}d}",
        "datacontenttype": "application/json",
        "data": {**({} if event is None else asdict(event)), **about, "line": sha256(entry.line)},
    }


def _subject(entry: LedgerEntry) -> str:
    lifecycle = entry.lifecycle_id or ""
    return lifecycle if entry.version is None else address(lifecycle, entry.version)
