"""Issues, one row each; the lists are in ``issue_pages``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from support_copilot.domain.errors import VersionMismatch
from support_copilot.domain.issue import OPEN_STATUSES, Issue, Status
from support_copilot.domain.similarity import SimilarHit, SimilarIssue
from support_copilot.ports import IssueFilter, Page
from support_copilot.storage import counters
from support_copilot.storage.engine import Connection
from support_copilot.storage.issue_pages import fetch_page
from support_copilot.storage.issue_rows import (
    FIXED,
    ISSUE_COLUMNS,
    MUTABLE,
    issue_values,
    to_issue,
)
from support_copilot.storage.tables import issues


class SqlIssues:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, issue_id: int) -> Issue | None:
        return await self._one(issues.c.id == issue_id)

    async def get_many(self, issue_ids: Sequence[int]) -> list[Issue]:
        rows = await self._connection.rows(
            sa.select(*ISSUE_COLUMNS).where(issues.c.id.in_(issue_ids))
        )
        return [to_issue(row) for row in rows]

    async def by_number(self, number: int) -> Issue | None:
        return await self._one(issues.c.number == number)

    async def by_external_id(self, external_id: str) -> Issue | None:
        return await self._one(issues.c.external_id == external_id)

    async def _one(self, condition: sa.ColumnElement[bool]) -> Issue | None:
        rows = await self._connection.rows(sa.select(*ISSUE_COLUMNS).where(condition))
        return to_issue(rows[0]) if rows else None

    async def known_external_ids(self, external_ids: Sequence[str]) -> set[str]:
        rows = await self._connection.rows(
            sa.select(issues.c.external_id).where(issues.c.external_id.in_(external_ids))
        )
        return {row.external_id for row in rows}

    async def next_number(self) -> int:
        return await self.take_numbers(1)

    async def take_numbers(self, count: int) -> int:
        return await counters.take(self._connection, counters.ISSUE_NUMBER, count)

    async def add(self, issue: Issue) -> None:
        await self.add_many([issue])

    async def add_many(self, added: Sequence[Issue]) -> None:
        if added:
            await self._connection.run(
                issues.insert(),
                [issue_values(issue, (*FIXED, *MUTABLE, "version")) for issue in added],
            )

    async def save(self, issue: Issue, *, expected_version: int, edited: bool = True) -> None:
        changed = await self._connection.run(
            issues.update().where(issues.c.id == issue.id, issues.c.version == expected_version),
            {**issue_values(issue, MUTABLE), "version": expected_version + edited},
        )
        if not changed:
            raise VersionMismatch(
                "The issue was changed by somebody else since it was read; read it again."
            )
        issue.version = expected_version + edited

    async def rejudge_customer(self, customer_id: int, now: datetime) -> None:
        await self._connection.run(
            issues.update().where(
                issues.c.customer_id == customer_id,
                issues.c.status.in_([status.value for status in OPEN_STATUSES]),
            ),
            {"criticality_due_at": now},
        )

    async def mark(
        self,
        issue_id: int,
        *,
        recommended_at: datetime | None = None,
        ended_at: datetime | None = None,
    ) -> None:
        given = {"recommended_at": recommended_at, "ended_at": ended_at}
        await self._connection.run(
            issues.update().where(issues.c.id == issue_id),
            {name: moment for name, moment in given.items() if moment is not None},
        )

    async def erase(self, issue_id: int) -> bool:
        return bool(await self._connection.run(issues.delete().where(issues.c.id == issue_id)))

    async def page(self, wanted: IssueFilter) -> Page:
        return await fetch_page(self._connection, wanted)

    async def due(self, now: datetime, limit: int) -> list[Issue]:
        rows = await self._connection.rows(
            sa.select(*ISSUE_COLUMNS)
            .where(issues.c.criticality_due_at <= now)
            .order_by(issues.c.criticality_due_at)
            .limit(limit)
        )
        return [to_issue(row) for row in rows]

    async def similar(self, hits: Sequence[SimilarHit]) -> list[SimilarIssue]:
        if not hits:
            return []
        rows = await self._connection.rows(
            sa.select(
                issues.c.id,
                issues.c.number,
                issues.c.title,
                issues.c.status,
                issues.c.resolution,
            ).where(issues.c.id.in_([hit.issue_id for hit in hits]))
        )
        known = {row.id: row for row in rows}
        return [
            SimilarIssue(
                id=row.id,
                number=row.number,
                title=row.title,
                score=hit.score,
                matched_words=hit.matched_words,
                status=Status(row.status),
                resolution=row.resolution,
            )
            for hit in hits
            if (row := known.get(hit.issue_id)) is not None
        ]

    async def count(self) -> int:
        rows = await self._connection.rows(sa.select(sa.func.count()).select_from(issues))
        return int(rows[0][0])
