"""``noa schema``: what an editor needs to complete and check plans, and the check itself for a commit hook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.annotating import at_their_lines
from noa_mlops.errors import PlanInvalid, Problem

if TYPE_CHECKING:
    from noa_mlops.records.plan import TrainingPlan
    from noa_mlops.records.reading.fields import Fault

KINDS = ("plan", "dataset", "settings")
"""The documents of which there is a schema."""

SETTINGS = "noa.yaml"
"""The name of the settings of a project."""


@click.command(epilog="Example: noa schema plan > plan.schema.json, or noa schema --check plans/*.yaml")
@click.argument("names", nargs=-1, metavar="[plan|dataset|settings] | --check FILE...")
@click.option("--check", "checks", is_flag=True, help="Check plans, dataset definitions and noa.yaml by themselves.")
@options.common
def schema(names: tuple[str, ...], folder: Path, *, checks: bool, as_json: bool) -> int:
    """Print the JSON Schema (2020-12) of training plans, dataset definitions or the settings in noa.yaml.

    With --check: read plans, dataset definitions (*.dataset.yaml) and settings (noa.yaml) as a run would, hyperparameters
    too, and name every mistake at its line. Needs no project, no key and no data, and runs nothing; exit status 2 when
    there is a mistake.
    """
    if checks:
        return _check(names, folder.absolute(), as_json=as_json)
    if len(names) > 1 or not set(names) <= set(KINDS):
        raise click.BadParameter(
            f"{' '.join(names)!r} is not one of {', '.join(KINDS)}; files are checked with --check"
        )
    from noa_mlops.records.schema import dataset_schema, plan_schema, settings_schema

    written = {"plan": plan_schema, "dataset": dataset_schema, "settings": settings_schema}
    output.emit(written[names[0] if names else "plan"]())
    return 0


def _check(names: tuple[str, ...], folder: Path, *, as_json: bool) -> int:
    problems = tuple(problem for name in names for problem in _problems(folder, name))
    at_their_lines(problems, folder)
    if as_json:
        output.emit({"checked": len(names), "problems": [asdict(problem) for problem in problems]})
    elif problems:
        output.error("", None, 2, problems=problems)
    else:
        output.say(f"{len(names)} checked, no mistake")
    return 2 if problems else 0


def _problems(folder: Path, name: str) -> tuple[Problem, ...]:
    """Every mistake in one file."""
    from noa_mlops.records.dataset import DEFINITION_SUFFIXES, DatasetDefinition
    from noa_mlops.records.plan import TrainingPlan
    from noa_mlops.records.reading.document import read_document, read_file
    from noa_mlops.records.settings import Settings

    try:
        data = read_file(folder / name, name=name)
        if name.lower().endswith(DEFINITION_SUFFIXES):
            read_document(data, name=name, kind=DatasetDefinition)
        elif PurePath(name).name == SETTINGS:
            read_document(data, name=name, kind=Settings)
        else:
            read_document(data, name=name, kind=TrainingPlan, check=_faults)
    except PlanInvalid as error:
        return error.problems or (Problem(name, str(error)),)
    return ()


def _faults(plan: TrainingPlan) -> Iterator[Fault]:
    """What its profile refuses of a plan, without the packages that the profile needs."""
    from noa_mlops.agents import AgentFactory
    from noa_mlops.errors import NotFound
    from noa_mlops.records.reading.fields import Fault
    from noa_mlops.trainers.hyperparameters import check_beside, check_hyperparameters, check_quantiles

    try:
        name = AgentFactory().profile(plan.agent_profile).name
    except NotFound as error:
        yield Fault(f"{{}}: {error}", ("agent_profile",), of_key=True)
        return
    wrong = list(check_hyperparameters(name, plan.hyperparameters))
    if plan.quantiles:
        wrong += check_quantiles(name, plan.hyperparameters)
    yield from (Fault(f"{{}}: {text}", ("hyperparameters",), of_key=True) for text in wrong)
    for text in check_beside(name, plan.hyperparameters, code=plan.code, gpus=plan.resources.gpus):
        yield Fault(f"{{}}: {text}", ("agent_profile",), of_key=True)
