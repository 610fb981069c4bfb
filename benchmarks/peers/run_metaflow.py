"""Metaflow with its local datastore: a flow is a program, and each step of it a process."""

from __future__ import annotations

import os
import subprocess
import sys

import steps
from metaflow import FlowSpec, step

os.environ |= {"USERNAME": "bench", "METAFLOW_DATASTORE_SYSROOT_LOCAL": os.getcwd()}


class Lifecycle(FlowSpec):
    """Train, evaluate, promote."""

    @step
    def start(self) -> None:
        """Write the model."""
        self.model = steps.train(os.getcwd())
        self.next(self.evaluate)

    @step
    def evaluate(self) -> None:
        """Measure it."""
        self.metric = steps.evaluate(self.model)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Put it in force."""
        steps.promote(self.model)


def run_once() -> None:
    """Run the flow as its users do, from the command line."""
    subprocess.run([sys.executable, __file__, "--quiet", "run"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        steps.report(run_once)
    else:
        Lifecycle()
