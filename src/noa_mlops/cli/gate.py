"""``noa gate``: may this be rolled out? For CI, from the registry folder and the origin alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.audit.ci_reports import Check

LOG = "registry/ml_artifacts.log"
"""Where to look when the gate says no."""


@click.command(epilog="Example: noa gate rainfall --origin rainfall/1f0c... --max-age 24h")
@click.argument("name", metavar="[LIFECYCLE[@N]]", required=False)
@click.option("--origin", required=True, metavar="ORIGIN", help="The origin that the project's owner gave you.")
@click.option("--max-age", metavar="DURATION", help="Refuse a log whose newest entry is older, like 24h.")
@options.ci_reports
@options.common
def gate(
    name: str | None,
    origin: str,
    max_age: str | None,
    junit: Path | None,
    sarif: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> int:
    """Say whether champions may be rolled out: of one lifecycle, of one version, or of every lifecycle that has one.

    Decides by registry/ below the folder and nothing else; no key is needed. In CI the answer goes to $GITHUB_ENV as
    ML_ROLLOUT_STATUS and to $GITHUB_STEP_SUMMARY. Exit status 0 when ready, 3 when blocked or without a champion, 4 when
    the log is damaged, too old or not that of the origin.
    """
    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.audit.rollout import read_registry, rollouts_of
    from noa_mlops.errors import LifecycleError
    from noa_mlops.ledger import check_age
    from noa_mlops.ledger.ledger import now

    _tell_ci("blocked")
    lifecycle_id, version = options.address(name) if name is not None else (None, None)
    seconds = options.duration(max_age) if max_age is not None else None
    moment = now()
    try:
        log = read_registry(folder.absolute() / "registry", origin)
        if seconds is not None:
            check_age("the registry log", log.newest, moment, seconds)
        asked = rollouts_of(log, lifecycle_id)
    except LifecycleError as error:
        _summarise([("-", "blocked", str(error))])
        options.tell_ci("rollout gate", [Check("registry", "evidence", str(error), LOG)], folder, junit, sarif)
        if error.exit_code == 2:  # nothing to roll out
            output.error(str(error), error.hint, 3, as_json=as_json)
            return 3
        raise
    told = [_answer(rollout, version, moment) for rollout in asked]
    ready = all(answer["status"] == "ready" for answer in told)
    status = "ready" if ready else "blocked"
    _tell_ci(status)
    verified = Check("registry", "evidence", None, LOG)
    checks = [verified, *(_check(folder, answer) for answer in told)]
    options.tell_ci("rollout gate", checks, folder, junit, sarif)
    _summarise([(answer["name"], answer["status"], answer["why"]) for answer in told])
    if as_json:
        output.emit({"status": status, "origin": origin, "newest": log.newest, "rollouts": told})
    else:
        for answer in told:
            output.say(f"{output.status(answer['status'])}  {answer['name']}   {answer['why']}")
        output.field("Evidence", f"{log.lines} lines, the newest of {log.newest}")
    return 0 if ready else 3


def _answer(rollout: Any, version: int | None, moment: str) -> dict[str, Any]:
    """What may be done with a lifecycle's champion, or with the version that was asked for, and why."""
    status, champion = rollout.at(moment), rollout.champion
    name = rollout.lifecycle_id if champion is None else f"{rollout.lifecycle_id}@{champion}"
    why = f"entry {rollout.entry}"
    if champion is None:
        why = "no champion"
    elif version is not None and version != champion:
        status, name, why = "blocked", f"{rollout.lifecycle_id}@{version}", f"the champion is @{champion}"
    elif rollout.until is not None:
        why = f"by override until {rollout.until}" if status == "ready" else f"its override expired {rollout.until}"
    return {"name": name, "status": status, "champion": champion, "entry": rollout.entry, "why": why}


def _check(folder: Path, answer: Mapping[str, Any]) -> Check:
    """Whether a rollout is ready: about the plan of the lifecycle where the checkout has one, else about the log."""
    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.audit.plan_places import plan_about

    name = answer["name"]
    if answer["status"] == "ready":
        return Check(name, "rollout", None, LOG)
    plan = plan_about(folder.absolute(), name.partition("@")[0])
    blocked = Check(name, "rollout", f"{name} is blocked: {answer['why']}", LOG)
    return blocked.at(None if plan is None else plan.place("lifecycle_id"))


def _tell_ci(status: str) -> None:
    """Set the variable that later steps of a job read; blocked before anything is known."""
    _append("GITHUB_ENV", f"ML_ROLLOUT_STATUS={status}\n")


def _summarise(rows: Sequence[tuple[str, str, str]]) -> None:
    """A table for the page of the job."""
    lines = ["| model | rollout | |", "|---|---|---|"]
    lines += [f"| {_cell(name)} | {status} | {_cell(why)} |" for name, status, why in rows]
    _append("GITHUB_STEP_SUMMARY", "\n".join(lines) + "\n")


def _cell(text: str) -> str:
    return output.foreign(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
