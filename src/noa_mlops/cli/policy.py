"""``noa policy``: what an edited ``policy.yaml`` would change, and the signatures that put it in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output
from noa_mlops.errors import NotAuthorised

if TYPE_CHECKING:
    from noa_mlops.ledger import LedgerReader
    from noa_mlops.lifecycle.policy_change import Proposal
    from noa_mlops.records.layout import Layout


@click.group(invoke_without_command=True, epilog="Example: noa policy diff")
@options.common
@click.pass_context
def policy(context: click.Context, folder: Path, *, as_json: bool) -> int:
    """Compare policy.yaml with the policy in force, or put it in force."""
    shared = {"folder": folder, "as_json": as_json}
    context.default_map = dict.fromkeys(("diff", "sign"), shared)
    return _diff(folder, as_json=as_json) if context.invoked_subcommand is None else 0


@policy.command("diff", epilog="Example: noa policy diff --json")
@options.common
def diff(folder: Path, *, as_json: bool) -> int:
    """Say what policy.yaml would change; nothing is changed."""
    return _diff(folder, as_json=as_json)


def _diff(folder: Path, *, as_json: bool) -> int:
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.policy_change import differences, edited_policy

    layout = options.project(folder)
    in_force = Ledger.read_only(layout).state.policy
    changes = differences(in_force, edited_policy(layout)) if in_force is not None else ()
    if as_json:
        output.emit({"changes": list(changes)})
        return 0
    for change in changes:
        output.say(output.foreign(change))
    output.say("next: noa policy sign" if changes else "policy.yaml is the policy in force")
    return 0


@policy.command("sign", epilog="Example: noa policy sign --request change.json")
@click.option(
    "--request", type=click.Path(path_type=Path), metavar="FILE", help="Keep the signatures made here in FILE."
)
@click.option("--admit", type=click.Path(path_type=Path), metavar="FILE", help="Record the change that FILE holds.")
@options.dry_run
@options.common
def sign(request: Path | None, admit: Path | None, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Sign policy.yaml with the keys that are here, and put it in force once all who must have signed.

    With --request FILE nothing is recorded: FILE holds the change and its signatures, and can be taken to the next
    person, who runs the same command. --admit FILE records it in the end, and needs no key but the runtime's.
    """
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.policy_change import differences, missing

    if request is not None and admit is not None:
        raise click.UsageError("--request signs, --admit records: name one of them")
    layout = options.project(folder)
    ledger = Ledger.read_only(layout)
    in_force = ledger.state.policy
    if in_force is None:
        raise NotAuthorised("there is no policy in force")
    proposal = _proposal(layout, ledger, request, admit)
    changes = differences(in_force, proposal.policy)
    lacking = missing(proposal, ledger.state)
    entry = None
    if changes and not dry_run:
        entry = _carry_on(layout, proposal, request)
    if as_json:
        output.emit({"changes": list(changes), "missing": list(lacking), "entry": entry, "dry_run": dry_run})
    else:
        _tell(changes, lacking, entry, request)
    return 7 if request is not None and lacking else 0


def _proposal(layout: Layout, ledger: LedgerReader, request: Path | None, admit: Path | None) -> Proposal:
    """The change as it stands, signed by every key that is here."""
    from noa_mlops.lifecycle.policy_change import Proposal, check_current, edited_policy, propose, ring_of, sign_here

    if admit is not None:
        proposal = Proposal.from_bytes(options.read(admit))
        check_current(proposal, ledger.state)
        return proposal
    if request is not None and request.exists():
        proposal = Proposal.from_bytes(options.read(request))
    else:
        proposal = propose(ledger.state, edited_policy(layout))
    check_current(proposal, ledger.state)
    return sign_here(proposal, ledger.state, ring_of(ledger))


def _carry_on(layout: Layout, proposal: Proposal, request: Path | None) -> int | None:
    """Keep the signatures in the file, or record the change; the index of its entry."""
    from noa_mlops.files import write_durably
    from noa_mlops.lifecycle.policy_change import put_in_force

    if request is not None:
        write_durably(request.absolute(), proposal.to_bytes())
        return None
    return put_in_force(layout, proposal).seq


def _tell(changes: tuple[str, ...], lacking: tuple[str, ...], entry: int | None, request: Path | None) -> None:
    for change in changes:
        output.say(output.foreign(change))
    if not changes:
        output.say("policy.yaml is the policy in force; nothing to sign")
    elif entry is not None:
        output.say(f"in force from entry {entry + 1} on")
    elif lacking:
        output.field("Missing", f"{'; '.join(lacking)}")
    if request is not None and changes:
        file = output.foreign(str(request))
        again = f"there, with a copy of the project: noa policy sign --request {file}"
        output.field("Next", again if lacking else f"noa policy sign --admit {file}")
