"""The SQL of the embedded queue: one row a message, leased while somebody has it in hand.

A row's ``attempts`` grows with each claim and so names the claim: who settles a message says
which attempt it had, and a lease that was lost meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, not_, or_, select, true, update
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql.expression import ColumnElement, Insert

from support_copilot.ports import DeadLetter, QueueDepth
from support_copilot.queues import QueueMessage
from support_copilot.storage.engine import Connection, Engine
from support_copilot.storage.tables import queue_messages as messages

#: Before every real moment, so that what is given back comes first again.
_FRONT = 0.0


class QueueStore:
    """Queue rows on SQLite or MySQL; every method is one transaction. Raises Unavailable.

    ``now`` is always the caller's clock, timezone-aware.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def publish(self, batch: Sequence[QueueMessage], now: datetime) -> None:
        """Store messages, visible at once; an id that is there is left as it is."""
        if not batch:
            return
        rows = [
            {
                "id": message.id,
                "queue": message.queue,
                "body": message.body,
                "key": message.key,
                "schema_version": message.schema_version,
                "trace": message.trace,
                "created_at": message.created_at,
                "visible_at": now.timestamp(),
                "leased": False,
                "attempts": 0,
                "dead": False,
            }
            for message in batch
        ]
        await self._engine.transact(lambda c: c.run(_insert_if_new(c.dialect), rows))

    async def claim(
        self, queue: str, limit: int, now: datetime, lease_seconds: float
    ) -> list[tuple[QueueMessage, int]]:
        """Lease up to ``limit`` visible messages; return each with its attempt, from 1.

        Of one key at most one message is leased at a time, the first one visible, so that order
        per key holds however many consumers there are. Key 0 means that order does not matter.
        """
        moment = now.timestamp()

        async def take(connection: Connection) -> list[Row[Any]]:
            busy = await connection.rows(
                select(messages.c.key)
                .where(_alive(queue), _leased(moment), messages.c.key != 0)
                .distinct()
            )
            rows = await connection.rows(
                select(messages)
                .where(
                    _alive(queue),
                    messages.c.visible_at <= moment,
                    messages.c.key.not_in([row.key for row in busy]),
                )
                .order_by(messages.c.visible_at, messages.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            first = _first_of_each_key(rows)
            if connection.dialect != "sqlite":
                first = await _not_overtaking(connection, queue, first, moment)
            if first:
                await connection.run(
                    update(messages)
                    .where(messages.c.id.in_([row.id for row in first]))
                    .values(
                        leased=True,
                        visible_at=moment + lease_seconds,
                        attempts=messages.c.attempts + 1,
                    )
                )
            return first

        return [
            (_message(row), row.attempts + 1)
            for row in await self._engine.transact(take, durable=False)
        ]

    async def renew(
        self, message_id: int, attempt: int, now: datetime, lease_seconds: float
    ) -> bool:
        """Make a lease start anew; false where it was lost."""
        return await self._change_mine(
            message_id, attempt, visible_at=now.timestamp() + lease_seconds
        )

    async def delete(self, message_ids: Sequence[int]) -> None:
        """Forget messages that are done, whoever leases them now."""
        done = delete(messages).where(messages.c.id.in_(message_ids))
        # A lost ack or lease is a message delivered again, which its consumer knows.
        await self._engine.transact(lambda c: c.run(done), durable=False)

    async def retry(self, message_id: int, attempt: int, visible_at: float, reason: str) -> bool:
        """End a lease; the message is visible at ``visible_at`` (epoch seconds)."""
        return await self._change_mine(
            message_id, attempt, leased=False, visible_at=visible_at, reason=reason
        )

    async def bury(self, message_id: int, attempt: int, now: datetime, reason: str) -> bool:
        return await self._change_mine(
            message_id,
            attempt,
            leased=False,
            dead=True,
            visible_at=now.timestamp(),
            died_at=now,
            reason=reason,
        )

    async def give_back(self, claims: Sequence[tuple[int, int]], *, delivered: bool) -> None:
        """End the leases of ``(id, attempt)``, to the front; undelivered ones did not happen."""
        async with self._engine.transaction() as connection:
            for message_id, attempt in claims:
                await connection.run(
                    update(messages)
                    .where(_mine(message_id, attempt))
                    .values(
                        leased=False,
                        visible_at=_FRONT,
                        attempts=attempt if delivered else attempt - 1,
                    )
                )

    async def release_all_leases(self) -> int:
        """Make visible what a killed process had in hand; return how many.

        Only for a process that knows itself alone (it holds the data folder's lock).
        """
        async with self._engine.transaction() as connection:
            return await connection.run(
                update(messages)
                .where(messages.c.leased == true())
                .values(leased=False, visible_at=_FRONT)
            )

    async def next_visible_at(self, queue: str) -> float | None:
        """Return when (epoch seconds) the next message is or was visible; None: none there."""
        async with self._engine.reader() as connection:
            rows = await connection.rows(
                select(func.min(messages.c.visible_at).label("moment")).where(_alive(queue))
            )
        moment: float | None = rows[0].moment
        return moment

    async def depth(self, now: datetime) -> list[QueueDepth]:
        """Return the queues that hold messages; those waiting for a retry count as ready."""
        dead = messages.c.dead == true()
        in_flight = and_(not_(dead), _leased(now.timestamp()))
        async with self._engine.reader() as connection:
            rows = await connection.rows(
                select(
                    messages.c.queue,
                    func.count().label("total"),
                    func.sum(case((dead, 1), else_=0)).label("dead"),
                    func.sum(case((in_flight, 1), else_=0)).label("in_flight"),
                    func.min(case((dead, None), else_=messages.c.created_at)).label("oldest"),
                )
                .group_by(messages.c.queue)
                .order_by(messages.c.queue)
            )
        return [
            QueueDepth(
                queue=row.queue,
                ready=int(row.total - row.dead - row.in_flight),
                in_flight=int(row.in_flight),
                dead=int(row.dead),
                oldest_seconds=(
                    max(0.0, (now - row.oldest).total_seconds()) if row.oldest else 0.0
                ),
            )
            for row in rows
        ]

    async def dead_letters(self, queue: str, limit: int) -> list[DeadLetter]:
        """Return dead letters, the longest dead first."""
        async with self._engine.reader() as connection:
            rows = await connection.rows(
                select(messages)
                .where(_dead(queue))
                .order_by(messages.c.visible_at, messages.c.id)
                .limit(limit)
            )
        return [DeadLetter(_message(row), row.reason, row.attempts, row.died_at) for row in rows]

    async def retry_dead(self, queue: str, message_id: int | None, now: datetime) -> int:
        """Make one dead letter, or all of a queue, visible as if new; return how many."""
        chosen = _dead(queue)
        if message_id is not None:
            chosen = and_(chosen, messages.c.id == message_id)
        async with self._engine.transaction() as connection:
            return await connection.run(
                update(messages)
                .where(chosen)
                .values(
                    dead=False, visible_at=now.timestamp(), attempts=0, reason=None, died_at=None
                )
            )

    async def purge_dead(self, queue: str) -> int:
        async with self._engine.transaction() as connection:
            return await connection.run(delete(messages).where(_dead(queue)))

    async def _change_mine(self, message_id: int, attempt: int, **values: object) -> bool:
        change = update(messages).where(_mine(message_id, attempt)).values(**values)
        return await self._engine.transact(lambda c: c.run(change)) == 1


def _alive(queue: str) -> ColumnElement[bool]:
    return and_(messages.c.queue == queue, not_(messages.c.dead))


def _dead(queue: str) -> ColumnElement[bool]:
    return and_(messages.c.queue == queue, messages.c.dead == true())


def _leased(moment: float) -> ColumnElement[bool]:
    return and_(messages.c.leased == true(), messages.c.visible_at > moment)


def _mine(message_id: int, attempt: int) -> ColumnElement[bool]:
    return and_(
        messages.c.id == message_id,
        messages.c.attempts == attempt,
        messages.c.leased == true(),
    )


def _first_of_each_key(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    keys: set[int] = set()
    first = []
    for row in rows:
        if row.key not in keys:
            first.append(row)
        if row.key:
            keys.add(row.key)
    return first


async def _not_overtaking(
    connection: Connection, queue: str, rows: list[Row[Any]], moment: float
) -> list[Row[Any]]:
    """Leave out rows that stand behind one of their key which a concurrent claim is taking.

    That claim's rows were skipped because it had them locked; SQLite has a single writer.
    """
    keyed = [row for row in rows if row.key]
    if not keyed:
        return rows
    last = max(row.visible_at for row in keyed)
    others = await connection.rows(
        select(messages.c.key, messages.c.leased, messages.c.visible_at, messages.c.id).where(
            _alive(queue),
            or_(messages.c.visible_at <= last, _leased(moment)),
            messages.c.key.in_([row.key for row in keyed]),
            messages.c.id.not_in([row.id for row in keyed]),
        )
    )
    place = {row.key: (row.visible_at, row.id) for row in keyed}
    behind = {
        other.key
        for other in others
        if other.leased or (other.visible_at, other.id) < place[other.key]
    }
    return [row for row in rows if row.key not in behind]


def _insert_if_new(dialect: str) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(messages).on_conflict_do_nothing(index_elements=["id"])
    return mysql.insert(messages).on_duplicate_key_update(id=messages.c.id)


def _message(row: Row[Any]) -> QueueMessage:
    return QueueMessage(
        id=row.id,
        queue=row.queue,
        body=row.body,
        created_at=row.created_at,
        key=row.key,
        schema_version=row.schema_version,
        trace=row.trace,
    )
