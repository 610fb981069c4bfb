"""Many runs at once: numbers without gaps, one chain, every promotion decided against the champion before it."""

import asyncio
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crash.projects import (
    MOMENTS,
    PROFILES,
    AgentFactory,
    Calls,
    RuntimeManager,
    die_at,
    end_of,
    is_stopped,
    open_orchestrator,
    orchestrator,
    plan,
    processes_of,
    run_plan,
    start,
    stop_at,
    until,
)
from noa_mlops.audit import repair
from noa_mlops.errors import RegistryConflict
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.registry import CapabilityRegistry
from noa_mlops.registry.writing import writing


def check_that_all_is_in_order(project, versions, lifecycle_id="odd"):
    """Nothing is lost, doubled or out of order, and the mirror is what the ledger gives, byte for byte."""
    assert project.statuses(lifecycle_id) == ["former"] * (versions - 1) + ["champion"] or sorted(
        project.statuses(lifecycle_id)
    ) == ["champion"] + ["former"] * (versions - 1)
    entries = [entry for entry in project.entries() if entry.lifecycle_id == lifecycle_id]
    submitted = [entry.version for entry in entries if entry.type == "Submitted"]
    assert submitted == list(range(1, versions + 1))
    champion = None
    for entry in entries:
        if entry.type == "PromotionReady":
            assert entry.predicate["noa:decision"]["replaces"] == champion
            champion = entry.version
    assert project.state.lifecycle(lifecycle_id).champion == champion
    assert project.findings() == []
    check_mirror(project)


def check_mirror(project):
    files = (project.layout.mirror, project.layout.mirror_checkpoint)
    before = [path.read_bytes() for path in files]
    repair(project.layout)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("count", [2, 8])
def test_processes_share_one_lifecycle(project, count):
    running = [start(run_plan, project.layout) for _ in range(count)]
    assert [end_of(process) for process in running] == [0] * count
    check_that_all_is_in_order(project, count)


async def test_plans_run_at_once_in_one_process(project):
    with orchestrator(project.layout) as running:
        reports = await asyncio.gather(
            *(running.execute_plan(plan()) for _ in range(4)), *(running.execute_plan(plan("even")) for _ in range(2))
        )
    assert sorted(report.address for report in reports) == ["even@1", "even@2", "odd@1", "odd@2", "odd@3", "odd@4"]
    assert {report.state for report in reports} == {"champion"}
    check_that_all_is_in_order(project, 4)
    check_that_all_is_in_order(project, 2, "even")


def test_orchestrators_share_a_runtime_between_threads(project):
    runtime = RuntimeManager()
    with (
        open_orchestrator(project.layout, AgentFactory(PROFILES), runtime) as one,
        open_orchestrator(project.layout, AgentFactory(PROFILES), runtime) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        reports = list(threads.map(lambda which: which.run_plan(plan()), [one, other, one, other]))
    assert sorted(report.version for report in reports) == [1, 2, 3, 4]
    check_that_all_is_in_order(project, 4)


def test_a_live_run_is_left_alone(project):
    layout, waiting = project.layout, plan(profile="waits-for-a-sign")
    running = start(run_plan, layout, waiting)
    sign = layout.workspaces / "odd-1" / "checkpoint" / "sign"
    until((layout.workspaces / "odd-1" / "stdout.log").exists)
    until(lambda: processes_of(layout))
    following = start(run_plan, layout, waiting)
    until((layout.workspaces / "odd-2" / "stdout.log").exists)
    (layout.workspaces / "odd-2" / "checkpoint" / "sign").touch()
    assert end_of(following) == 0
    assert project.statuses() == ["submitted", "champion"]
    sign.touch()
    assert end_of(running) == 0
    assert project.statuses() == ["champion", "former"]
    check_that_all_is_in_order(project, 2)


def test_the_mirror_can_be_rebuilt_while_runs_append_to_it(project):
    runs = [start(run_plan, project.layout) for _ in range(2)]
    while any(process.is_alive() for process in runs):
        repair(project.layout)
    assert [end_of(process) for process in runs] == [0, 0]
    check_that_all_is_in_order(project, 2)


def test_a_writer_of_the_registry_that_is_held_still_makes_others_wait_but_not_for_ever(project):
    layout = project.layout
    holder = start(hold_the_registry, layout)
    until((layout.project / "held").exists)
    os.kill(holder.pid, signal.SIGSTOP)
    with pytest.raises(RegistryConflict, match="in use by another process"), writing(layout.mirror, timeout=0.2):
        pass
    holder.kill()
    end_of(holder)
    assert project.run().address == "odd@1"


def hold_the_registry(layout):
    with writing(layout.capabilities):
        (layout.project / "held").touch()
        threading.Event().wait()


def ensure(layout, names):
    registry = CapabilityRegistry(layout.capabilities)
    for name in names:
        registry.ensure({"id": name, "type": "test", "requires": [], "provides": []})


def test_no_process_loses_the_capabilities_of_another(project):
    groups = [[f"{group}.{number}" for number in range(15)] for group in "abcd"]
    writers = [start(ensure, project.layout, names) for names in groups]
    assert [end_of(process) for process in writers] == [0] * 4
    found = [entry["id"] for entry in CapabilityRegistry(project.layout.capabilities).capabilities()]
    assert found[0] == "ml.lifecycle.controller"
    assert sorted(found[1:]) == sorted(name for names in groups for name in names)


def test_what_another_program_writes_between_our_reading_and_our_writing_is_kept(project):
    path = project.layout.capabilities

    def interfere():
        document = json.loads(path.read_bytes())
        document["capabilities"].insert(0, {"id": "theirs", "since": 1})
        path.write_text(json.dumps(document))

    with Calls("fsync in files", 1, interfere).watched():
        CapabilityRegistry(path).ensure({"id": "ours", "type": "test"})
    found = [entry["id"] for entry in CapabilityRegistry(path).capabilities()]
    assert found == ["theirs", "ml.lifecycle.controller", "ours"]


def test_a_decision_taken_on_a_champion_that_has_passed_is_taken_again(project):
    layout = project.layout
    slow = start(stop_at, layout, "rename in store", 1)
    until(lambda: is_stopped(slow.pid))
    assert end_of(start(run_plan, layout)) == 0
    assert project.statuses() == ["evaluated", "champion"]
    os.kill(slow.pid, signal.SIGCONT)
    assert end_of(slow) == 0
    assert project.statuses() == ["champion", "former"]
    check_that_all_is_in_order(project, 2)


def test_two_processes_that_finish_one_run_at_once_promote_it_once(project):
    """One of them goes on where it was cut off, the other makes a version of its own."""
    moments = ("before the decision is recorded", "before the decision is sealed", "before the mirror")
    for moment in moments if os.environ.get("NOA_SOAK") else moments[:1]:
        first = len(project.state.lifecycle("odd").versions) + 1
        assert end_of(start(die_at, project.layout, *MOMENTS[moment])) == -9
        both = [start(run_plan, project.layout) for _ in range(2)]
        assert [end_of(process) for process in both] == [0, 0]
        decided = [entry.version for entry in project.entries() if entry.type == "PromotionReady"]
        assert sorted(decided) == list(range(1, first + 2)), moment
    check_that_all_is_in_order(project, len(decided))


def test_readers_see_promotions_in_order_while_writers_are_at_work(project):
    writers = [start(run_plan, project.layout) for _ in range(3)]
    seen = []
    while any(process.is_alive() for process in writers):
        lifecycle = Ledger.read_only(project.layout).state.lifecycle("odd")
        if lifecycle.deciding is not None and (not seen or seen[-1] != (lifecycle.deciding, lifecycle.champion)):
            seen.append((lifecycle.deciding, lifecycle.champion))
    assert [end_of(process) for process in writers] == [0, 0, 0]
    assert [deciding for deciding, _ in seen] == sorted(deciding for deciding, _ in seen)
    with Ledger.open(project.layout, KeyStore()) as ledger:
        decided = [(entry.seq, entry.version) for entry, _ in ledger.entries() if entry.type == "PromotionReady"]
    assert set(seen) <= set(decided)
