"""What every ``ports.Queue`` must do, run on each adapter."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from support_copilot.domain.errors import Unavailable
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.ports import Delivery, Queue
from support_copilot.queues import QueueMessage
from support_copilot.storage.engine import Engine
from support_copilot.storage.mysql_engine import MysqlEngine
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import queue_messages

NAME = "issue_analysis"
OTHER = "notification"
MARIADB = "mysql+asyncmy://root@127.0.0.1:3306"
ids = IdGenerator()


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


Connect = Callable[..., Awaitable[Queue]]
"""Opens one more client of the same durable broker; ``lease_seconds`` may be chosen."""


async def _create_table(engine: Engine) -> None:
    def create(connection: sa.Connection) -> None:
        queue_messages.create(connection, checkfirst=True)
        connection.commit()

    await engine.run_sync(create)


async def _clients(new_engine: Callable[[], Engine]) -> AsyncIterator[Connect]:
    opened: list[tuple[Queue, Engine]] = []

    async def connect(lease_seconds: float = 30.0) -> Queue:
        engine = new_engine()
        queue = EmbeddedQueue(
            QueueStore(engine), WallClock(), lease_seconds=lease_seconds, poll_seconds=0.02
        )
        opened.append((queue, engine))
        await _create_table(engine)
        return queue

    yield connect
    for queue, engine in opened:
        await queue.close()
        await engine.close()


@pytest.fixture(
    params=["embedded-sqlite", pytest.param("embedded-mariadb", marks=pytest.mark.mariadb)]
)
async def connect(request, tmp_path) -> AsyncIterator[Connect]:
    if request.param == "embedded-sqlite":
        async for client in _clients(lambda: SqliteEngine(tmp_path / "queue.db")):
            yield client
        return
    schema = f"support_copilot_queue_{os.getpid()}"
    server = MysqlEngine(f"{MARIADB}/")
    try:
        async with server.transaction() as connection:
            await connection.run(sa.text(f"CREATE DATABASE {schema}"))
    except Unavailable as error:
        await server.close()
        pytest.skip(f"no MariaDB on 127.0.0.1:3306: {error.detail}")
    try:
        async for client in _clients(lambda: MysqlEngine(f"{MARIADB}/{schema}")):
            yield client
    finally:
        async with server.transaction() as connection:
            await connection.run(sa.text(f"DROP DATABASE {schema}"))
        await server.close()


def a_message(number: int = 1, *, queue: str = NAME, key: int = 0, **body: object) -> QueueMessage:
    return QueueMessage(
        id=ids.new(),
        queue=queue,
        body={"issue_id": number, **body},
        created_at=datetime.now(UTC),
        key=key,
        trace={"request_id": f"r-{number}"},
    )


async def take(queue: Queue, count: int, *, name: str = NAME, prefetch: int = 16) -> list[Delivery]:
    """Take ``count`` deliveries within two seconds and leave them unsettled."""
    taken: list[Delivery] = []
    async with asyncio.timeout(2), aclosing(queue.consume(name, prefetch)) as deliveries:
        async for delivery in deliveries:
            taken.append(delivery)
            if len(taken) == count:
                break
    return taken


async def nothing_comes(queue: Queue, *, name: str = NAME, seconds: float = 0.08) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await take(queue, 1, name=name)
    except TimeoutError:
        return True
    return False


async def depth_of(queue: Queue, name: str = NAME) -> tuple[int, int, int]:
    depth = {depth.queue: depth for depth in await queue.depth()}[name]
    return depth.ready, depth.in_flight, depth.dead


async def test_what_is_published_is_delivered_as_it_was_and_gone_when_acked(connect):
    queue = await connect()
    message = a_message(7, key=7)
    await queue.publish([message])
    assert await depth_of(queue) == (1, 0, 0)

    (delivery,) = await take(queue, 1)
    assert delivery.message == message
    assert delivery.attempt == 1
    assert await depth_of(queue) == (0, 1, 0)

    await delivery.ack()
    assert await depth_of(queue) == (0, 0, 0)
    assert await nothing_comes(queue)


async def test_a_waiting_consumer_hears_at_once_of_what_is_published(connect):
    queue = await connect()
    waiting = asyncio.create_task(take(queue, 1))
    await asyncio.sleep(0.05)
    await queue.publish([a_message()])
    (delivery,) = await waiting
    assert delivery.attempt == 1


async def test_another_client_hears_of_it_too(connect):
    consumer, publisher = await connect(), await connect()
    waiting = asyncio.create_task(take(consumer, 1))
    await asyncio.sleep(0.05)
    await publisher.publish([a_message()])
    (delivery,) = await waiting
    await delivery.ack()
    assert await depth_of(publisher) == (0, 0, 0)


async def test_queues_do_not_mix(connect):
    queue = await connect()
    await queue.publish([a_message(1, queue=OTHER)])
    assert await nothing_comes(queue)
    (delivery,) = await take(queue, 1, name=OTHER)
    assert delivery.message.queue == OTHER


async def test_every_known_queue_has_a_depth_and_an_age(connect):
    queue = await connect()
    assert {depth.queue for depth in await queue.depth()} >= {NAME, OTHER}
    await queue.publish([a_message()])
    await asyncio.sleep(0.05)
    depths = {depth.queue: depth for depth in await queue.depth()}
    assert 0.04 < depths[NAME].oldest_seconds < 5
    assert depths[OTHER].oldest_seconds == 0.0


async def test_what_nobody_settles_comes_again_after_its_lease(connect):
    queue = await connect(lease_seconds=0.15)
    await queue.publish([a_message()])
    started = time.monotonic()
    (first,) = await take(queue, 1)
    (second,) = await take(queue, 1)
    assert time.monotonic() - started >= 0.14
    assert second.message == first.message
    assert second.attempt == 2
    await second.ack()
    assert await nothing_comes(queue, seconds=0.2)


async def test_who_lost_the_lease_cannot_take_the_message_from_who_has_it(connect):
    queue = await connect(lease_seconds=0.1)
    await queue.publish([a_message()])
    (late,) = await take(queue, 1)
    (present,) = await take(queue, 1)
    await late.bury("too late")
    await late.retry(0, "too late")
    assert await depth_of(queue) == (0, 1, 0)
    await present.ack()
    assert await depth_of(queue) == (0, 0, 0)


async def test_a_retry_comes_after_its_delay_and_not_before(connect):
    queue = await connect()
    await queue.publish([a_message()])
    (delivery,) = await take(queue, 1)
    started = time.time()
    await delivery.retry(0.2, "the model was busy")
    assert await depth_of(queue) == (1, 0, 0)
    (again,) = await take(queue, 1)
    assert 0.2 <= time.time() - started < 1
    assert again.attempt == 2
    assert again.message == delivery.message


async def test_messages_of_one_key_keep_their_order(connect):
    queue = await connect()
    sent = [a_message(number, key=1 + number % 3) for number in range(30)]
    await queue.publish(sent[:20])
    await queue.publish(sent[20:])
    seen: dict[int, list[int]] = {}

    async def work() -> None:
        async with aclosing(queue.consume(NAME, 4)) as deliveries:
            async for delivery in deliveries:
                await asyncio.sleep(0)
                message = delivery.message
                seen.setdefault(message.key, []).append(message.body["issue_id"])
                await delivery.ack()
                if sum(map(len, seen.values())) == len(sent):
                    return

    workers = [asyncio.create_task(work()) for _ in range(3)]
    async with asyncio.timeout(5):
        await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert seen == {
        key: [number for number in range(30) if 1 + number % 3 == key] for key in (1, 2, 3)
    }


async def test_buried_messages_are_kept_apart_with_their_reason(connect):
    queue = await connect()
    message = a_message(3)
    await queue.publish([message, a_message(4, queue=OTHER)])
    (delivery,) = await take(queue, 1)
    await delivery.bury("ValueError: no such issue")
    assert await nothing_comes(queue)
    assert await depth_of(queue) == (0, 0, 1)

    (letter,) = await queue.dead_letters(NAME)
    assert letter.message == message
    assert letter.reason == "ValueError: no such issue"
    assert letter.attempts == 1
    assert abs((datetime.now(UTC) - letter.died_at).total_seconds()) < 5
    assert await queue.dead_letters(OTHER) == []


async def test_dead_letters_can_be_tried_anew_one_or_all(connect):
    queue = await connect()
    await queue.publish([a_message(number) for number in range(3)])
    dead = await take(queue, 3)
    for delivery in dead:
        await delivery.bury("broken")
    assert await queue.retry_dead(NAME, dead[1].message.id) == 1
    assert await queue.retry_dead(NAME, dead[1].message.id) == 0
    assert await queue.retry_dead(OTHER) == 0
    (again,) = await take(queue, 1)
    assert (again.message.id, again.attempt) == (dead[1].message.id, 1)
    assert await queue.retry_dead(NAME) == 2
    assert len(await take(queue, 2)) == 2


async def test_dead_letters_can_be_purged_without_touching_the_living(connect):
    queue = await connect()
    await queue.publish([a_message(number) for number in range(3)])
    for delivery in await take(queue, 2):
        await delivery.bury("broken")
    assert await queue.purge_dead(NAME) == 2
    assert await queue.purge_dead(NAME) == 0
    assert await queue.dead_letters(NAME) == []
    assert await depth_of(queue) == (1, 0, 0)


async def test_no_more_than_prefetch_is_in_hand(connect):
    queue = await connect()
    await queue.publish([a_message(number) for number in range(5)])
    async with aclosing(queue.consume(NAME, 2)) as deliveries:
        first, _second = await anext(deliveries), await anext(deliveries)
        assert await depth_of(queue) == (3, 2, 0)
        third = asyncio.ensure_future(anext(deliveries))
        await asyncio.sleep(0.06)
        assert not third.done()
        await first.ack()
        async with asyncio.timeout(1):
            assert (await third).message.body == {"issue_id": 2}
        assert await depth_of(queue) == (2, 2, 0)


async def test_a_closed_consumer_gives_back_what_it_had_not_yielded(connect):
    queue = await connect()
    await queue.publish([a_message(number) for number in range(5)])
    (held,) = await take(queue, 1, prefetch=5)
    assert await depth_of(queue) == (4, 1, 0)
    rest = await take(queue, 4)
    assert [delivery.message.body["issue_id"] for delivery in rest] == [1, 2, 3, 4]
    assert {delivery.attempt for delivery in rest} == {1}
    await held.ack()


async def test_messages_and_attempts_survive_a_restart(connect):
    before = await connect()
    await before.publish([a_message(number) for number in range(3)])
    retried, _held, buried = await take(before, 3)
    await retried.retry(0, "busy")
    await buried.bury("broken")
    await before.close()

    after = await connect()
    assert await depth_of(after) == (2, 0, 1)
    deliveries = await take(after, 2)
    assert {delivery.attempt for delivery in deliveries} == {2}
    assert {delivery.message.body["issue_id"] for delivery in deliveries} == {0, 1}


async def test_publishing_an_id_twice_leaves_one_message(connect):
    queue = await connect()
    message = a_message()
    await queue.publish([message, message])
    await queue.publish([message])
    (delivery,) = await take(queue, 1)
    await queue.publish([message])
    assert await depth_of(queue) == (0, 1, 0)
    await delivery.ack()
    assert await depth_of(queue) == (0, 0, 0)


@pytest.mark.parametrize(
    "text",
    ["Grüße, 東京 🧯 \u202etxet", "'; DROP TABLE issues; --", '\x00\x1f\\"', "x" * 300_000],
    ids=["unicode", "sql", "control", "large"],
)
async def test_bodies_arrive_as_they_were_sent(connect, text):
    queue = await connect()
    body = {"text": text, "big": 2**62, "nested": {"list": [1, None, True, 0.5]}}
    await queue.publish([a_message(1, **body)])
    (delivery,) = await take(queue, 1)
    assert delivery.message.body == {"issue_id": 1, **body}


async def test_many_consumers_take_each_message_once(connect):
    clients = [await connect() for _ in range(2)]
    sent = [a_message(number, key=number // 2) for number in range(300)]
    await clients[0].publish(sent)
    seen: Counter[int] = Counter()
    complete = asyncio.Event()

    async def work(queue: Queue) -> None:
        async with aclosing(queue.consume(NAME, 8)) as deliveries:
            async for delivery in deliveries:
                seen[delivery.message.id] += 1
                await delivery.ack()
                if seen.total() >= len(sent):
                    complete.set()

    workers = [asyncio.create_task(work(client)) for client in clients for _ in range(4)]
    async with asyncio.timeout(20):
        await complete.wait()
    for worker in workers:
        worker.cancel()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes
    assert seen == Counter({message.id: 1 for message in sent})
    assert await depth_of(clients[0]) == (0, 0, 0)


async def test_it_answers_a_ping(connect):
    await (await connect()).ping()
