"""Notifications shown in the portal."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from support_copilot.ports import Notification
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import notifications

_NAMES = ("id", "kind", "issue_id", "title", "text", "created_at", "read_at")


class SqlNotifications:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, notification: Notification) -> None:
        await self._connection.run(
            notifications.insert(), {name: getattr(notification, name) for name in _NAMES}
        )

    async def latest(self, limit: int, after_id: int = 0) -> list[Notification]:
        rows = await self._connection.rows(
            sa.select(notifications)
            .where(notifications.c.id > after_id)
            .order_by(notifications.c.id.desc())
            .limit(limit)
        )
        return [Notification(**{name: getattr(row, name) for name in _NAMES}) for row in rows]

    async def mark_read(self, notification_id: int, now: datetime) -> bool:
        return bool(
            await self._connection.run(
                notifications.update().where(notifications.c.id == notification_id),
                {"read_at": now},
            )
        )
