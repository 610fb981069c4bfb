"""``noa schema``: what an editor needs to complete and check plans."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa schema plan > plan.schema.json")
@click.argument("kind", type=click.Choice(["plan", "dataset"]), default="plan")
@options.common
def schema(kind: str, folder: Path, *, as_json: bool) -> int:
    """Print the JSON Schema (2020-12) of training plans or dataset definitions."""
    from noa_mlops.records.schema import dataset_schema, plan_schema

    output.emit(plan_schema() if kind == "plan" else dataset_schema())
    return 0
