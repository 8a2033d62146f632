"""A worker killed while it handles: every message has its effect, and has it once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from support_copilot.domain.identifiers import IdGenerator
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.queues import QueueMessage
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import events, metadata, processed_messages

MESSAGES = 300
KILLS = 4
NAME = "issue_analysis"
ids = IdGenerator()

#: One event is the effect of one message. Some handlings are slow before their commit, some
#: after it, so that kills hit both sides.
WORKER = """
import asyncio, random, sys
from datetime import UTC, datetime
from pathlib import Path

from support_copilot.domain.events import Event, EventType
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.messaging.worker import Worker
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.unit_of_work import SqlDatabase


class WallClock:
    def now(self):
        return datetime.now(UTC)


async def main(path):
    engine = SqliteEngine(path)
    database, store = SqlDatabase(engine), QueueStore(engine)
    await store.release_all_leases()

    async def handle(message):
        async with database.write() as uow:
            if not await uow.processed.claim(message.id, message.queue):
                return
            number = message.body["issue_id"]
            await uow.events.append(Event(EventType.ISSUE_CHANGED, number, datetime.now(UTC)))
            await asyncio.sleep(random.choice([0, 0.002, 0.01]))
        await asyncio.sleep(random.choice([0, 0.002, 0.01]))

    queue = EmbeddedQueue(store, WallClock())
    await Worker(queue, {"issue_analysis": handle}, concurrency=8).run()


asyncio.run(main(Path(sys.argv[1])))
"""


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


async def count(engine: SqliteEngine, table: sa.Table) -> int:
    async with engine.reader() as connection:
        rows = await connection.rows(sa.select(sa.func.count()).select_from(table))
    return int(rows[0][0])


def start_worker(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=subprocess.DEVNULL)


async def until_effects(engine: SqliteEngine, goal: int, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while await count(engine, events) < goal:
        assert worker.poll() is None, "the worker ended by itself"
        assert time.monotonic() < deadline, f"no {goal} effects within 30 s"
        await asyncio.sleep(0.02)


async def until_settled(queue: EmbeddedQueue) -> None:
    deadline = time.monotonic() + 10
    while any(depth.ready + depth.in_flight for depth in await queue.depth()):
        assert time.monotonic() < deadline, "messages with an effect were not acknowledged"
        await asyncio.sleep(0.02)


async def test_every_message_has_its_effect_exactly_once(tmp_path: Path):
    path = tmp_path / "desk.db"
    engine = SqliteEngine(path)
    await engine.run_sync(lambda c: (metadata.create_all(c), c.commit()))
    queue = EmbeddedQueue(QueueStore(engine), WallClock())
    await queue.publish(
        [
            QueueMessage(ids.new(), NAME, {"issue_id": n}, datetime.now(UTC), key=1 + n % 40)
            for n in range(MESSAGES)
        ]
    )

    killed_at = []
    for kill in range(KILLS):
        worker = start_worker(path)
        goal = (kill + 1) * MESSAGES // (KILLS + 2)
        await until_effects(engine, goal, worker)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        killed_at.append(await count(engine, events))
    assert 0 < killed_at[0] < killed_at[-1] < MESSAGES

    worker = start_worker(path)
    await until_effects(engine, MESSAGES, worker)
    await until_settled(queue)
    worker.kill()
    worker.wait()

    async with engine.reader() as connection:
        effects = await connection.rows(sa.select(events.c.issue_id))
    assert sorted(row.issue_id for row in effects) == list(range(MESSAGES))
    assert await count(engine, processed_messages) == MESSAGES
    assert await queue.dead_letters(NAME) == []
    await queue.close()
    await engine.close()
