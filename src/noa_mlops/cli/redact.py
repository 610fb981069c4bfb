"""``noa redact``: take an object out of the evidence, and say so in the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import deciding, options, output


@click.command(epilog='Example: noa redact 3f2a... --reason "asked to be forgotten"')
@click.argument("digest", metavar="OBJECT")
@deciding.elsewhere
@options.dry_run
@options.common
def redact(
    digest: str,
    reason: str | None,
    request: Path | None,
    admit: Path | None,
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Remove one object (a plan, a log, a text) for good; a signed entry says who decided it, and the chain holds."""
    from noa_mlops.lifecycle.redaction import redact as take_out
    from noa_mlops.lifecycle.redaction import request_redaction

    layout = options.project(folder)
    where = deciding.files(reason, request, admit)
    decided = deciding.decide(
        layout,
        where,
        lambda ledger: request_redaction(layout, ledger, digest, reason or ""),
        lambda scope: scope == {"object": {"sha256": digest}},
        take_out,
        dry_run=dry_run,
    )
    if as_json:
        output.emit({"object": digest, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run})
        return deciding.exit_status(decided, where)
    done = "nothing was changed" if decided.entry is None else f"removed, as entry {decided.entry} says"
    output.say(f"object {output.foreign(digest[:16])}: {done}")
    return deciding.tell_on(f"noa redact {digest}", decided, where)
