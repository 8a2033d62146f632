"""First answers, kept so that a repeated request gets the same one."""

from __future__ import annotations

import sqlalchemy as sa

from support_copilot.ports import Intake
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import intakes

_NAMES = (
    "issue_id",
    "customer_id",
    "fingerprint",
    "response",
    "created_at",
    "idempotency_key",
    "external_id",
)


class SqlIntakes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def by_key(self, key: str) -> Intake | None:
        return await self._one(intakes.c.idempotency_key == key)

    async def by_external_id(self, external_id: str) -> Intake | None:
        return await self._one(intakes.c.external_id == external_id)

    async def _one(self, condition: sa.ColumnElement[bool]) -> Intake | None:
        rows = await self._connection.rows(sa.select(intakes).where(condition))
        return Intake(**{name: getattr(rows[0], name) for name in _NAMES}) if rows else None

    async def add(self, intake: Intake) -> None:
        await self._connection.run(
            intakes.insert(), {name: getattr(intake, name) for name in _NAMES}
        )
