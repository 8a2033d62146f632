"""SQLite, called synchronously on a few threads of our own.

A statement takes one hop to a thread and back, a whole unit of work given to ``transact`` takes one
hop too: measured 0.11 ms a hop against 0.30 ms a statement through aiosqlite, which hops four times
(docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from support_copilot.storage.engine import Connection, Parameters, Work, rowcount, translate

T = TypeVar("T")

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
        # By whether a commit waits for the disk; both are used by the one writer of the moment.
        self._writers: dict[bool, sa.Connection] = {}
        self._idle: list[sa.Connection] = []
        self._slots = asyncio.Semaphore(readers)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._write_lock:
            writer = await self._a_writer(durable=True)
            connection = _HoppingConnection(writer, self._write_thread)
            try:
                yield connection
                await connection.call(lambda c: c.commit())
            except BaseException:
                await connection.call(lambda c: c.rollback())
                raise

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        async with self._slots:
            raw = await self._a_reader()
            try:
                yield _HoppingConnection(raw, self._read_threads)
            finally:
                self._idle.append(raw)

    async def transact(self, work: Work[T], *, durable: bool = True) -> T:
        def in_one_hop(raw: sa.Connection) -> T:
            try:
                result = _drive(work(_DirectConnection(raw)))
                raw.commit()
            except BaseException:
                raw.rollback()
                raise
            return result

        async with self._write_lock:
            writer = await self._a_writer(durable=durable)
            return await _HoppingConnection(writer, self._write_thread).call(in_one_hop)

    async def look(self, work: Work[T]) -> T:
        async with self._slots:
            raw = await self._a_reader()
            try:
                connection = _HoppingConnection(raw, self._read_threads)
                return await connection.call(lambda c: _drive(work(_DirectConnection(c))))
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
            writers, self._writers = list(self._writers.values()), {}
            for writer in writers:
                await _in(self._write_thread, writer.close)
        self._write_thread.shutdown()
        self._read_threads.shutdown()

    async def _a_writer(self, *, durable: bool) -> sa.Connection:
        if durable not in self._writers:
            writer = await _in(self._write_thread, self._writing.connect)
            if not durable:
                pragma = "PRAGMA synchronous=NORMAL"
                await _in(
                    self._write_thread,
                    lambda: writer.connection.dbapi_connection.execute(pragma),  # type: ignore[union-attr]
                )
            self._writers[durable] = writer
        return self._writers[durable]

    async def _a_reader(self) -> sa.Connection:
        if self._idle:
            return self._idle.pop()
        return await _in(self._read_threads, self._reading.connect)


class _HoppingConnection:
    """Executes each statement in a thread; SQLAlchemy begins with the first one."""

    dialect = "sqlite"

    def __init__(self, connection: sa.Connection, executor: Executor) -> None:
        self._connection = connection
        self._executor = executor

    async def call(self, work: Callable[[sa.Connection], T]) -> T:
        return await _in(self._executor, lambda: work(self._connection))

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]:
        return await self.call(lambda c: list(c.execute(statement, params).all()))

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        return await self.call(lambda c: rowcount(c.execute(statement, params)))


class _DirectConnection:
    """Executes statements where it stands: in the thread that drives the unit of work."""

    dialect = "sqlite"

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: sa.Executable, params: Parameters = None) -> list[Row[Any]]:
        try:
            return list(self._connection.execute(statement, params).all())
        except DBAPIError as error:
            raise translate(error) from error

    async def run(self, statement: sa.Executable, params: Parameters = None) -> int:
        try:
            return rowcount(self._connection.execute(statement, params))
        except DBAPIError as error:
            raise translate(error) from error


def _drive(work: Awaitable[T]) -> T:
    """Run a coroutine that never waits to its end, without an event loop."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a unit of work given to transact or look awaits only its database")


async def _unbroken(future: asyncio.Future[T]) -> T:
    """Wait for work in a thread even when cancelled, so that no statement outlives its block."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


async def _in(executor: Executor, work: Callable[[], T]) -> T:
    try:
        return await _unbroken(asyncio.get_running_loop().run_in_executor(executor, work))
    except DBAPIError as error:
        raise translate(error) from error


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
