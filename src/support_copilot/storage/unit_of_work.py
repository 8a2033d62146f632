"""One transaction over all repositories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TypeVar

import sqlalchemy as sa

from support_copilot.ports import UnitOfWork, Wake
from support_copilot.storage.accounts import SqlAccounts
from support_copilot.storage.conversations import SqlConversations
from support_copilot.storage.customers import SqlCustomers
from support_copilot.storage.engine import Connection, Engine
from support_copilot.storage.events import SqlEventLog
from support_copilot.storage.index_entries import SqlIndexEntries
from support_copilot.storage.intakes import SqlIntakes
from support_copilot.storage.issues import SqlIssues
from support_copilot.storage.labels import SqlLabels
from support_copilot.storage.migrate import current_revision, head_revision
from support_copilot.storage.notifications import SqlNotifications
from support_copilot.storage.outbox import SqlOutbox, SqlProcessed
from support_copilot.storage.recommendations import SqlRecommendations
from support_copilot.storage.summaries import SqlSummaries
from support_copilot.storage.templates import SqlTemplates

T = TypeVar("T")


class SqlUnitOfWork:
    """Repositories over one connection; ``touched`` collects what the commit should wake."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.touched: set[str] = set()

    @cached_property
    def customers(self) -> SqlCustomers:
        return SqlCustomers(self._connection)

    @cached_property
    def issues(self) -> SqlIssues:
        return SqlIssues(self._connection)

    @cached_property
    def conversations(self) -> SqlConversations:
        return SqlConversations(self._connection)

    @cached_property
    def recommendations(self) -> SqlRecommendations:
        return SqlRecommendations(self._connection)

    @cached_property
    def templates(self) -> SqlTemplates:
        return SqlTemplates(self._connection)

    @cached_property
    def summaries(self) -> SqlSummaries:
        return SqlSummaries(self._connection)

    @cached_property
    def labels(self) -> SqlLabels:
        return SqlLabels(self._connection)

    @cached_property
    def index_entries(self) -> SqlIndexEntries:
        return SqlIndexEntries(self._connection)

    @cached_property
    def intakes(self) -> SqlIntakes:
        return SqlIntakes(self._connection)

    @cached_property
    def outbox(self) -> SqlOutbox:
        return SqlOutbox(self._connection, self.touched)

    @cached_property
    def processed(self) -> SqlProcessed:
        return SqlProcessed(self._connection)

    @cached_property
    def events(self) -> SqlEventLog:
        return SqlEventLog(self._connection, self.touched)

    @cached_property
    def notifications(self) -> SqlNotifications:
        return SqlNotifications(self._connection)

    @cached_property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self._connection)


class SqlDatabase:
    """The ``Database`` port over an engine; ``wake`` hears after each commit what it touched."""

    def __init__(self, engine: Engine, wake: Wake = lambda _topic: None) -> None:
        self._engine = engine
        self._wake = wake

    @asynccontextmanager
    async def write(self) -> AsyncIterator[UnitOfWork]:
        async with self._engine.transaction() as connection:
            uow = SqlUnitOfWork(connection)
            yield uow
        for topic in uow.touched:
            self._wake(topic)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        async with self._engine.reader() as connection:
            yield SqlUnitOfWork(connection)

    async def transact(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        touched: set[str] = set()

        async def within(connection: Connection) -> T:
            uow = SqlUnitOfWork(connection)
            result = await work(uow)
            touched.update(uow.touched)
            return result

        result = await self._engine.transact(within)
        for topic in touched:
            self._wake(topic)
        return result

    async def look(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        return await self._engine.look(lambda connection: work(SqlUnitOfWork(connection)))

    async def ping(self) -> None:
        async with self._engine.reader() as connection:
            await connection.rows(sa.text("SELECT 1"))

    async def schema_version(self) -> tuple[str | None, str]:
        async with self._engine.reader() as connection:
            return await current_revision(connection), head_revision()

    async def close(self) -> None:
        await self._engine.close()
