"""Deployments pull while champions change, go back and are promoted, and while pulls are killed: `current` is whole at any moment."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import time
from pathlib import Path

from crash.projects import end_of, orchestrator, plan, start, until
from noa_mlops.delivery import pull
from noa_mlops.errors import LedgerConflict
from noa_mlops.files import hash_stream
from noa_mlops.ledger import Ledger
from noa_mlops.lifecycle.acts import sign_here
from noa_mlops.lifecycle.rollback import request_rollback, roll_back
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import Manifest

ROUNDS = 4
SECONDS = 1.5


def pull_again_and_again(folder, to, origin, end):
    """One deployment of many: any error ends it and is seen in its exit status."""
    while time.time() < end:
        pull("odd", Path(to), project=Path(folder), origin=origin)


def pull_into_new_folders(folder, to, origin):
    """First pulls, one after the other, so that whoever kills it kills one while it lands."""
    for number in itertools.count():
        pull("odd", Path(to, str(number)), project=Path(folder), origin=origin)


def go_back_and_forth(folder, end):
    """An operator who cannot make up their mind: the champion changes all the time."""
    layout = Layout.of(Path(folder))
    while time.time() < end:
        ledger = Ledger.read_only(layout)
        champion = ledger.state.lifecycle("odd").champion
        request = request_rollback(ledger, "odd", 1 if champion == 2 else 2, "to and fro")
        with contextlib.suppress(LedgerConflict):  # somebody decided meanwhile: look again
            roll_back(layout, sign_here(request, ledger))


def promote_once(folder):
    with orchestrator(Layout.of(Path(folder))) as running:
        return 0 if running.run_plan(plan(profile="wide")).state == "champion" else 9


def whole(link):
    """The folder that the link leads to now, with every byte that its manifest names and no file besides."""
    folder = Path(os.path.realpath(link))
    manifest = Manifest.from_bytes((folder / "manifest.json").read_bytes())
    found = {str(path.relative_to(folder / "model")) for path in (folder / "model").rglob("*") if path.is_file()}
    assert found == {file.path for file in manifest.files}
    for file in manifest.files:
        with (folder / "model" / file.path).open("rb") as stream:
            assert hash_stream(stream) == file.sha256
    assert (folder / "model.sig").stat().st_size > 0
    return manifest.version


def test_current_is_a_whole_version_at_any_moment(project, home):
    for _ in range(2):
        project.run(plan=plan(profile="wide"))
    origin, folder = Ledger.read_only(project.layout).origin, str(project.layout.project)
    end, draw = time.time() + ROUNDS * SECONDS, random.Random(5)
    deciding = [start(go_back_and_forth, folder, end), start(promote_once, folder)]
    seen, killed = set(), 0
    for number in range(ROUNDS):
        to, ends = home / f"served-{number}", time.time() + SECONDS
        arguments = (pull_again_and_again, folder, str(to), origin, ends)
        pullers = [start(*arguments) for _ in range(2)]
        while time.time() < ends:
            if os.path.lexists(to / "current"):
                seen.add(whole(to / "current"))
            if draw.random() < 0.2:
                victim = pullers[0]
                if victim.is_alive():
                    os.kill(victim.pid, signal.SIGKILL)
                    killed += 1
                    assert end_of(victim) in (-signal.SIGKILL, 0)
                    pullers[0] = start(*arguments)
        assert [end_of(puller) for puller in pullers] == [0, 0]
        pulled = pull("odd", to, project=Path(folder), origin=origin)
        assert whole(to / "current") == pulled.version
        assert not list(to.glob(".*.tmp"))
        assert {path.name for path in to.iterdir()} >= {pulled.digest, "current"}
    assert [end_of(process) for process in deciding] == [0, 0]
    assert killed >= ROUNDS
    assert len(seen) > 1
    assert project.findings() == []


def test_a_pull_that_was_killed_while_it_landed_left_nothing_that_the_next_one_trips_over(project, home):
    project.run(plan=plan(profile="wide"))
    origin, folder = Ledger.read_only(project.layout).origin, str(project.layout.project)
    draw, unfinished = random.Random(7), 0
    for attempt in range(12):
        to = home / f"served-{attempt}"
        puller = start(pull_into_new_folders, folder, str(to), origin)
        until((to / "0" / "current").exists)
        time.sleep(draw.uniform(0, 0.06))
        os.kill(puller.pid, signal.SIGKILL)
        assert end_of(puller) == -signal.SIGKILL
        last = max(to.iterdir(), key=lambda path: int(path.name))
        unfinished += bool(list(last.glob(".*.tmp")))
        assert not os.path.lexists(last / "current") or whole(last / "current") == 1
        assert pull("odd", last, project=Path(folder), origin=origin).version == whole(last / "current") == 1
        assert not list(last.glob(".*.tmp"))
    assert unfinished, "no pull was killed while it landed"
