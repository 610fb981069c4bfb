"""Events reach whoever listens, in order and never waited for."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from noa_mlops.lifecycle import EventBus
from noa_mlops.lifecycle.bus import MAX_UNRECORDED
from noa_mlops.records.events import AgentProvisioned, TrainingProgress

COMMON = {"lifecycle_id": "rain", "version": 1, "timestamp": "2026-11-22T10:00:00.000Z", "agent_id": "rain-1"}


def recorded(seq):
    return AgentProvisioned(**COMMON, seq=seq, profile="command")


def progress(number):
    return TrainingProgress(**COMMON, seq=None, values={"step": number})


@pytest.fixture
def bus():
    return EventBus()


def drained(subscription):
    found = []
    while (event := subscription.get(timeout=0)) is not None:
        found.append(event)
    return found


async def collected(subscription, into=None):
    into = [] if into is None else into
    async for event in subscription:
        into.append(event.seq)
    return into


def test_every_subscription_sees_every_event_in_the_order_of_publishing(bus):
    listeners = [bus.subscribe() for _ in range(3)]
    for seq in range(50):
        bus.publish(recorded(seq))
    for listener in listeners:
        assert [event.seq for event in drained(listener)] == list(range(50))


def test_a_subscription_sees_nothing_from_before_it_was_made(bus):
    bus.publish(recorded(0))
    listener = bus.subscribe()
    bus.publish(recorded(1))
    assert [event.seq for event in drained(listener)] == [1]


def test_get_returns_none_when_nothing_comes_in_time(bus):
    assert bus.subscribe().get(timeout=0.01) is None


def test_get_waits_for_the_next_event(bus):
    listener = bus.subscribe()
    timer = threading.Timer(0.05, bus.publish, [recorded(7)])
    timer.start()
    assert listener.get(timeout=30).seq == 7
    timer.join()


def test_get_without_a_timeout_ends_when_the_bus_closes(bus):
    listener = bus.subscribe()
    timer = threading.Timer(0.05, bus.close)
    timer.start()
    assert listener.get() is None
    timer.join()


def test_what_was_waiting_can_be_read_after_closing_and_nothing_more_comes(bus):
    listener = bus.subscribe()
    bus.publish(recorded(0))
    bus.close()
    bus.publish(recorded(1))
    assert [event.seq for event in drained(listener)] == [0]


def test_closing_one_subscription_leaves_the_others(bus):
    leaving, staying = bus.subscribe(), bus.subscribe()
    leaving.close()
    bus.publish(recorded(0))
    assert drained(leaving) == []
    assert len(drained(staying)) == 1


def test_a_subscription_to_a_closed_bus_is_closed(bus):
    bus.close()
    assert bus.subscribe().get() is None


async def test_iteration_yields_events_from_another_thread_and_ends_with_the_bus(bus):
    listener = bus.subscribe()

    def run():
        for seq in range(200):
            bus.publish(recorded(seq))
        bus.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert await asyncio.wait_for(collected(listener), 30) == list(range(200))
    thread.join()


async def test_several_tasks_share_a_subscription_and_none_is_forgotten(bus):
    listener, seen = bus.subscribe(), []
    tasks = [asyncio.create_task(collected(listener, seen)) for _ in range(4)]
    await asyncio.sleep(0.01)
    for seq in range(20):
        bus.publish(recorded(seq))
        await asyncio.sleep(0)
    bus.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert sorted(seen) == list(range(20))


def test_two_event_loops_may_iterate_over_one_subscription(bus):
    """Each event reaches one of them; both end when the bus does."""
    listener, seen = bus.subscribe(), []
    waiting = threading.Barrier(3)

    def iterate():
        waiting.wait()
        asyncio.run(collected(listener, seen))

    threads = [threading.Thread(target=iterate) for _ in range(2)]
    for thread in threads:
        thread.start()
    waiting.wait()
    for seq in range(100):
        bus.publish(recorded(seq))
    bus.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(seen) == list(range(100))


async def test_a_waiting_reader_that_is_cancelled_loses_no_event(bus):
    listener = bus.subscribe()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(listener), 0.01)
    bus.publish(recorded(0))
    assert (await asyncio.wait_for(anext(listener), 30)).seq == 0


def test_a_reader_whose_loop_is_closed_disturbs_nobody(bus):
    abandoned, listener = bus.subscribe(), bus.subscribe()

    async def wait_a_little():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(abandoned), 0.01)

    asyncio.run(wait_a_little())
    bus.publish(recorded(0))
    assert len(drained(listener)) == len(drained(abandoned)) == 1


def test_a_full_queue_drops_progress_and_never_a_recorded_event(bus):
    listener = bus.subscribe()
    for number in range(MAX_UNRECORDED + 50):
        bus.publish(progress(number))
    for seq in range(20):
        bus.publish(recorded(seq))
    bus.publish(progress(-1))
    found = drained(listener)
    assert [event.values["step"] for event in found if event.seq is None] == list(range(MAX_UNRECORDED))
    assert [event.seq for event in found if event.seq is not None] == list(range(20))


def test_a_slow_reader_slows_nobody(bus):
    slow, quick = bus.subscribe(), bus.subscribe()
    for seq in range(5 * MAX_UNRECORDED):
        bus.publish(recorded(seq))
        assert quick.get(timeout=0).seq == seq
    assert len(drained(slow)) == 5 * MAX_UNRECORDED


def test_a_subscription_that_nobody_holds_is_forgotten(bus):
    gone = weakref.ref(bus.subscribe())
    gc.collect()
    assert gone() is None
    bus.publish(recorded(0))


def test_publishers_in_several_threads_give_every_listener_one_and_the_same_order(bus):
    listeners = [bus.subscribe() for _ in range(2)]
    threads = [
        threading.Thread(target=lambda first=first: [bus.publish(recorded(first + n)) for n in range(200)])
        for first in (0, 1000, 2000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = (([event.seq for event in drained(listener)]) for listener in listeners)
    assert one == other
    assert len(one) == 600
