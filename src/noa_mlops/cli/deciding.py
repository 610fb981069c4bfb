"""What the commands of people who decide share: signing here, signing elsewhere, recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.ledger import LedgerEntry, LedgerReader
    from noa_mlops.lifecycle.acts import ActRequest
    from noa_mlops.records.layout import Layout

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Files:
    """Where a request is kept to be signed elsewhere, or which one is to be recorded; at most one of them."""

    request: Path | None
    admit: Path | None

    @property
    def known(self) -> Path | None:
        """The file that holds a request already, None when it is yet to be made."""
        return self.admit or (self.request if self.request is not None and self.request.exists() else None)


def elsewhere(function: _F) -> _F:
    """The options of a decision that can be signed on another machine: ``--reason``, ``--request``, ``--admit``."""
    return elsewhere_saying("--reason", "Why; kept as an object of its own.")(function)


def elsewhere_saying(option: str, words: str) -> Callable[[_F], _F]:
    """Like `elsewhere`, with another ``option`` for the text, whose help is ``words``."""
    file = click.Path(path_type=Path)

    def add(function: _F) -> _F:
        function = click.option("--admit", type=file, metavar="FILE", help="Record what FILE holds.")(function)
        function = click.option(
            "--request", type=file, metavar="FILE", help="Record nothing; keep the signatures made here in FILE."
        )(function)
        return click.option(option, "reason", metavar="TEXT", help=words)(function)

    return add


def files(reason: str | None, request: Path | None, admit: Path | None, option: str = "--reason") -> Files:
    """The files of a decision, whose text ``option`` gives. Raises `click.UsageError` for options that contradict."""
    if request is not None and admit is not None:
        raise click.UsageError("--request signs, --admit records: name one of them")
    where = Files(request, admit)
    if (reason is None) == (where.known is None):
        raise click.UsageError(
            f"a decision needs {option} TEXT" if where.known is None else f"the reason stands in {where.known} already"
        )
    return where


@dataclass(frozen=True, slots=True)
class Decided:
    """How far a decision is: the request, who has yet to sign (None: nobody), and its entry once it is recorded."""

    request: ActRequest
    lacking: str | None
    entry: int | None


def decide(
    layout: Layout,
    where: Files,
    propose: Callable[[LedgerReader], ActRequest],
    means: Callable[[Mapping[str, Any]], bool],
    perform: Callable[[Layout, ActRequest], LedgerEntry],
    *,
    dry_run: bool,
) -> Decided:
    """Make or take up a request, sign it with what is here, and keep it or record it.

    ``means`` tells from the scope of a request that was taken up whether it is the one that the command names.
    """
    from noa_mlops.files import write_durably
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.acts import ActRequest, missing, sign_here

    ledger = Ledger.read_only(layout)
    request = propose(ledger) if where.known is None else ActRequest.from_bytes(options.read(where.known))
    if not means(request.signed.act.scope):
        raise click.BadParameter(f"{where.known} decides something else: {dict(request.signed.act.scope)}")
    if where.admit is None:
        request = sign_here(request, ledger)
    lacking, entry = missing(request, ledger), None
    if where.request is not None and not dry_run:
        write_durably(where.request.absolute(), request.to_bytes())
    elif not dry_run:
        entry = perform(layout, request).seq
    return Decided(request, lacking, entry)


def exit_status(decided: Decided, where: Files) -> int:
    """7 while somebody has yet to sign."""
    return 7 if where.request is not None and decided.lacking else 0


def tell_on(command: str, decided: Decided, where: Files) -> int:
    """Say why, who is to sign next, and with which command; the exit status."""
    output.field("Reason", output.foreign(decided.request.text))
    if where.request is None:
        return 0
    file = output.foreign(str(where.request))
    if decided.lacking is None:
        output.field("Next", f"{command} --admit {file}")
        return 0
    output.field("Missing", decided.lacking)
    output.field("Next", f"there, with a copy of the project: {command} --request {file}")
    return exit_status(decided, where)
