"""The orchestrator from Python, as its users write it."""

import ast
import asyncio
import inspect
import json
import os
import threading
from functools import partial
from pathlib import Path

import pytest

from end_to_end.projects import PLAN, Project, alive, lay_out, told, until
from noa_mlops import AgentFactory, RuntimeManager, TrainingPlan, bootstrap_default_orchestrator
from noa_mlops.lifecycle import Interrupted

SNIPPET = """\
from noa_mlops import AgentFactory, RuntimeManager, TrainingPlan, bootstrap_default_orchestrator
orchestrator = bootstrap_default_orchestrator(AgentFactory(), RuntimeManager(), "storage/artifacts",
    "storage/db/evidence/ledger.jsonl", "registry/capabilities.json", "ml.lifecycle.controller")
events = orchestrator.subscribe()
report = await orchestrator.execute_plan(TrainingPlan.load("plan.yaml"))
"""
"""The bootstrap procedure, word for word."""

IN_TWO_HALVES = """\
: {mark}
if [ -e checkpoint/half ]; then echo 0.5 > out/cut; exit 0; fi
echo half > checkpoint/half
echo '{{"step": 1, "of": 2}}' >> progress.jsonl
sleep {mark}
"""
"""A trainer that never ends its first half; its second half needs what the first left in checkpoint/."""


@pytest.fixture
def here(folder, monkeypatch):
    """An empty folder but for data, programs and plans, and the process stands in it."""
    monkeypatch.chdir(folder.path)
    (folder.path / "plan.json").rename(folder.path / "plan.yaml")
    return folder


@pytest.fixture
def bootstrap():
    """Orchestrators as the procedure makes them; closed at the end."""
    opened = []

    def make(root=".", runtime=None):
        paths = ("storage/artifacts", "storage/db/evidence/ledger.jsonl", "registry/capabilities.json")
        orchestrator = bootstrap_default_orchestrator(
            AgentFactory(),
            runtime or RuntimeManager(),
            *(Path(root, path) for path in paths),
            "ml.lifecycle.controller",
        )
        opened.append(orchestrator)
        return orchestrator

    yield make
    for orchestrator in opened:
        orchestrator.close()


def plan(name="plan.yaml", **changes) -> TrainingPlan:
    """The usual plan with some fields changed."""
    return TrainingPlan.from_document({**PLAN, **changes}, name)


def test_the_bootstrap_procedure_works_word_for_word_in_an_empty_folder(here):
    names: dict[str, object] = {}
    code = compile(SNIPPET, "<procedure>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def procedure():
        pending = eval(code, names)
        assert inspect.iscoroutine(pending)
        await pending

    asyncio.run(procedure())
    report, orchestrator = names["report"], names["orchestrator"]
    assert (report.state, report.status, report.champion, report.promoted) == ("champion", "ready", 1, True)
    orchestrator.close()
    seen = [names["events"].get(0).name for _ in range(5)]
    assert seen[:3] == ["Submitted", "AgentProvisioned", "TrainingCompleted"]
    assert [item["id"] for item in json.loads(Path("registry/capabilities.json").read_bytes())["capabilities"]] == [
        "ml.lifecycle.controller"
    ]
    assert told("verify").status == 0
    assert {"noa.yaml", "policy.yaml", "plans", "storage", "registry"} <= set(os.listdir())


async def test_events_come_in_order_and_each_only_after_its_entry_is_on_disk(here, bootstrap):
    evidence = here.path / "storage/db/evidence"

    def on_disk(seq):
        return json.loads((evidence / "ledger.jsonl").read_bytes().splitlines()[seq])["noa_entry"]["type"]

    def sealed_entries():
        newest = (evidence / "checkpoints.log").read_text().split(f"{orchestrator.ledger.origin}\n")[-1]
        return int(newest.splitlines()[0])

    here.programs(train='echo \'{"step": 1, "of": 1}\' >> progress.jsonl; sleep 0.3; echo 0.5 > out/cut\n')
    orchestrator = bootstrap()
    seen = []

    async def listen(events):
        async for event in events:
            if event.seq is not None:
                assert on_disk(event.seq) == event.name
            if event.name == "PromotionReady":
                assert sealed_entries() > event.seq
            seen.append(event)

    listener = asyncio.create_task(listen(orchestrator.subscribe()))
    first = await orchestrator.execute_plan(plan())
    second = await orchestrator.execute_plan(plan(seed=1))
    orchestrator.close()
    await listener
    way = [
        "Submitted",
        "AgentProvisioned",
        "TrainingProgress",
        "TrainingCompleted",
        "EvaluationLogged",
        "PromotionReady",
    ]
    assert [event.name for event in seen] == [*way, *way]
    recorded = [event.seq for event in seen if event.seq is not None]
    assert recorded == sorted(recorded) == list(range(1, 9))
    assert [event.version for event in seen] == [1] * 6 + [2] * 6
    assert (first.entry, second.entry) == (4, 8)


async def test_a_subscriber_that_never_reads_or_has_gone_delays_nobody(here, bootstrap):
    orchestrator = bootstrap()
    idle, gone = orchestrator.subscribe(), orchestrator.subscribe()
    gone.close()
    del gone
    report = await orchestrator.execute_plan(plan())
    assert report.promoted
    assert idle.get(0).name == "Submitted"


async def test_a_subscriber_may_start_earlier_and_misses_nothing(here, bootstrap):
    orchestrator = bootstrap()
    await orchestrator.execute_plan(plan())
    assert here.tell("run", "plan.yaml").status == 0
    late, later = orchestrator.subscribe(since=0), orchestrator.subscribe(since=7)
    await orchestrator.execute_plan(plan(seed=1))
    orchestrator.close()
    told = [[event.seq async for event in events if event.seq is not None] for events in (late, later)]
    assert told == [list(range(1, 13)), list(range(7, 13))]


async def test_the_blocking_call_works_inside_a_running_event_loop(here, bootstrap):
    assert asyncio.get_running_loop().is_running()
    assert bootstrap().run_plan(plan()).promoted


async def test_several_plans_run_at_once(here, bootstrap):
    names = ["north", "south", "east"]
    orchestrator = bootstrap()
    reports = await asyncio.gather(*(orchestrator.execute_plan(plan(lifecycle_id=name)) for name in names))
    assert [(report.lifecycle_id, report.version, report.state) for report in reports] == [
        (name, 1, "champion") for name in names
    ]
    assert [entry["noa_entry"]["seq"] for entry in here.entries()] == list(range(13))
    assert told("verify").status == 0


async def test_several_plans_of_one_lifecycle_run_at_once_and_decide_one_after_the_other(here, bootstrap):
    orchestrator = bootstrap()
    reports = await asyncio.gather(*(orchestrator.execute_plan(plan(seed=seed)) for seed in range(3)))
    assert sorted(report.version for report in reports) == [1, 2, 3]
    assert _replaced(here) == _in_force_before(here)
    assert told("verify").status == 0


async def test_two_orchestrators_share_a_runtime(here, bootstrap, home):
    other = lay_out(home / "elsewhere")
    runtime = RuntimeManager()
    both = bootstrap(runtime=runtime), bootstrap(other.path, runtime=runtime)
    reports = await asyncio.gather(*(orchestrator.execute_plan(plan()) for orchestrator in both))
    assert [report.promoted for report in reports] == [True, True]
    assert len({entry["noa_entry"]["prev"] for entry in (here.entries()[1], other.entries()[1])}) == 2
    assert here.verifies()
    assert other.verifies()


async def test_two_orchestrators_of_one_project_share_a_runtime(here, bootstrap):
    runtime = RuntimeManager()
    first, second = bootstrap(runtime=runtime), bootstrap(runtime=runtime)
    reports = await asyncio.gather(first.execute_plan(plan()), second.execute_plan(plan(seed=1)))
    assert sorted(report.version for report in reports) == [1, 2]
    assert _replaced(here) == _in_force_before(here)
    assert here.verifies()


async def test_cancelling_stops_the_agent_and_the_same_plan_continues(here, bootstrap, mark):
    here.programs(train=IN_TWO_HALVES.format(mark=mark))
    orchestrator = bootstrap()
    events = orchestrator.subscribe()
    task = asyncio.create_task(orchestrator.execute_plan(plan()))
    async for event in events:
        if event.name == "TrainingProgress":
            until(lambda: alive(mark))
            task.cancel()
            break
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(mark)
    assert [entry["noa_entry"]["type"] for entry in here.entries()] == ["Genesis", "Submitted"]
    assert told("show", "little", "--json").document["versions"][0]["state"] == "interrupted"
    report = await orchestrator.execute_plan(plan())
    assert (report.version, report.state) == (1, "champion")
    assert [entry["noa_entry"]["type"] for entry in here.entries()].count("Submitted") == 1
    assert here.verifies()


def test_the_blocking_call_is_interrupted_from_another_thread(here, bootstrap, mark):
    here.programs(train=IN_TWO_HALVES.format(mark=mark))
    orchestrator, cancel = bootstrap(), threading.Event()
    events = orchestrator.subscribe()

    def stop():
        while (event := events.get(30)) is not None and event.name != "TrainingProgress":
            pass
        cancel.set()

    watcher = threading.Thread(target=stop)
    watcher.start()
    with pytest.raises(Interrupted, match="little@1"):
        orchestrator.run_plan(plan(), cancel)
    watcher.join()
    assert not alive(mark)
    assert orchestrator.run_plan(plan()).promoted


async def test_a_plan_that_cannot_be_used_is_an_error_and_leaves_the_orchestrator_usable(here, bootstrap):
    from noa_mlops import LifecycleError

    orchestrator = bootstrap()
    before = here.state()
    with pytest.raises(LifecycleError, match=r"dataset_path: data/gone\.csv: no such file"):
        await orchestrator.execute_plan(plan(dataset_path="data/gone.csv"))
    assert here.state() == before
    assert (await orchestrator.execute_plan(plan())).promoted


async def test_a_failed_training_and_a_rejected_model_are_reports(here, bootstrap):
    orchestrator = bootstrap()
    here.programs(train="exit 3\n")
    failed = await orchestrator.execute_plan(plan())
    here.programs()
    strict = {**PLAN["evaluation"], "metric_thresholds": {"roc_auc": 1.0, "log_loss": 0.0}}
    rejected = await orchestrator.execute_plan(plan(evaluation=strict))
    assert (failed.state, failed.failure["cause"], failed.exit_code) == ("failed", "exit_status", 6)
    assert (rejected.state, rejected.reasons, rejected.exit_code) == ("rejected", ("threshold",), 3)
    assert rejected.champion is None


def test_other_folders_than_the_usual_ones_are_taken_as_given(here, tmp_path):
    make = partial(bootstrap_default_orchestrator, AgentFactory(), RuntimeManager())
    with make(tmp_path / "far/models", "storage/db/log.jsonl", "elsewhere/caps.json", "my.trainer") as orchestrator:
        report = orchestrator.run_plan(plan())
    assert report.promoted
    assert (tmp_path / "far/models/little/command/1/manifest.json").exists()
    assert Path("elsewhere/ml_artifacts.log").exists()
    assert json.loads(Path("elsewhere/caps.json").read_bytes())["capabilities"][0]["id"] == "my.trainer"


def _decisions(project: Project) -> list[dict]:
    return [entry for entry in project.entries() if entry["noa_entry"]["type"] == "PromotionReady"]


def _replaced(project: Project) -> list[int | None]:
    """What each decision, in the order of the ledger, says it replaces."""
    return [entry["predicate"]["noa:decision"]["replaces"] for entry in _decisions(project)]


def _in_force_before(project: Project) -> list[int | None]:
    """What each decision had to replace, when all of them promote."""
    return [None, *(entry["noa_entry"]["version"] for entry in _decisions(project))][:-1]
