"""Connections to SQLite and to MySQL behind one small seam.

SQLite is called synchronously on a few threads of our own, one hop a statement: measured 0.11 ms
against 0.30 ms through aiosqlite, which hops four times (docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

from support_copilot.domain.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

BUSY_TIMEOUT_MS = 5_000
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL: an accepted issue survives a power cut, not only a killed process (0.3 ms a commit).
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    # What is erased leaves no bytes behind in the file.
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-32000",
    "PRAGMA temp_store=MEMORY",
)


class Connection(Protocol):
    """A connection in a transaction, or in autocommit for reading."""

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``mysql`` (MariaDB included)."""

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]: ...

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        """Execute and return the number of rows changed.

        Raises Conflict for a violated constraint, Unavailable where the database does not answer.
        """


class Engine(Protocol):
    @property
    def dialect(self) -> str: ...

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open a write transaction that commits at the end of the block."""

    def reader(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for reading, in autocommit."""

    async def run_sync(self, work: Callable[[sa.Connection], T]) -> T:
        """Run blocking work, such as a migration, on a connection of its own."""

    async def close(self) -> None: ...


def _translate(error: DBAPIError) -> Exception:
    if isinstance(error, IntegrityError):
        return Conflict(f"the database refused a row: {error.orig}")
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return Unavailable(f"the database does not answer: {error.orig}")
    return error


async def _unbroken(future: asyncio.Future[T]) -> T:
    """Wait for work in a thread even when cancelled, so that no statement outlives its block."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


class _SqliteConnection:
    """SQLAlchemy begins a transaction with its first statement: that saves a hop of its own."""

    dialect = "sqlite"

    def __init__(self, connection: sa.Connection, executor: Executor) -> None:
        self._connection = connection
        self._executor = executor

    async def call(self, work: Callable[[sa.Connection], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work, self._connection)
        try:
            return await _unbroken(future)
        except DBAPIError as error:
            raise _translate(error) from error

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]:
        return await self.call(lambda c: list(c.execute(statement, params).all()))

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        return await self.call(lambda c: _rowcount(c.execute(statement, params)))


def _rowcount(result: CursorResult[Any]) -> int:
    count = result.rowcount
    result.close()
    return count


class SqliteEngine:
    """One writer and several readers over one file in WAL mode.

    Writers wait in line in this process, without occupying a thread; other processes are held
    off by SQLite's own lock for at most ``BUSY_TIMEOUT_MS``.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, readers: int = 4) -> None:
        self._writing = _sqlite(path)
        sa.event.listen(self._writing, "begin", _begin_immediate)
        self._reading = _sqlite(path).execution_options(isolation_level="AUTOCOMMIT")
        self._write_lock = asyncio.Lock()
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._read_threads = ThreadPoolExecutor(readers, thread_name_prefix="sqlite-read")
        self._writer: sa.Connection | None = None
        self._idle: list[sa.Connection] = []
        self._slots = asyncio.Semaphore(readers)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._write_lock:
            if self._writer is None:
                self._writer = await _in(self._write_thread, self._writing.connect)
            connection = _SqliteConnection(self._writer, self._write_thread)
            try:
                yield connection
                await connection.call(lambda c: c.commit())
            except BaseException:
                await connection.call(lambda c: c.rollback())
                raise

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        async with self._slots:
            raw = (
                self._idle.pop()
                if self._idle
                else await _in(self._read_threads, self._reading.connect)
            )
            try:
                yield _SqliteConnection(raw, self._read_threads)
            finally:
                self._idle.append(raw)

    async def run_sync(self, work: Callable[[sa.Connection], T]) -> T:
        def call() -> T:
            with self._writing.connect() as connection:
                return work(connection)

        async with self._write_lock:
            return await _in(self._write_thread, call)

    async def close(self) -> None:
        async with self._write_lock:
            connections, self._idle = self._idle, []
            for connection in connections:
                await _in(self._read_threads, connection.close)
            if self._writer is not None:
                await _in(self._write_thread, self._writer.close)
                self._writer = None
        self._write_thread.shutdown()
        self._read_threads.shutdown()


async def _in(executor: Executor, work: Callable[[], T]) -> T:
    try:
        return await _unbroken(asyncio.get_running_loop().run_in_executor(executor, work))
    except DBAPIError as error:
        raise _translate(error) from error


def _sqlite(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False, "isolation_level": None},
        poolclass=NullPool,
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_immediate(connection: sa.Connection) -> None:
    # Taking the write lock at once avoids the upgrade of a read lock, which cannot wait.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class _MysqlConnection:
    dialect = "mysql"

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]:
        try:
            return list((await self._connection.execute(statement, params)).all())
        except DBAPIError as error:
            raise _translate(error) from error

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        try:
            return _rowcount(await self._connection.execute(statement, params))
        except DBAPIError as error:
            raise _translate(error) from error


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
                yield _MysqlConnection(connection)
        except DBAPIError as error:
            raise _translate(error) from error

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        try:
            async with self._reading.connect() as connection:
                yield _MysqlConnection(connection)
        except DBAPIError as error:
            raise _translate(error) from error

    async def run_sync(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(work)
        except DBAPIError as error:
            raise _translate(error) from error

    async def close(self) -> None:
        await self._engine.dispose()
