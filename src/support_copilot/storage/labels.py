"""Executives' corrections, kept to learn from."""

from __future__ import annotations

import sqlalchemy as sa

from support_copilot.ports import Label
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import labels

_NAMES = (
    "id",
    "issue_id",
    "kind",
    "judged",
    "corrected",
    "reason",
    "decided_by",
    "created_at",
    "model_version",
)


class SqlLabels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, label: Label) -> None:
        await self._connection.run(labels.insert(), {name: getattr(label, name) for name in _NAMES})

    async def of_kind(self, kind: str, *, limit: int = 100_000) -> list[Label]:
        rows = await self._connection.rows(
            sa.select(labels).where(labels.c.kind == kind).order_by(labels.c.id).limit(limit)
        )
        return [Label(**{name: getattr(row, name) for name in _NAMES}) for row in rows]
