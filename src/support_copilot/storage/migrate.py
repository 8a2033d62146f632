"""Schema migrations, run from code: one set for SQLite and MySQL."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from support_copilot.domain.errors import Unavailable
from support_copilot.storage.engine import Connection, Engine

if TYPE_CHECKING:
    from alembic.config import Config


MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head_revision() -> str:
    """Return the revision this code needs: migrations are numbered and follow each other."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


async def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at, None for an empty one."""
    try:
        rows = await connection.rows(sa.text("SELECT version_num FROM alembic_version"))
    except (Unavailable, sa.exc.DBAPIError):
        return None
    return str(rows[0][0]) if rows else None


async def upgrade(engine: Engine, revision: str = "head") -> tuple[str | None, str]:
    """Bring the schema to ``revision``; return where it was and where it is."""

    def work(connection: sa.Connection) -> None:
        # Alembic is imported only where there is something to do: it costs half a second.
        from alembic import command

        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()

    async with engine.reader() as connection:
        before = await current_revision(connection)
    wanted = head_revision() if revision == "head" else revision
    if before != wanted:
        await engine.run_sync(work)
    return before, wanted
