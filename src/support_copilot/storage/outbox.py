"""Messages committed together with the data they are about, and those already handled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from support_copilot.domain.errors import Conflict
from support_copilot.queues import QueueMessage
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import outbox, processed_messages


class SqlOutbox:
    def __init__(self, connection: Connection, touched: set[str]) -> None:
        self._connection = connection
        self._touched = touched

    async def add(self, messages: Sequence[QueueMessage]) -> None:
        if not messages:
            return
        await self._connection.run(
            outbox.insert(),
            [
                {
                    "id": message.id,
                    "queue": message.queue,
                    "body": message.body,
                    "key": message.key,
                    "schema_version": message.schema_version,
                    "trace": message.trace,
                    "created_at": message.created_at,
                }
                for message in messages
            ],
        )
        self._touched.add("outbox")

    async def pending(self, limit: int) -> list[QueueMessage]:
        rows = await self._connection.rows(sa.select(outbox).order_by(outbox.c.id).limit(limit))
        return [
            QueueMessage(
                id=row.id,
                queue=row.queue,
                body=row.body,
                key=row.key,
                schema_version=row.schema_version,
                trace=row.trace,
                created_at=row.created_at,
            )
            for row in rows
        ]

    async def remove(self, message_ids: Sequence[int]) -> None:
        if message_ids:
            await self._connection.run(outbox.delete().where(outbox.c.id.in_(message_ids)))

    async def count(self) -> int:
        rows = await self._connection.rows(sa.select(sa.func.count()).select_from(outbox))
        return int(rows[0][0])


class SqlProcessed:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, message_id: int, consumer: str) -> bool:
        known = await self._connection.rows(
            sa.select(processed_messages.c.message_id).where(
                processed_messages.c.message_id == message_id,
                processed_messages.c.consumer == consumer,
            )
        )
        if known:
            return False
        try:
            await self._connection.run(
                processed_messages.insert(),
                {
                    "message_id": message_id,
                    "consumer": consumer,
                    "processed_at": datetime.now(UTC),
                },
            )
        except Conflict:
            return False
        return True

    async def prune(self, before: datetime) -> int:
        return await self._connection.run(
            processed_messages.delete().where(processed_messages.c.processed_at < before)
        )
