"""Databases for the contract suites: SQLite always, MariaDB where it answers on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from support_copilot.domain.errors import Unavailable
from support_copilot.storage.engine import Engine
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.mysql_engine import MysqlEngine
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.tables import metadata
from support_copilot.storage.unit_of_work import SqlDatabase

MARIADB = "mysql+asyncmy://root@127.0.0.1:3306"


async def _on_server(statement: str) -> None:
    server = MysqlEngine(f"{MARIADB}/")
    try:
        async with server.transaction() as connection:
            await connection.run(sa.text(statement))
    finally:
        await server.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run in a thread of its own: the caller may be inside a running loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def mariadb_schema() -> Iterator[str]:
    """A migrated schema for the session: making one takes seconds."""
    schema = f"support_copilot_contract_{os.getpid()}"

    async def make() -> None:
        await _on_server(f"CREATE OR REPLACE DATABASE {schema}")
        engine = MysqlEngine(f"{MARIADB}/{schema}?charset=utf8mb4")
        await upgrade(engine)
        await engine.close()

    try:
        _run(make())
    except Unavailable as error:
        pytest.skip(f"no MariaDB on 127.0.0.1:3306: {error.detail}")
    yield schema
    _run(_on_server(f"DROP DATABASE {schema}"))


async def _empty(engine: Engine) -> None:
    async with engine.transaction() as connection:
        await connection.run(sa.text("SET FOREIGN_KEY_CHECKS = 0"))
        for name in metadata.tables.keys() - {"counters"}:
            await connection.run(sa.text(f"DELETE FROM {name}"))
        await connection.run(sa.text("SET FOREIGN_KEY_CHECKS = 1"))


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def engine(request, tmp_path) -> AsyncIterator[Engine]:
    """An engine over an empty, fully migrated database."""
    if request.param == "sqlite":
        opened: Engine = SqliteEngine(tmp_path / "contract.db")
        await upgrade(opened)
    else:
        schema = request.getfixturevalue("mariadb_schema")
        opened = MysqlEngine(f"{MARIADB}/{schema}?charset=utf8mb4")
        await _empty(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def database(engine) -> SqlDatabase:
    return SqlDatabase(engine)
