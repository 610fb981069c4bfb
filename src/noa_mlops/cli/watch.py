"""``noa watch``: events as they are recorded, whoever records them."""

from __future__ import annotations

import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.ledger import LedgerEntry

INTERVAL = 0.2
"""Seconds between two looks at the ledger."""


@click.command(epilog="Example: noa watch --since 0 --json")
@click.option("--since", type=click.IntRange(min=0), default=None, help="Start at this entry instead of the newest.")
@click.option("--follow/--no-follow", default=True, help="Wait for new entries (the default), or stop at the newest.")
@click.option("--cloudevents", is_flag=True, help="Print each as a CloudEvents 1.0 event in JSON, one a line.")
@options.common
def watch(since: int | None, folder: Path, *, follow: bool, cloudevents: bool, as_json: bool) -> int:
    """Print each event once its entry is durable; stop with Ctrl-C. With --since, none is missed from there on."""
    from noa_mlops.audit.cloud_events import cloud_event
    from noa_mlops.ledger import Ledger

    ledger = Ledger.read_only(options.project(folder))
    position = ledger.state.size + len(ledger.pending) if since is None else since
    while True:
        for entry in chain((entry for entry, _ in ledger.entries(min(position, ledger.state.size))), ledger.pending):
            if entry.seq >= position:
                position = entry.seq + 1
                if cloudevents:
                    output.emit_line(cloud_event(ledger.origin, entry))
                else:
                    _tell(entry, as_json=as_json)
        if not follow:
            return 0
        time.sleep(INTERVAL)
        ledger.refresh()


def _tell(entry: LedgerEntry, *, as_json: bool) -> None:
    if as_json:
        document = {
            "seq": entry.seq,
            "type": entry.type,
            "ts": entry.ts,
            "lifecycle_id": entry.lifecycle_id,
            "version": entry.version,
            "status": entry.status,
        }
        output.emit_line(document)
    else:
        name = address(entry.lifecycle_id, entry.version or 0) if entry.lifecycle_id else "-"
        output.say(f"{entry.ts}  {entry.seq:>6}  {entry.type:<18} {name:<24} {entry.status or ''}".rstrip())
