"""Numbers that grow by one, in the transaction that uses them."""

from __future__ import annotations

import sqlalchemy as sa

from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import counters

ISSUE_NUMBER = "issue_number"
INDEX_SEQUENCE = "index_sequence"

_NAMED = counters.c.name == sa.bindparam("counter")
_RAISE = counters.update().where(_NAMED).values(value=counters.c.value + sa.bindparam("count"))
_RAISE_AND_READ = _RAISE.returning(counters.c.value)
_READ = sa.select(counters.c.value).where(_NAMED)


async def take(connection: Connection, name: str, count: int = 1) -> int:
    """Take ``count`` numbers and return the first; the row's lock orders those who take."""
    if connection.dialect == "sqlite":
        rows = await connection.rows(_RAISE_AND_READ, {"counter": name, "count": count})
    else:
        await connection.run(_RAISE, {"counter": name, "count": count})
        rows = await connection.rows(_READ, {"counter": name})
    return int(rows[0][0]) - count + 1
