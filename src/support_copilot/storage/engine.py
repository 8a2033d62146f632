"""The seam between repositories and the databases they run on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from support_copilot.domain.errors import Conflict, Unavailable

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


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


Work = Callable[[Connection], Awaitable[T]]


class Engine(Protocol):
    @property
    def dialect(self) -> str: ...

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open a write transaction that commits at the end of the block."""

    def reader(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for reading, in autocommit."""

    async def transact(self, work: Work[T], *, durable: bool = True) -> T:
        """Run ``work``, which awaits nothing but its connection, in a write transaction.

        What is not ``durable`` survives a killed process, but perhaps no power cut, and is
        written faster where that makes a difference.
        """

    async def look(self, work: Work[T]) -> T:
        """Run ``work``, which awaits nothing but its connection, for reading."""

    async def run_sync(self, work: Callable[[sa.Connection], T]) -> T:
        """Run blocking work, such as a migration, on a connection of its own."""

    async def close(self) -> None: ...


def translate(error: DBAPIError) -> Exception:
    """Return what an error of a driver means to the product."""
    if isinstance(error, IntegrityError):
        return Conflict(f"the database refused a row: {error.orig}")
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return Unavailable(f"the database does not answer: {error.orig}")
    return error


def rowcount(result: CursorResult[Any]) -> int:
    count = result.rowcount
    result.close()
    return count
