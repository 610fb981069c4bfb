"""Many who append at once share one write and one sync; each is told the truth about its own entry."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.writing import OPEN, decided, evaluated, promote, python, submitted, trained
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import Ledger, LedgerEntry, LedgerState, admit, split_records


def fold(layout):
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
        assert isinstance(state, LedgerState), state
    return state


@pytest.fixture
def syncs(monkeypatch):
    """One item for each sync, the number of bytes that the file then had."""
    done, real = [], os.fdatasync

    def counted(descriptor):
        real(descriptor)
        done.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fdatasync", counted)
    return done


def in_line(ledger, count):
    """Wait until so many callers are in line behind the one that writes."""
    while len(ledger._group._queue._waiting) < count:
        time.sleep(0.001)


def behind_a_leader(ledger, composes):
    """Append each compose in a thread of its own, all of them while another one writes; their outcomes, in order."""
    held = threading.Event()

    def compose(state):
        held.set()
        in_line(ledger, len(composes))
        return submitted("leader")(state)

    with ThreadPoolExecutor(len(composes) + 1) as threads:
        leader = threads.submit(ledger.append, compose)
        held.wait()
        futures = []
        for each in composes:
            in_line(ledger, len(futures))
            futures.append(threads.submit(ledger.append, each))
        leader.exception()
        return [future.exception() or future.result() for future in futures]


def test_a_batch_costs_one_write_and_one_sync(ledger, layout, syncs):
    outcomes = ledger.append_many([submitted() for _ in range(50)])
    assert [entry.seq for entry in outcomes] == list(range(1, 51))
    assert syncs == [layout.ledger.stat().st_size]
    assert fold(layout) == ledger.state


def test_each_of_a_batch_sees_what_those_before_it_made(ledger):
    seen = []
    ledger.append_many([lambda state: seen.append(state.size) or submitted()(state)] * 4)
    assert seen == [1, 2, 3, 4]


def test_one_that_raises_leaves_no_entry_and_does_not_hurt_the_others(ledger, layout):
    def refuse(state):
        raise ValueError("not today")

    first, second, third, fourth = ledger.append_many([submitted(), refuse, trained(version=7), submitted()])
    assert (first.seq, fourth.seq) == (1, 2)
    assert str(second) == "not today"
    assert isinstance(third, LedgerConflict)
    assert "never submitted" in str(third)
    assert fold(layout).size == 3


def test_two_decisions_on_one_champion_in_one_batch_are_a_conflict(ledger):
    """The second was decided on a state that the first has made old."""
    ledger.append_many([submitted(), submitted(), trained(1), trained(2), evaluated(1), evaluated(2)])
    first, second = ledger.append_many([decided(1), decided(2)])
    assert isinstance(first, LedgerEntry)
    assert "another champion than 1" in str(second)
    assert ledger.state.lifecycle("rain").champion == 1


def test_a_batch_with_decisions_is_sealed_once(ledger, layout, syncs):
    many = [submitted(), trained(), evaluated(), decided(), submitted(), trained(2), evaluated(2)]
    ledger.append_many([*many, decided(2, replaces=1), submitted()])
    assert len(split_records(layout.log_checkpoints.read_bytes())) == 2
    assert len(syncs) == 2
    assert ledger.sealed_size == ledger.state.size == 10


def test_more_than_a_batch_holds_is_written_in_several(ledger, layout, syncs):
    outcomes = ledger.append_many(submitted() for _ in range(1200))
    assert [entry.seq for entry in outcomes] == list(range(1, 1201))
    assert len(syncs) == 4  # three batches, and a seal after a thousand entries
    assert fold(layout) == ledger.state


def test_nothing_to_append_writes_nothing(ledger, syncs):
    assert ledger.append_many([]) == []
    assert syncs == []


def test_threads_that_wait_share_one_sync_and_come_in_the_order_they_asked(ledger, layout, syncs):
    entries = behind_a_leader(ledger, [submitted() for _ in range(12)])
    assert [entry.seq for entry in entries] == list(range(2, 14))
    assert len(syncs) == 2
    assert fold(layout) == ledger.state


def test_each_thread_gets_the_error_that_is_its_own(ledger):
    def refuse(state):
        raise KeyError(state.size)

    first, second, third = behind_a_leader(ledger, [submitted(), refuse, submitted(version=9)])
    assert first.seq == 2
    assert (type(second), second.args) == (KeyError, (3,))
    assert isinstance(third, LedgerConflict)


def test_nobody_is_told_before_the_sync(ledger, monkeypatch):
    told, early, real = [], [], os.fdatasync

    def slow(descriptor):
        size = ledger.state.size  # grows once a sync is done
        time.sleep(0.05)
        real(descriptor)
        early.extend(entry for entry in told if entry.seq >= size)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=lambda: told.append(ledger.append(submitted()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.seq for entry in told) == list(range(1, 9))
    assert early == []


def test_a_failed_sync_fails_everybody_in_the_batch_and_stops_the_writer(ledger, layout, keystore, monkeypatch):
    real = os.fdatasync

    def broken(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    outcomes = behind_a_leader(ledger, [submitted() for _ in range(4)])
    monkeypatch.setattr(os, "fdatasync", real)
    assert all("writer has stopped" in str(outcome) for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 4
    ledger.close()
    with Ledger.open(layout, keystore) as again:
        assert (again.state.size, again.recovered) == (1, None)


def test_a_full_disk_fails_everybody_in_the_batch_and_the_next_one_goes_on(ledger, layout, monkeypatch):
    real, before = os.write, layout.ledger.read_bytes()

    def full(descriptor, data):
        real(descriptor, data[:1500])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    outcomes = ledger.append_many([submitted(), trained(), trained(version=5), evaluated()])
    monkeypatch.setattr(os, "write", real)
    assert ["could not be written" in str(outcome) for outcome in outcomes] == [True, True, False, True]
    assert layout.ledger.read_bytes() == before
    assert ledger.append(submitted()).seq == 1


def test_a_batch_that_cannot_be_sealed_fails_from_its_first_decision_on(ledger, layout, keystore, monkeypatch):
    """Those before it are durable and need no seal; the next writer seals the rest."""
    real, heads = os.write, os.stat(layout.log_checkpoints)

    def full(descriptor, data):
        if os.path.samestat(os.fstat(descriptor), heads):
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    outcomes = ledger.append_many([submitted(), trained(), evaluated(), decided(), submitted()])
    assert [entry.seq for entry in outcomes[:3]] == [1, 2, 3]
    assert [f"entry {seq} is recorded but not sealed" in str(outcomes[seq - 1]) for seq in (4, 5)] == [True, True]
    monkeypatch.setattr(os, "write", real)
    with Ledger.open(layout, keystore) as again:
        assert (again.sealed_size, again.state.lifecycle("rain").champion) == (6, 1)


def test_an_interrupted_leader_tells_those_who_wait_and_the_next_one_leads(ledger, layout):
    """A signal strikes while one thread writes for others: none of them waits for ever."""

    def interrupt(state):
        in_line(ledger, 3)
        raise KeyboardInterrupt

    outcomes, others = [], []

    def append():
        try:
            outcomes.append(ledger.append(submitted()))
        except LedgerConflict as error:
            outcomes.append(error)

    def lead(state):
        others.extend(threading.Thread(target=append) for _ in range(3))
        for thread in others:
            thread.start()
        return interrupt(state)

    with pytest.raises(KeyboardInterrupt):
        ledger.append(lead)
    for thread in others:
        thread.join()
    assert len(outcomes) == 3
    assert ledger.append(submitted()).seq == ledger.state.size - 1
    assert fold(layout) == ledger.state


def test_a_thread_that_waits_in_vain_for_another_one_says_so(ledger):
    ledger._group._timeout = 0.05
    found = []

    def slow(state):
        with ThreadPoolExecutor(1) as other:
            found.append(other.submit(ledger.append, submitted()).exception())
        return submitted()(state)

    assert ledger.append(slow).seq == 1
    assert "in use by another thread" in str(found[0])
    assert ledger.append(submitted()).seq == 2


def test_coroutines_share_syncs_and_block_no_loop(ledger, layout, syncs):
    async def main():
        return await asyncio.gather(*(ledger.append_async(submitted()) for _ in range(200)))

    entries = asyncio.run(main())
    assert [entry.seq for entry in entries] == list(range(1, 201))
    assert len(syncs) < 50
    assert fold(layout) == ledger.state


def test_a_coroutine_gets_the_error_that_is_its_own(ledger):
    async def main():
        appends = (ledger.append_async(compose) for compose in (submitted(), trained(version=4), trained()))
        return await asyncio.gather(*appends, return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first.seq, third.seq) == (1, 2)
    assert isinstance(second, LedgerConflict)


def test_a_cancelled_coroutine_holds_up_nobody(ledger, layout):
    async def main():
        tasks = [asyncio.create_task(ledger.append_async(submitted())) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [outcome.seq for outcome in outcomes[1::2]]

    assert len(set(asyncio.run(main()))) == 10
    assert ledger.append(submitted()).seq == ledger.state.size - 1
    assert fold(layout) == ledger.state


def test_a_loop_that_ended_holds_up_nobody(ledger):
    """It was left in the middle of an append; its callers are gone, the ledger goes on."""
    loop = asyncio.new_event_loop()
    tasks = []

    async def begin():
        tasks.extend(loop.create_task(ledger.append_async(submitted())) for _ in range(3))
        await asyncio.sleep(0)

    loop.run_until_complete(begin())
    loop.close()
    assert ledger.append(submitted()).type == "Submitted"
    for task in tasks:
        task._log_destroy_pending = False


def test_threads_and_coroutines_and_processes_make_one_chain(ledger, layout, tmp_path):
    code = (
        OPEN
        + """
with Ledger.open(layout, keystore) as ledger:
    for entry in ledger.append_many(writing.submitted() for _ in range(40)):
        print(entry.version, flush=True)
    for _ in range(10):
        print(ledger.append(writing.submitted()).version, flush=True)
"""
    )
    processes = [python(code, tmp_path) for _ in range(3)]

    async def main():
        return await asyncio.gather(*(ledger.append_async(submitted()) for _ in range(60)))

    with ThreadPoolExecutor(9) as threads:
        many = [threads.submit(ledger.append, submitted()) for _ in range(60)]
        awaited = threads.submit(asyncio.run, main())
        versions = [future.result().version for future in many] + [entry.version for entry in awaited.result()]
    versions += [int(word) for process in processes for word in process.communicate(timeout=120)[0].split()]
    assert sorted(versions) == list(range(1, 271))
    ledger.refresh()
    assert ledger.state == fold(layout)


@pytest.mark.parametrize("kills", range(3))
def test_what_a_killed_process_told_its_threads_is_there_afterwards(ledger, layout, keystore, tmp_path, kills):
    code = (
        OPEN
        + """
import threading
ledger = Ledger.open(layout, keystore)
def work():
    while True:
        print(f"{ledger.append(writing.submitted()).seq}\\n", end="", flush=True)
for _ in range(16):
    threading.Thread(target=work).start()
"""
    )
    ledger.close()
    process = python(code, tmp_path)
    first = process.stdout.readline()
    time.sleep(0.1 + 0.05 * kills)
    process.kill()
    lines = (first + process.communicate()[0]).splitlines(keepends=True)
    told = [int(line) for line in lines if line.endswith("\n")]
    assert len(set(told)) == len(told)
    with Ledger.open(layout, keystore) as again:
        assert again.state.size > max(told)
        assert again.state == fold(layout)
        assert promote(again, version=again.state.lifecycle("rain").next_version).status == "ready"
