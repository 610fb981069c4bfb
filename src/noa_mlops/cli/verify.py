"""``noa verify``: does everything on disk still say what was signed?"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output
from noa_mlops.errors import LifecycleError
from noa_mlops.records.layout import Layout

if TYPE_CHECKING:
    from noa_mlops.audit import ProofVerification, Verification


@click.command(epilog="Example: noa verify --origin rainfall/1f0c...")
@click.argument("proof", metavar="[FILE.noa-proof]", required=False, type=click.Path(path_type=Path))
@click.option("--origin", default=None, metavar="ORIGIN", help="The origin that the project's owner gave you.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="A signed checkpoint that was kept elsewhere: the ledger must go on from it.",
)
@click.option(
    "--model", type=click.Path(path_type=Path), metavar="DIR", help="The version's folder, held against the proof."
)
@click.option("--decisions", is_flag=True, help="Compute every past decision again from what was recorded before it.")
@click.option("--deep", is_flag=True, help="With --decisions: measure again too, from stored predictions and labels.")
@options.common
def verify(
    proof: Path | None,
    origin: str | None,
    against: Path | None,
    model: Path | None,
    folder: Path,
    *,
    decisions: bool,
    deep: bool,
    as_json: bool,
) -> int:
    """Check ledger, checkpoints, signatures, objects, promoted bytes and mirror; nothing is changed.

    With FILE.noa-proof: check this proof alone, with no project around it.
    """
    if proof is not None:
        if against is not None:
            raise click.UsageError("--against is for a project; a proof holds its own checkpoint")
        if decisions or deep:
            raise click.UsageError("--decisions is for a project: a proof holds neither plans nor earlier champions")
        return _verify_proof(proof, origin, model, as_json=as_json)
    if model is not None:
        raise click.UsageError("--model needs FILE.noa-proof: the project's own models are checked anyway")
    if deep and not decisions:
        raise click.UsageError("--deep goes with --decisions")
    return _verify_project(folder.absolute(), origin, against, decisions=decisions, deep=deep, as_json=as_json)


def _verify_project(
    folder: Path, origin: str | None, against: Path | None, *, decisions: bool, deep: bool, as_json: bool
) -> int:
    from noa_mlops.audit import verify as check

    note = options.read(against) if against is not None else None
    began = time.monotonic()
    result = check(Layout.of(folder), origin=origin, against=note, decisions=decisions)
    if deep:
        result = _measured_again(Layout.of(folder), result)
    seconds = round(time.monotonic() - began, 3)
    code = 0 if result.holds else 4
    if as_json:
        output.emit({**asdict(result), "holds": result.holds, "seconds": seconds, "exit": code})
    else:
        _show_project(folder, result, seconds)
    return code


def _measured_again(layout: Layout, result: Verification) -> Verification:
    """With what computing every measurement again has found; a ledger that cannot be read is named already."""
    from noa_mlops.audit import Finding
    from noa_mlops.cli.arrow import load_arrow

    load_arrow()
    from noa_mlops.lifecycle.recomputing import recompute

    try:
        found = recompute(layout)
    except LifecycleError as error:
        return replace(result, notes=(*result.notes, f"Nothing was measured again: {error}"))
    findings = (Finding(str(layout.ledger), seq, reason) for seq, reason in found.findings)
    return replace(
        result, findings=(*result.findings, *findings), notes=(*result.notes, *found.notes), measured=found.measured
    )


def _show_project(folder: Path, result: Verification, seconds: float) -> None:
    """One line for each finding, then what was looked at, and what that does not say."""
    for finding in result.findings:
        file = finding.file.removeprefix(f"{folder}{os.sep}")
        output.say(output.foreign(str(replace(finding, file=file))).replace("\n", " "))
    word = "verified" if result.holds else _counted(len(result.findings), "finding")
    hold = "" if result.holds else " hold"
    output.say(
        f"{word}: {_counted(result.entries, 'entry', 'entries')}{hold}, {result.sealed:,} sealed by "
        f"{_counted(result.checkpoints, 'checkpoint')}, {_counted(result.objects, 'object')}, "
        f"{_counted(result.versions, 'version')} in the store; {seconds:.1f} s"
    )
    if result.decisions is not None:
        output.field("Decisions", f"{result.decisions:,} computed again from what was recorded before them")
    if result.measured is not None:
        output.field("Measured", f"{_counted(result.measured, 'measurement')} made again from predictions and labels")
    if result.origin is not None:
        output.field("Origin", result.origin)
    for text in result.notes:
        output.field("Note", text)
    if not result.holds:
        output.field("Next", f"Nothing was changed. {_advice(result)}")


def _advice(result: Verification) -> str:
    """What can be done about the findings, as far as that is known."""
    projected = all(f"{os.sep}registry{os.sep}" in finding.file for finding in result.findings)
    if projected:
        return "The ledger holds: 'noa doctor --repair' writes the registry anew from it."
    return "Restore the files named above from a copy you trust, and keep this one for whoever looks into it."


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _verify_proof(file: Path, origin: str | None, model: Path | None, *, as_json: bool) -> int:
    from noa_mlops.audit import MAX_PROOF, verify_proof

    if not file.is_file():
        raise click.UsageError(f"{file} is not a file that is there")
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_PROOF + 1)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read ({error.strerror})") from error
    result = verify_proof(data, file=str(file), origin=origin, model=model)
    code = 0 if result.holds else 4
    if as_json:
        output.emit({**asdict(result), "holds": result.holds, "exit": code})
    else:
        _show_proof(result)
    return code


def _show_proof(result: ProofVerification) -> None:
    for finding in result.findings:
        output.say(output.foreign(str(finding)))
    if result.findings:
        output.say(f"{len(result.findings)} finding{'s' if len(result.findings) != 1 else ''}: rely on nothing in it")
        return
    word = "verified" if result.anchored else "self-consistent, signer unknown"
    output.say(f"{word}: {result.name} was {result.status} after its last entry; {result.entries} entries")
    output.field("Origin", result.origin)
    output.field("As of", f"{result.size} entries when its head was signed; what was revoked later it cannot know")
    if result.checksum is not None:
        read = (
            "not looked at; --model DIR does" if result.files is None else f"{result.files} files as they were signed"
        )
        output.field("Model", f"sha256 {result.checksum}; {read}")
    if not result.anchored:
        output.field(
            "Note", "Anybody can make such a file with keys of their own. Ask the owner for the origin: --origin"
        )
