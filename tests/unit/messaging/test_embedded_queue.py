"""What only the embedded queue promises; the rest is in tests/contracts/test_queue.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from support_copilot.domain.identifiers import IdGenerator
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.queues import QueueMessage
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import queue_messages

NAME = "issue_analysis"
ids = IdGenerator()


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
async def store(tmp_path) -> AsyncIterator[QueueStore]:
    engine = SqliteEngine(tmp_path / "queue.db")
    await engine.run_sync(lambda c: (queue_messages.create(c), c.commit()))
    yield QueueStore(engine)
    await engine.close()


def messages(count: int, key: int = 0) -> list[QueueMessage]:
    return [
        QueueMessage(ids.new(), NAME, {"issue_id": number}, datetime.now(UTC), key=key)
        for number in range(count)
    ]


async def depth_of(queue: EmbeddedQueue) -> tuple[int, int]:
    depth = next(depth for depth in await queue.depth() if depth.queue == NAME)
    return depth.ready, depth.in_flight


@pytest.mark.parametrize("seed", range(3))
async def test_consumers_cancelled_at_any_moment_leave_nothing_leased(store, seed):
    queue = EmbeddedQueue(store, WallClock(), lease_seconds=600)
    await queue.publish(messages(300))
    acked: set[int] = set()

    async def work() -> None:
        async with aclosing(queue.consume(NAME, 8)) as deliveries:
            async for delivery in deliveries:
                await delivery.ack()
                acked.add(delivery.message.id)

    for turn in range(20):
        workers = [asyncio.create_task(work()) for _ in range(2)]
        await asyncio.sleep((seed * 11 + turn * 37) % 60 / 10_000)
        for worker in workers:
            worker.cancel()
        outcomes = await asyncio.gather(*workers, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await queue.close()
    ready, in_flight = await depth_of(queue)
    assert in_flight == 0
    # An ack that was under way when its consumer was cancelled may have been written.
    assert 300 - len(acked) - 40 <= ready <= 300 - len(acked)


async def test_close_ends_waiting_consumers_and_gives_back_what_was_delivered(store):
    queue = EmbeddedQueue(store, WallClock(), lease_seconds=600)
    await queue.publish(messages(2))
    taken = []

    async def work() -> None:
        taken.extend([delivery async for delivery in queue.consume(NAME)])

    worker = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    assert await depth_of(queue) == (0, 2)
    await queue.close()
    async with asyncio.timeout(1):
        await worker
    assert len(taken) == 2
    assert await depth_of(queue) == (2, 0)


async def test_a_message_that_waited_for_its_turn_has_its_lease_renewed(store):
    first = EmbeddedQueue(store, WallClock(), lease_seconds=0.3, poll_seconds=0.02)
    await first.publish(messages(2))
    async with aclosing(first.consume(NAME)) as deliveries:
        await (await anext(deliveries)).ack()
        await asyncio.sleep(0.2)
        delivery = await anext(deliveries)
        await asyncio.sleep(0.15)
        # The lease it was claimed with is over; the renewed one is not.
        assert await depth_of(first) == (0, 1)
        await delivery.ack()
    assert await depth_of(first) == (0, 0)


async def test_a_message_whose_lease_was_lost_while_it_waited_is_not_delivered_twice(store):
    slow = EmbeddedQueue(store, WallClock(), lease_seconds=0.1, poll_seconds=0.02)
    other = EmbeddedQueue(store, WallClock(), lease_seconds=60, poll_seconds=0.02)
    await slow.publish(messages(2))
    async with aclosing(slow.consume(NAME)) as deliveries:
        await (await anext(deliveries)).ack()
        await asyncio.sleep(0.12)
        async with aclosing(other.consume(NAME)) as others:
            theirs = await anext(others)
            assert theirs.message.body == {"issue_id": 1}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(deliveries)
        await theirs.ack()
    assert await depth_of(slow) == (0, 0)


async def test_after_a_crash_leases_are_released_and_come_first(store):
    dead = EmbeddedQueue(store, WallClock(), lease_seconds=600)
    await dead.publish(messages(2))
    await store.claim(NAME, 1, datetime.now(UTC), 600)
    assert await store.release_all_leases() == 1
    assert await store.release_all_leases() == 0
    claims = await store.claim(NAME, 5, datetime.now(UTC), 600)
    assert [(message.body["issue_id"], attempt) for message, attempt in claims] == [(0, 2), (1, 1)]


async def test_one_key_has_one_message_in_hand(store):
    queue = EmbeddedQueue(store, WallClock(), poll_seconds=30)
    await queue.publish(messages(3, key=9))
    order = []
    async with asyncio.timeout(2), aclosing(queue.consume(NAME)) as deliveries:
        async for delivery in deliveries:
            assert await depth_of(queue) == (2 - len(order), 1)
            order.append(delivery.message.body["issue_id"])
            await delivery.ack()
            if len(order) == 3:
                break
    assert order == [0, 1, 2]


async def test_an_ack_that_cannot_be_written_says_so(tmp_path):
    engine = SqliteEngine(tmp_path / "queue.db")
    await engine.run_sync(lambda c: (queue_messages.create(c), c.commit()))
    queue = EmbeddedQueue(QueueStore(engine), WallClock())
    await queue.publish(messages(3))
    async with aclosing(queue.consume(NAME)) as deliveries:
        taken = [await anext(deliveries) for _ in range(3)]
    await engine.run_sync(lambda c: (queue_messages.drop(c), c.commit()))
    outcomes = await asyncio.gather(*(delivery.ack() for delivery in taken), return_exceptions=True)
    assert len(outcomes) == 3
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    await engine.close()
