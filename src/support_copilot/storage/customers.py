"""Customers and the figures of their past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from support_copilot.domain.customer import Customer, CustomerHistory, IssueBrief
from support_copilot.domain.issue import OPEN_STATUSES, Severity, Status
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import customers, issues

OPEN_ISSUES_SHOWN = 20


class SqlCustomers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, customer_id: int) -> Customer | None:
        return await self._one(customers.c.id == customer_id)

    async def by_email(self, email: str) -> Customer | None:
        return await self._one(customers.c.email == email)

    async def by_emails(self, emails: Sequence[str]) -> list[Customer]:
        return await self._all(customers.c.email.in_(emails))

    async def _one(self, condition: sa.ColumnElement[bool]) -> Customer | None:
        found = await self._all(condition)
        return found[0] if found else None

    async def _all(self, condition: sa.ColumnElement[bool]) -> list[Customer]:
        rows = await self._connection.rows(sa.select(customers).where(condition))
        return [
            Customer(
                id=row.id,
                email=row.email,
                name=row.name,
                created_at=row.created_at,
                total_issues=row.total_issues,
                last_contact_at=row.last_contact_at,
            )
            for row in rows
        ]

    async def add(self, customer: Customer) -> None:
        await self.add_many([customer])

    async def add_many(self, added: Sequence[Customer]) -> None:
        if added:
            await self._connection.run(
                customers.insert(),
                [
                    {
                        "id": customer.id,
                        "email": customer.email,
                        "name": customer.name,
                        "created_at": customer.created_at,
                        "total_issues": customer.total_issues,
                        "last_contact_at": customer.last_contact_at,
                    }
                    for customer in added
                ],
            )

    async def rename(self, customer_id: int, name: str) -> None:
        await self._connection.run(
            customers.update().where(customers.c.id == customer_id), {"name": name}
        )

    async def count_issue(self, customer_id: int, delta: int = 1) -> None:
        await self._connection.run(
            customers.update()
            .where(customers.c.id == customer_id)
            .values(total_issues=customers.c.total_issues + delta)
        )

    async def touch(self, customer_id: int, moment: datetime) -> None:
        await self._connection.run(
            customers.update().where(
                customers.c.id == customer_id,
                sa.or_(customers.c.last_contact_at.is_(None), customers.c.last_contact_at < moment),
            ),
            {"last_contact_at": moment},
        )

    async def history(
        self, customer_id: int, now: datetime, *, without: int | None = None
    ) -> CustomerHistory:
        own = [issues.c.customer_id == customer_id]
        if without is not None:
            own.append(issues.c.id != without)
        week, month = now - timedelta(days=7), now - timedelta(days=30)
        groups = await self._connection.rows(
            sa.select(
                issues.c.status,
                issues.c.severity,
                sa.func.count().label("issues"),
                sa.func.sum(issues.c.resolution_seconds).label("resolution_seconds"),
                sa.func.count(issues.c.resolution_seconds).label("resolved"),
                sa.func.sum(issues.c.reopened_count).label("reopenings"),
                sa.func.sum(sa.case((issues.c.created_at >= week, 1), else_=0)).label("week"),
                sa.func.sum(sa.case((issues.c.created_at >= month, 1), else_=0)).label("month"),
            )
            .where(*own)
            .group_by(issues.c.status, issues.c.severity)
        )
        if not groups:
            return CustomerHistory()
        by_status: dict[Status, int] = {}
        by_severity: dict[Severity, int] = {}
        for row in groups:
            status, severity = Status(row.status), Severity(row.severity)
            by_status[status] = by_status.get(status, 0) + row.issues
            by_severity[severity] = by_severity.get(severity, 0) + row.issues
        resolved = sum(row.resolved for row in groups)
        seconds = sum(float(row.resolution_seconds or 0) for row in groups)
        return CustomerHistory(
            total_issues=sum(row.issues for row in groups),
            by_status=by_status,
            by_severity=by_severity,
            open_issues=await self._open(own) if _any_open(by_status) else [],
            last_contact_at=await self._last_contact(customer_id),
            mean_resolution_seconds=seconds / resolved if resolved else None,
            reopenings=sum(int(row.reopenings) for row in groups),
            issues_last_7_days=sum(int(row.week) for row in groups),
            issues_last_30_days=sum(int(row.month) for row in groups),
        )

    async def _open(self, own: list[sa.ColumnElement[bool]]) -> list[IssueBrief]:
        rows = await self._connection.rows(
            sa.select(
                issues.c.id,
                issues.c.number,
                issues.c.title,
                issues.c.status,
                issues.c.severity,
                issues.c.critical,
                issues.c.created_at,
            )
            .where(*own, issues.c.status.in_([status.value for status in OPEN_STATUSES]))
            .order_by(issues.c.attention, issues.c.id)
            .limit(OPEN_ISSUES_SHOWN)
        )
        return [
            IssueBrief(
                id=row.id,
                number=row.number,
                title=row.title,
                status=Status(row.status),
                severity=Severity(row.severity),
                critical=row.critical,
                created_at=row.created_at,
            )
            for row in rows
        ]

    async def _last_contact(self, customer_id: int) -> datetime | None:
        rows = await self._connection.rows(
            sa.select(customers.c.last_contact_at).where(customers.c.id == customer_id)
        )
        moment: datetime | None = rows[0][0] if rows else None
        return moment


def _any_open(by_status: dict[Status, int]) -> bool:
    return any(status in by_status for status in OPEN_STATUSES)
