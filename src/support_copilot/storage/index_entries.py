"""What the similarity index is rebuilt from at start: vectors and terms, never text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from support_copilot.domain.identifiers import MAX_ID
from support_copilot.domain.issue import Issue
from support_copilot.domain.similarity import IndexEntry
from support_copilot.storage import counters
from support_copilot.storage.engine import Connection
from support_copilot.storage.issue_rows import ISSUE_COLUMNS, to_issue
from support_copilot.storage.tables import index_entries, issues


class SqlIndexEntries:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, entries: Sequence[IndexEntry]) -> list[IndexEntry]:
        """Store or replace; entries of issues erased meanwhile are left out."""
        if not entries:
            return []
        ids = [entry.issue_id for entry in entries]
        alive = {
            row.id
            for row in await self._connection.rows(
                sa.select(issues.c.id).where(issues.c.id.in_(ids))
            )
        }
        kept = [entry for entry in entries if entry.issue_id in alive]
        if not kept:
            return []
        first = await counters.take(self._connection, counters.INDEX_SEQUENCE, len(kept))
        stored = [replace(entry, sequence=first + i) for i, entry in enumerate(kept)]
        await self._connection.run(index_entries.delete().where(index_entries.c.issue_id.in_(ids)))
        await self._connection.run(
            index_entries.insert(),
            [
                {
                    "issue_id": entry.issue_id,
                    "sequence": entry.sequence,
                    "vector": entry.vector,
                    "terms": entry.terms,
                    "fingerprint": entry.fingerprint,
                }
                for entry in stored
            ],
        )
        return stored

    async def after(self, sequence: int, limit: int) -> list[IndexEntry]:
        rows = await self._connection.rows(
            sa.select(index_entries)
            .where(index_entries.c.sequence > sequence)
            .order_by(index_entries.c.sequence)
            .limit(limit)
        )
        return [
            IndexEntry(
                issue_id=row.issue_id,
                vector=row.vector,
                terms=row.terms,
                fingerprint=row.fingerprint,
                sequence=row.sequence,
            )
            for row in rows
        ]

    async def missing(
        self, fingerprint: str, limit: int, *, after: int = 0, before: int = MAX_ID
    ) -> list[Issue]:
        rows = await self._connection.rows(
            sa.select(*ISSUE_COLUMNS)
            .outerjoin(index_entries, index_entries.c.issue_id == issues.c.id)
            .where(
                issues.c.id > after,
                issues.c.id < before,
                sa.or_(
                    index_entries.c.issue_id.is_(None),
                    index_entries.c.fingerprint != fingerprint,
                ),
            )
            .order_by(issues.c.id)
            .limit(limit)
        )
        return [to_issue(row) for row in rows]

    async def count(self) -> int:
        rows = await self._connection.rows(sa.select(sa.func.count()).select_from(index_entries))
        return int(rows[0][0])
