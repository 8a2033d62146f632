"""The team's reusable replies."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from support_copilot.domain.recommendation import Template
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import templates


class SqlTemplates:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self) -> list[Template]:
        return await self._many(sa.true())

    async def get(self, template_id: int) -> Template | None:
        found = await self._many(templates.c.id == template_id)
        return found[0] if found else None

    async def _many(self, condition: sa.ColumnElement[bool]) -> list[Template]:
        rows = await self._connection.rows(
            sa.select(templates).where(condition).order_by(templates.c.id)
        )
        return [
            Template(
                id=row.id,
                title=row.title,
                text=row.text,
                category=row.category,
                used=row.used,
                created_at=row.created_at,
            )
            for row in rows
        ]

    async def add(self, template: Template) -> None:
        await self._connection.run(
            templates.insert(),
            {
                "id": template.id,
                "title": template.title,
                "text": template.text,
                "category": template.category,
                "used": template.used,
                "created_at": template.created_at or datetime.now(UTC),
            },
        )

    async def save(self, template: Template) -> None:
        await self._connection.run(
            templates.update().where(templates.c.id == template.id),
            {
                "title": template.title,
                "text": template.text,
                "category": template.category,
                "used": template.used,
            },
        )

    async def remove(self, template_id: int) -> bool:
        return bool(
            await self._connection.run(templates.delete().where(templates.c.id == template_id))
        )
