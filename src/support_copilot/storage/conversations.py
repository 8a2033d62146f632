"""The messages of issues."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.issue import Status
from support_copilot.domain.recommendation import PastReply
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import conversations, customers, issues


class SqlConversations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, message: Message) -> None:
        await self.add_many([message])

    async def add_many(self, messages: Sequence[Message]) -> None:
        if messages:
            await self._connection.run(
                conversations.insert(),
                [
                    {
                        "id": message.id,
                        "issue_id": message.issue_id,
                        "message": message.message,
                        "sender_type": message.sender_type.value,
                        "created_at": message.created_at,
                        "author": message.author,
                    }
                    for message in messages
                ],
            )

    async def of_issue(
        self, issue_id: int, *, after: int = 0, limit: int | None = None
    ) -> list[Message]:
        rows = await self._connection.rows(
            sa.select(conversations)
            .where(conversations.c.issue_id == issue_id, conversations.c.id > after)
            .order_by(conversations.c.id)
            .limit(limit)
        )
        return [
            Message(
                id=row.id,
                issue_id=row.issue_id,
                message=row.message,
                sender_type=Sender(row.sender_type),
                created_at=row.created_at,
                author=row.author,
            )
            for row in rows
        ]

    async def resolving_replies(self, issue_ids: Sequence[int]) -> list[PastReply]:
        if not issue_ids:
            return []
        rows = await self._connection.rows(
            sa.select(
                conversations.c.id,
                conversations.c.issue_id,
                conversations.c.message,
                conversations.c.author,
                issues.c.number,
                issues.c.title,
                customers.c.name,
                customers.c.email,
            )
            .join(issues, issues.c.id == conversations.c.issue_id)
            .join(customers, customers.c.id == issues.c.customer_id)
            .where(
                conversations.c.issue_id.in_(issue_ids),
                conversations.c.sender_type == Sender.SUPPORT.value,
                issues.c.status.in_([Status.RESOLVED.value, Status.CLOSED.value]),
            )
            .order_by(conversations.c.id)
        )
        return [
            PastReply(
                issue_id=row.issue_id,
                issue_number=row.number,
                issue_title=row.title,
                message_id=row.id,
                text=row.message,
                customer_name=row.name,
                customer_email=row.email,
                author=row.author,
            )
            for row in rows
        ]
