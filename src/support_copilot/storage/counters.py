"""Numbers that grow by one, in the transaction that uses them."""

from __future__ import annotations

import sqlalchemy as sa

from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import counters

ISSUE_NUMBER = "issue_number"
INDEX_SEQUENCE = "index_sequence"


async def take(connection: Connection, name: str, count: int = 1) -> int:
    """Take ``count`` numbers and return the first; the row's lock orders those who take."""
    await connection.run(
        counters.update().where(counters.c.name == name).values(value=counters.c.value + count)
    )
    rows = await connection.rows(sa.select(counters.c.value).where(counters.c.name == name))
    return int(rows[0][0]) - count + 1
