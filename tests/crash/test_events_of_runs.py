"""What subscribers of real runs see, and that no subscriber can do a run any harm."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from crash.projects import end_of, orchestrator, plan, start, until
from ledger.writing import submitted
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout

RECORDED = ["Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady"]


def names(events):
    return [event.name for event in events]


def drain(subscription):
    found = []
    while (event := subscription.get(timeout=0)) is not None:
        found.append(event)
    return found


def test_events_come_in_order_each_after_its_entry_is_on_disk(project):
    seen, behind = [], []

    def watch(events):
        while (event := events.get()) is not None:
            seen.append(event)
            lines = project.layout.ledger.read_bytes().splitlines()
            if event.seq is not None and event.seq >= len(lines):
                behind.append(event)
            if event.name == "PromotionReady" and Ledger.read_only(project.layout).state.size <= event.seq:
                behind.append(event)

    with orchestrator(project.layout) as running:
        watcher = threading.Thread(target=watch, args=(running.subscribe(),))
        watcher.start()
        running.run_plan(plan(profile="talks"))
    watcher.join(10)
    assert behind == []
    assert names(event for event in seen if event.seq is not None) == RECORDED
    assert [event.seq for event in seen if event.seq is not None] == [1, 2, 3, 4]
    assert [event.values["step"] for event in seen if event.name == "TrainingProgress"] == [1, 2, 3, 4, 5]
    assert names(seen).index("AgentProvisioned") == 1


async def test_slow_dying_leaving_and_unread_subscribers_do_not_touch_a_run(project):
    async def slow(events):
        found = []
        async for event in events:
            await asyncio.sleep(0.05)
            found.append(event.name)
        return found

    async def dying(events):
        async for event in events:
            raise RuntimeError(event.name)

    async def leaving(events):
        found = []
        async for event in events:
            found.append(event.name)
            events.close()
        return found

    with orchestrator(project.layout) as running:
        unread = running.subscribe()
        readers = [asyncio.create_task(read(running.subscribe())) for read in (slow, dying, leaving)]
        await asyncio.sleep(0)
        report = await running.execute_plan(plan())
    patient, dead, left = await asyncio.wait_for(asyncio.gather(*readers, return_exceptions=True), 20)
    assert report.state == "champion"
    assert [name for name in patient if name in RECORDED] == RECORDED
    assert isinstance(dead, RuntimeError)
    assert left[0] == "Submitted"
    assert [name for name in names(drain(unread)) if name in RECORDED] == RECORDED


def test_a_subscriber_that_blocks_for_ever_blocks_only_itself(project):
    with orchestrator(project.layout) as running:
        events = running.subscribe()
        threading.Thread(target=lambda: events.get() and threading.Event().wait(), daemon=True).start()
        assert running.run_plan(plan()).state == "champion"


def test_one_loop_runs_and_another_listens(project):
    with orchestrator(project.layout) as running:
        events, seen = running.subscribe(), []

        async def listen():
            seen.extend([event.name async for event in events])

        listener = threading.Thread(target=lambda: asyncio.run(listen()))
        listener.start()
        time.sleep(0.1)
        assert asyncio.run(running.execute_plan(plan())).state == "champion"
    listener.join(10)
    assert [name for name in seen if name in RECORDED] == RECORDED


def test_subscribers_of_one_process_see_runs_at_once_in_ledger_order(project):
    async def several(running):
        await asyncio.gather(*(running.execute_plan(plan()) for _ in range(3)))

    with orchestrator(project.layout) as running:
        subscriptions = [running.subscribe() for _ in range(2)]
        asyncio.run(several(running))
    entries = len(project.entries())
    assert entries >= 13  # once more is measured where another champion has come between
    for subscription in subscriptions:
        recorded = [event.seq for event in drain(subscription) if event.seq is not None]
        assert recorded == list(range(1, entries))


def write_many(folder, lifecycle_id, count):
    """Another process that records: so many versions that were submitted."""
    with Ledger.open(Layout.of(Path(folder)), KeyStore()) as ledger:
        for _ in range(count):
            ledger.append(submitted(lifecycle_id))


def writers(project, count=20):
    return [start(write_many, str(project.layout.project), name, count) for name in ("one", "two", "three")]


def seqs(events):
    return [event.seq for event in events if event.seq is not None]


def test_what_other_processes_record_is_told_once_and_in_order_wherever_one_starts(project):
    """Three processes record, and this one runs a plan; who starts from an index misses nothing and gets nothing twice."""
    with orchestrator(project.layout) as running:
        first, own = running.subscribe(since=0), running.subscribe(others=False)
        others = writers(project)
        late = []
        work = threading.Thread(target=running.run_plan, args=(plan(),))
        work.start()
        while work.is_alive() or any(process.is_alive() for process in others):
            late.append((len(late), running.subscribe(since=len(late))))
            time.sleep(0.05)
        assert [end_of(process) for process in others] == [0, 0, 0]
        work.join()
    size = project.state.size
    assert size == 1 + 60 + len(RECORDED)
    assert seqs(drain(first)) == list(range(1, size))
    for since, subscription in late:
        assert seqs(drain(subscription)) == list(range(max(1, since), size))
    mine = drain(own)
    assert [name for name in names(mine) if name in RECORDED] == RECORDED
    assert {event.lifecycle_id for event in mine} == {"odd"}
    assert late


def test_an_idle_orchestrator_tells_what_others_record(project):
    with orchestrator(project.layout) as running:
        events = running.subscribe()
        end_of(start(write_many, str(project.layout.project), "one", 3))
        assert [events.get(timeout=20).seq for _ in range(3)] == [1, 2, 3]
        assert events.get(timeout=0.5) is None


def test_nobody_looks_any_more_when_the_orchestrator_is_gone(project):
    running = orchestrator(project.layout)
    running.subscribe()
    assert [thread.name for thread in threading.enumerate()].count("noa-follower") == 1
    running.close()
    assert "noa-follower" not in [thread.name for thread in threading.enumerate()]
    forgotten = orchestrator(project.layout)
    forgotten.subscribe()
    forgotten.ledger.close()
    del forgotten
    until(lambda: "noa-follower" not in [thread.name for thread in threading.enumerate()])


def watching(project, *arguments):
    command = [sys.executable, "-m", "noa_mlops", "watch", "--json", *arguments, "-C", str(project.layout.project)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_watch_shows_each_entry_once_while_several_processes_record(project):
    watchers = [watching(project, "--since", since) for since in ("0", "7")]
    try:
        others = writers(project)
        assert [end_of(process) for process in others] == [0, 0, 0]
        for watcher, since in zip(watchers, (0, 7), strict=True):
            lines = [json.loads(watcher.stdout.readline()) for _ in range(since, 61)]
            assert [line["seq"] for line in lines] == list(range(since, 61))
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.communicate()
