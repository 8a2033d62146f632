"""Stored summaries; the latest one of an issue counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from support_copilot.domain.summary import ConversationSummary, Summary, SummarySentence
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import summaries

_PARTS = ("problem", "tried", "outcome", "open_points")


class SqlSummaries:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def latest(self, issue_id: int) -> Summary | None:
        rows = await self._connection.rows(
            sa.select(summaries)
            .where(summaries.c.issue_id == issue_id)
            .order_by(summaries.c.id.desc())
            .limit(1)
        )
        if not rows:
            return None
        row = rows[0]
        parts = {part: _sentences(row.content.get(part, [])) for part in _PARTS}
        return Summary(
            id=row.id,
            issue_id=row.issue_id,
            content=ConversationSummary(model_version=row.model_version, **parts),
            message_count=row.message_count,
            created_at=row.created_at,
        )

    async def add(self, summary: Summary) -> None:
        content = {
            part: [
                {"text": sentence.text, "message_ids": list(sentence.message_ids)}
                for sentence in getattr(summary.content, part)
            ]
            for part in _PARTS
        }
        await self._connection.run(
            summaries.insert(),
            {
                "id": summary.id,
                "issue_id": summary.issue_id,
                "content": content,
                "model_version": summary.content.model_version,
                "message_count": summary.message_count,
                "created_at": summary.created_at,
            },
        )


def _sentences(stored: Sequence[dict[str, Any]]) -> tuple[SummarySentence, ...]:
    return tuple(SummarySentence(item["text"], tuple(item["message_ids"])) for item in stored)
