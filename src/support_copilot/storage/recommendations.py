"""Proposed replies and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from support_copilot.domain.recommendation import Recommendation, Verdict
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import recommendations


def _to_recommendation(row: Row[Any]) -> Recommendation:
    return Recommendation(
        id=row.id,
        issue_id=row.issue_id,
        template_text=row.template_text,
        confidence_score=float(row.confidence_score),
        created_at=row.created_at,
        rank=row.rank,
        sources=row.sources,
        model_version=row.model_version,
        verdict=Verdict(row.verdict) if row.verdict else None,
        final_text=row.final_text,
        reason=row.reason,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )


class SqlRecommendations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, recommendation_id: int) -> Recommendation | None:
        rows = await self._connection.rows(
            sa.select(recommendations).where(recommendations.c.id == recommendation_id)
        )
        return _to_recommendation(rows[0]) if rows else None

    async def of_issue(self, issue_id: int, *, since: datetime) -> list[Recommendation]:
        rows = await self._connection.rows(
            sa.select(recommendations)
            .where(recommendations.c.issue_id == issue_id, recommendations.c.created_at >= since)
            .order_by(recommendations.c.created_at, recommendations.c.rank)
        )
        return [_to_recommendation(row) for row in rows]

    async def add(self, batch: Sequence[Recommendation]) -> None:
        if not batch:
            return
        await self._connection.run(
            recommendations.insert(),
            [
                {
                    "id": item.id,
                    "issue_id": item.issue_id,
                    "template_text": item.template_text,
                    "confidence_score": round(item.confidence_score, 2),
                    "created_at": item.created_at,
                    "rank": item.rank,
                    "sources": item.sources,
                    "model_version": item.model_version,
                }
                for item in batch
            ],
        )

    async def save_verdict(self, recommendation: Recommendation) -> None:
        verdict = recommendation.verdict
        await self._connection.run(
            recommendations.update().where(recommendations.c.id == recommendation.id),
            {
                "verdict": verdict.value if verdict else None,
                "final_text": recommendation.final_text,
                "reason": recommendation.reason,
                "decided_by": recommendation.decided_by,
                "decided_at": recommendation.decided_at,
            },
        )
