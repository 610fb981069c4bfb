"""Dagster with an instance on disk: events and runs are rows in SQLite."""

from __future__ import annotations

import logging
import os

import steps
from dagster import DagsterInstance, job, op

logging.disable(logging.CRITICAL)
train = op(name="train")(lambda: steps.train("."))
evaluate = op(name="evaluate")(lambda model: steps.evaluate(model))
promote = op(name="promote")(lambda model, _metric: steps.promote(model))


@job
def lifecycle() -> None:
    """Train, evaluate, promote."""
    model = train()
    promote(model, evaluate(model))


with DagsterInstance.local_temp(os.getcwd()) as instance:
    steps.report(lambda: lifecycle.execute_in_process(instance=instance))
