"""MySQL and MariaDB through asyncmy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError

from support_copilot.storage.engine import Connection, Parameters, Work, rowcount, translate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")


class _Connection:
    dialect = "mysql"

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]:
        try:
            return list((await self._connection.execute(statement, params)).all())
        except DBAPIError as error:
            raise translate(error) from error

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        try:
            return rowcount(await self._connection.execute(statement, params))
        except DBAPIError as error:
            raise translate(error) from error


class MysqlEngine:
    """MySQL or MariaDB through asyncmy; reads in autocommit, sparing the round trips."""

    dialect = "mysql"

    def __init__(self, url: str, pool_size: int = 10) -> None:
        # Imported where it is used: it brings the ORM, and SQLite starts without it.
        from sqlalchemy.ext.asyncio import create_async_engine

        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            # A lock that is read again must be seen as others left it.
            isolation_level="READ COMMITTED",
            skip_autocommit_rollback=True,
            connect_args={
                "connect_timeout": 5,
                "init_command": (
                    "SET time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,NO_ZERO_DATE,"
                    "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO', innodb_lock_wait_timeout=5"
                ),
            },
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        try:
            async with self._engine.begin() as connection:
                yield _Connection(connection)
        except DBAPIError as error:
            raise translate(error) from error

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        try:
            async with self._reading.connect() as connection:
                yield _Connection(connection)
        except DBAPIError as error:
            raise translate(error) from error

    async def transact(self, work: Work[T], *, durable: bool = True) -> T:  # noqa: ARG002
        async with self.transaction() as connection:
            return await work(connection)

    async def look(self, work: Work[T]) -> T:
        async with self.reader() as connection:
            return await work(connection)

    async def run_sync(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(work)
        except DBAPIError as error:
            raise translate(error) from error

    async def close(self) -> None:
        await self._engine.dispose()
