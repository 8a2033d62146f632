"""The log behind the event stream."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from support_copilot.domain.events import Event, EventType
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import events


class SqlEventLog:
    def __init__(self, connection: Connection, touched: set[str]) -> None:
        self._connection = connection
        self._touched = touched

    async def append(self, *happened: Event) -> None:
        await self._connection.run(
            events.insert(),
            [
                {
                    "type": event.type.value,
                    "issue_id": event.issue_id,
                    "data": event.data,
                    "created_at": event.created_at,
                }
                for event in happened
            ],
        )
        self._touched.add("events")

    async def after(self, event_id: int, limit: int) -> list[Event]:
        rows = await self._connection.rows(
            sa.select(events).where(events.c.id > event_id).order_by(events.c.id).limit(limit)
        )
        return [
            Event(
                type=EventType(row.type),
                issue_id=row.issue_id,
                created_at=row.created_at,
                data=row.data,
                id=row.id,
            )
            for row in rows
        ]

    async def last_id(self) -> int:
        rows = await self._connection.rows(sa.select(sa.func.max(events.c.id)))
        return int(rows[0][0] or 0)

    async def prune(self, before: datetime) -> int:
        return await self._connection.run(events.delete().where(events.c.created_at < before))
