"""DBOS on SQLite: each step's result is a row before the next begins."""

from __future__ import annotations

import logging

import steps
from dbos import DBOS

DBOS(config={"name": "peer", "system_database_url": "sqlite:///dbos.sqlite", "run_admin_server": False})
logging.disable(logging.CRITICAL)

train = DBOS.step()(steps.train)
evaluate = DBOS.step()(steps.evaluate)
promote = DBOS.step()(steps.promote)


@DBOS.workflow()
def lifecycle() -> str:
    """Train, evaluate, promote."""
    model = train(".")
    evaluate(model)
    return promote(model)


DBOS.launch()
steps.report(lifecycle)
DBOS.destroy()
