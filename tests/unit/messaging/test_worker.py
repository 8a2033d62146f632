"""The worker over a real embedded queue in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from support_copilot.domain.errors import Unavailable
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.messaging.worker import LOST_DELIVERIES_MAX, Outcome, Worker
from support_copilot.ports import Delivery, QueueDepth
from support_copilot.queues import QueueMessage, QueueSpec, RetryPolicy
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import queue_messages

NAME = "issue_analysis"
FAST = RetryPolicy(max_attempts=3, base_seconds=0.02, cap_seconds=0.05)
SPECS = {NAME: QueueSpec(NAME, ("issue_id",), FAST, handler_seconds=0.1)}
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


@pytest.fixture
async def queue(store) -> AsyncIterator[EmbeddedQueue]:
    queue = EmbeddedQueue(store, WallClock(), lease_seconds=5)
    yield queue
    await queue.close()


def a_message(number: int = 1, **changes: Any) -> QueueMessage:
    fields: dict[str, Any] = {
        "id": ids.new(),
        "queue": NAME,
        "body": {"issue_id": number},
        "created_at": datetime.now(UTC),
        "trace": {"request_id": f"r-{number}"},
    }
    return QueueMessage(**fields | changes)


class Observed:
    """Collects outcomes, and lets a test wait for the next ones."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._news = asyncio.Event()

    def __call__(self, queue: str, outcome: Outcome, seconds: float) -> None:
        assert queue == NAME
        assert seconds >= 0
        self.outcomes.append(outcome)
        self._news.set()

    async def until(self, count: int) -> list[Outcome]:
        async with asyncio.timeout(5):
            while len(self.outcomes) < count:
                self._news.clear()
                await self._news.wait()
        return self.outcomes


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        await worker.stop(timeout=1)
        await task


async def depth_of(queue: EmbeddedQueue) -> QueueDepth:
    return next(depth for depth in await queue.depth() if depth.queue == NAME)


async def test_a_handled_message_is_gone(queue):
    handled: list[QueueMessage] = []

    async def handle(message: QueueMessage) -> None:
        handled.append(message)

    observed = Observed()
    message = a_message()
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        await queue.publish([message])
        assert await observed.until(1) == [Outcome.DONE]
    assert handled == [message]
    depth = await depth_of(queue)
    assert (depth.ready, depth.in_flight, depth.dead) == (0, 0, 0)


async def test_a_failing_handler_is_tried_again_until_it_succeeds(queue):
    attempts = 0

    async def handle(_message: QueueMessage) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise Unavailable("the model is loading")

    observed = Observed()
    await queue.publish([a_message()])
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        outcomes = await observed.until(3)
    assert outcomes == [Outcome.RETRIED, Outcome.RETRIED, Outcome.DONE]
    assert (await depth_of(queue)).dead == 0


async def test_a_message_that_always_fails_is_buried_with_the_reason(queue):
    async def handle(_message: QueueMessage) -> None:
        raise ValueError("no such issue " + "!" * 1000)

    observed = Observed()
    await queue.publish([a_message()])
    with capture_logs() as logs:
        async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
            outcomes = await observed.until(3)
    assert outcomes == [Outcome.RETRIED, Outcome.RETRIED, Outcome.BURIED]
    (letter,) = await queue.dead_letters(NAME)
    assert letter.reason.startswith("ValueError: no such issue !")
    assert len(letter.reason) == 500
    assert letter.attempts == 3
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["message.buried"]


async def test_a_handler_that_takes_too_long_is_cut_off_and_tried_again(queue):
    cut_off = 0

    async def handle(_message: QueueMessage) -> None:
        nonlocal cut_off
        try:
            await asyncio.sleep(5)
        finally:
            cut_off += 1

    observed = Observed()
    await queue.publish([a_message()])
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        await observed.until(3)
    (letter,) = await queue.dead_letters(NAME)
    assert letter.reason == "TimeoutError: no outcome within 0.1 s"
    assert cut_off == 3


async def test_a_cancellation_met_by_the_handler_is_a_failure_like_any_other(queue):
    async def handle(_message: QueueMessage) -> None:
        other = asyncio.create_task(asyncio.sleep(5))
        other.cancel()
        await other

    observed = Observed()
    await queue.publish([a_message()])
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        assert (await observed.until(1))[0] == Outcome.RETRIED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": 9}, "schema version 9 is not known here"),
        ({"body": {"kind": "new"}}, "the body lacks issue_id"),
    ],
)
async def test_a_message_nobody_can_read_is_buried_at_once(queue, changes, reason):
    async def handle(_message: QueueMessage) -> None:
        raise AssertionError("must not be handled")

    observed = Observed()
    await queue.publish([a_message(**changes)])
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        assert await observed.until(1) == [Outcome.BURIED]
    (letter,) = await queue.dead_letters(NAME)
    assert reason in letter.reason


async def test_a_message_that_kills_its_process_each_time_is_given_up(queue, store):
    async def handle(_message: QueueMessage) -> None:
        raise AssertionError("must not be handled")

    await queue.publish([a_message()])
    for _ in range(FAST.max_attempts + LOST_DELIVERIES_MAX):
        assert await store.claim(NAME, 1, datetime.now(UTC), 60)
        assert await store.release_all_leases() == 1
    observed = Observed()
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        assert await observed.until(1) == [Outcome.BURIED]
    assert "without an outcome" in (await queue.dead_letters(NAME))[0].reason


async def test_no_more_than_concurrency_run_at_once(queue):
    running = most = 0

    async def handle(_message: QueueMessage) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    observed = Observed()
    await queue.publish([a_message(number) for number in range(20)])
    worker = Worker(queue, {NAME: handle}, SPECS, concurrency=3, observe=observed)
    async with working(worker):
        await observed.until(20)
    assert most == 3


async def test_stop_finishes_what_is_in_hand_and_leaves_the_rest(queue):
    finished: list[int] = []
    begun = asyncio.Event()

    async def handle(message: QueueMessage) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        finished.append(message.body["issue_id"])

    await queue.publish([a_message(number) for number in range(10)])
    worker = Worker(queue, {NAME: handle}, SPECS, concurrency=2)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    await worker.stop(timeout=2)
    await running
    assert finished == [0, 1]
    depth = await depth_of(queue)
    assert (depth.ready, depth.in_flight) == (8, 0)


async def test_what_stop_cuts_off_is_delivered_again(queue, store):
    begun = asyncio.Event()

    async def handle(_message: QueueMessage) -> None:
        begun.set()
        await asyncio.sleep(10)

    await queue.publish([a_message()])
    worker = Worker(queue, {NAME: handle}, {NAME: QueueSpec(NAME, ())})
    running = asyncio.create_task(worker.run())
    await begun.wait()
    await worker.stop(timeout=0.02)
    await running
    await queue.close()
    ((message, attempt),) = await store.claim(NAME, 5, datetime.now(UTC), 60)
    assert (message.body, attempt) == ({"issue_id": 1}, 2)


async def test_cancelling_run_ends_it(queue):
    async def handle(_message: QueueMessage) -> None:
        await asyncio.sleep(10)

    await queue.publish([a_message()])
    running = asyncio.create_task(Worker(queue, {NAME: handle}, SPECS).run())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class FlakyQueue(EmbeddedQueue):
    """Loses its connection on the first two attempts to consume, and on the first ack."""

    consumed = 0
    acked = 0

    async def consume(self, queue: str, prefetch: int = 16) -> AsyncGenerator[Delivery, None]:
        self.consumed += 1
        if self.consumed < 3:
            raise Unavailable("connection lost")
        async for delivery in super().consume(queue, prefetch):
            yield delivery

    async def ack(self, delivery: Any) -> None:
        self.acked += 1
        if self.acked == 1:
            self.settled(delivery)
            raise Unavailable("connection lost")
        await super().ack(delivery)


async def test_a_lost_broker_is_taken_up_again(store):
    handled = 0

    async def handle(_message: QueueMessage) -> None:
        nonlocal handled
        handled += 1

    observed = Observed()
    queue = FlakyQueue(store, WallClock(), lease_seconds=0.1, poll_seconds=0.02)
    await queue.publish([a_message()])
    worker = Worker(queue, {NAME: handle}, SPECS, observe=observed, restart_seconds=0.01)
    with capture_logs() as logs:
        async with working(worker):
            assert await observed.until(2) == [Outcome.UNSETTLED, Outcome.DONE]
    assert handled == 2
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "worker.consumer_failed",
        "worker.consumer_failed",
        "message.unsettled",
    ]


async def test_logs_within_a_handling_carry_the_message_and_its_trace(queue):
    import structlog

    seen: dict[str, Any] = {}

    async def handle(_message: QueueMessage) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    observed = Observed()
    message = a_message(4, trace={"request_id": "r-4", "queue": "forged"})
    await queue.publish([message])
    async with working(Worker(queue, {NAME: handle}, SPECS, observe=observed)):
        await observed.until(1)
    assert seen == {
        "request_id": "r-4",
        "queue": NAME,
        "message_id": str(message.id),
        "attempt": 1,
    }


async def test_a_handler_for_an_unknown_queue_is_refused(queue):
    async def handle(_message: QueueMessage) -> None: ...

    with pytest.raises(ValueError, match="no_such_queue"):
        Worker(queue, {"no_such_queue": handle}, SPECS)
