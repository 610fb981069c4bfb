"""A workspace, and a way to run Python in it as an agent."""

import os
import sys
from pathlib import Path

import pytest

from noa_mlops.agents import Job, Limits, RuntimeManager, Workspace, best_isolation
from noa_mlops.records.layout import Layout

sealable = pytest.mark.skipif(best_isolation() != "sealed", reason="this kernel offers no Landlock")


@pytest.fixture
def layout(tmp_path):
    return Layout.of(tmp_path / "project")


@pytest.fixture
def workspace(layout):
    with Workspace.claim(layout, "rainfall-1") as claimed:
        claimed.prepare()
        yield claimed


class Bench:
    """Runs programs in one workspace."""

    def __init__(self, workspace, layout):
        self.workspace = workspace
        self.layout = layout

    def job(self, source, *, isolation="basic", readable=(), environment=None, site=False, **limits):
        flags = ("-I",) if site else ("-I", "-S")
        return Job(
            argv=(sys.executable, *flags, "-c", source),
            cwd=self.workspace.path,
            readable=tuple(readable),
            writable=self.workspace.writable,
            hidden=(self.layout.project,),
            environment=environment or {},
            limits=Limits(**{"time": 60, **limits}),
            isolation=isolation,
        )

    def run(self, source, **options):
        return RuntimeManager().run(self.job(source, **options))

    def printed(self, name="stdout.log"):
        return (self.workspace.path / name).read_text()

    def said(self, source, **options):
        """What a program that must succeed printed."""
        outcome = self.run(source, **options)
        assert outcome.completed, (outcome, self.workspace.tail())
        return self.printed().strip()


@pytest.fixture
def bench(workspace, layout):
    return Bench(workspace, layout)


def alive(mark):
    """The processes of the machine whose command line holds ``mark``; zombies have none."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


@pytest.fixture
def still_alive():
    return alive
