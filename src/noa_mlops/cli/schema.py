"""``noa schema``: what an editor needs to complete and check plans."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa schema plan > plan.schema.json")
@click.argument("kind", type=click.Choice(["plan", "dataset", "settings"]), default="plan")
@options.common
def schema(kind: str, folder: Path, *, as_json: bool) -> int:
    """Print the JSON Schema (2020-12) of training plans, dataset definitions or the settings in noa.yaml."""
    from noa_mlops.records.schema import dataset_schema, plan_schema, settings_schema

    output.emit({"plan": plan_schema, "dataset": dataset_schema, "settings": settings_schema}[kind]())
    return 0
