"""The relay between a real outbox and a real queue in one file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from support_copilot.domain.errors import Unavailable
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.messaging.outbox_relay import OutboxRelay
from support_copilot.queues import QueueMessage
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import metadata
from support_copilot.storage.unit_of_work import SqlDatabase

NAME = "issue_analysis"
ids = IdGenerator()


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class UnreliableQueue(EmbeddedQueue):
    """A broker that can be away; remembers the order of what it took."""

    away = False

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.taken: list[int] = []

    async def publish(self, messages: Sequence[QueueMessage]) -> None:
        if self.away:
            raise Unavailable("the broker does not answer")
        await super().publish(messages)
        self.taken += [message.id for message in messages]


@pytest.fixture
async def engine(tmp_path) -> AsyncIterator[SqliteEngine]:
    engine = SqliteEngine(tmp_path / "desk.db")
    await engine.run_sync(lambda c: (metadata.create_all(c), c.commit()))
    yield engine
    await engine.close()


@pytest.fixture
def database(engine) -> SqlDatabase:
    return SqlDatabase(engine)


@pytest.fixture
async def queue(engine) -> AsyncIterator[UnreliableQueue]:
    queue = UnreliableQueue(QueueStore(engine), WallClock())
    yield queue
    await queue.close()


def a_message(age: timedelta = timedelta(0)) -> QueueMessage:
    return QueueMessage(ids.new(), NAME, {"issue_id": 1}, datetime.now(UTC) - age, key=1)


async def commit(database: SqlDatabase, messages: Sequence[QueueMessage]) -> None:
    async with database.write() as uow:
        await uow.outbox.add(messages)


async def pending(database: SqlDatabase) -> int:
    async with database.read() as uow:
        return await uow.outbox.count()


async def ready(queue: EmbeddedQueue) -> int:
    return next(depth.ready for depth in await queue.depth() if depth.queue == NAME)


@asynccontextmanager
async def running(*relays: OutboxRelay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


async def until_empty(database: SqlDatabase) -> None:
    for _ in range(300):
        if not await pending(database):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the outbox was not emptied within three seconds")


async def test_drain_publishes_all_in_order(database, queue):
    messages = [a_message() for _ in range(25)]
    await commit(database, messages)
    relay = OutboxRelay(database, queue, WallClock(), batch=10)
    assert await relay.drain() == 25
    assert queue.taken == [message.id for message in messages]
    assert await pending(database) == 0
    assert await ready(queue) == 25
    assert await relay.drain() == 0


async def test_what_was_rolled_back_is_never_published(database, queue):
    async def intake() -> None:
        async with database.write() as uow:
            await uow.outbox.add([a_message()])
            raise RuntimeError("the intake failed")

    with pytest.raises(RuntimeError):
        await intake()
    assert await OutboxRelay(database, queue, WallClock()).drain() == 0


async def test_a_wake_is_heard_at_once(engine, queue):
    relay = OutboxRelay(SqlDatabase(engine), queue, WallClock(), poll_seconds=60)
    database = SqlDatabase(engine, wake=lambda _topic: relay.wake())
    async with running(relay):
        await asyncio.sleep(0.02)
        await commit(database, [a_message()])
        await until_empty(database)
    assert await ready(queue) == 1


async def test_what_another_process_committed_is_found_by_polling(database, queue):
    async with running(OutboxRelay(database, queue, WallClock(), poll_seconds=0.02)):
        await asyncio.sleep(0.03)
        await commit(database, [a_message()])
        await until_empty(database)
    assert await ready(queue) == 1


async def test_a_broker_that_was_away_gets_everything_and_the_lag_shows_it(database, queue):
    relay = OutboxRelay(database, queue, WallClock(), poll_seconds=0.02)
    assert relay.lag_seconds == 0.0
    queue.away = True
    messages = [a_message(age=timedelta(seconds=30)), a_message()]
    await commit(database, messages)
    with pytest.raises(Unavailable):
        await relay.drain()
    assert 30 <= relay.lag_seconds < 40
    async with running(relay):
        await asyncio.sleep(0.05)
        assert await pending(database) == 2
        queue.away = False
        await until_empty(database)
        await asyncio.sleep(0.05)
    assert relay.lag_seconds == 0.0
    assert queue.taken == [message.id for message in messages]


async def test_several_relays_may_run(database, queue):
    relays = [
        OutboxRelay(database, queue, WallClock(), batch=7, poll_seconds=0.01) for _ in range(3)
    ]
    async with running(*relays):
        for _ in range(10):
            await commit(database, [a_message() for _ in range(10)])
        await until_empty(database)
    assert await ready(queue) == 100
