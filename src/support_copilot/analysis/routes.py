"""Stateless analysis for other systems: nothing that is sent here is stored."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response

from support_copilot.analysis.schemas import (
    ProposalListOut,
    RecommendationIn,
    SeverityJudgementOut,
    SimilarIn,
    SimilarToTextOut,
    SummaryIn,
    TextIn,
    TextSummaryOut,
)
from support_copilot.domain.conversation import Message
from support_copilot.domain.identity import Identity, Permission
from support_copilot.domain.severity import SeverityAssessment
from support_copilot.domain.summary import SummarySentence
from support_copilot.ports import Analysis, Database
from support_copilot.web.identity_header import require
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.judgements import severity_json, similar_json

Caller = Annotated[Identity, Depends(require(Permission.USE_ANALYSIS))]
REPLIES_FROM = 20


def analysis_routes(analysis: Analysis, database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/analysis", tags=["analysis"], route_class=JsonRoute)

    def without_encoder(step: str) -> list[str]:
        return [] if analysis.models()[0].loaded else [step]

    @router.post(
        "/severity", response_model=SeverityJudgementOut, summary="Rate the severity of a text"
    )
    async def severity(body: TextIn, _caller: Caller) -> Response:
        judged = await analysis.severity(body.title, body.description)
        return _answer(
            {
                "severity": severity_json(judged) | {"probabilities": _shares(judged)},
                "degraded": ["severity"] if judged.degraded else [],
            }
        )

    @router.post("/similar", response_model=SimilarToTextOut, summary="Find issues like a text")
    async def similar(body: SimilarIn, _caller: Caller) -> Response:
        hits = await analysis.similar(body.title, body.description, limit=body.limit)
        async with database.read() as uow:
            found = await uow.issues.similar(hits)
        return _answer(
            {
                "similar": [similar_json(item) for item in found],
                "degraded": without_encoder("similar"),
            }
        )

    @router.post(
        "/recommendation", response_model=ProposalListOut, summary="Propose replies to a text"
    )
    async def recommendation(body: RecommendationIn, _caller: Caller) -> Response:
        hits = await analysis.similar(body.title, body.description, limit=REPLIES_FROM)
        scores = {hit.issue_id: hit.score for hit in hits}
        async with database.read() as uow:
            templates = await uow.templates.all()
            replies = await uow.conversations.resolving_replies(list(scores))
        proposals = await analysis.propose(
            f"{body.title}\n{body.description}".strip(),
            templates=templates,
            replies=[replace(reply, similarity=scores[reply.issue_id]) for reply in replies],
            limit=body.limit,
        )
        return _answer(
            {
                "recommendations": [
                    {
                        "template_text": item.template_text,
                        "confidence": round(item.confidence, 2),
                        "sources": [source.as_dict() for source in item.sources],
                        "model_version": item.model_version,
                    }
                    for item in proposals
                ],
                "degraded": without_encoder("recommendation"),
            }
        )

    @router.post("/summary", response_model=TextSummaryOut, summary="Summarise a conversation")
    async def summary(body: SummaryIn, _caller: Caller) -> Response:
        now = datetime.now(UTC)
        messages = [
            Message(i, 0, item.message, item.sender_type, item.created_at or now)
            for i, item in enumerate(body.messages)
        ]
        made = await analysis.summarise(messages, status=body.status)
        return _answer(
            {
                "summary": {
                    "problem": _sentences(made.problem),
                    "tried": _sentences(made.tried),
                    "outcome": _sentences(made.outcome),
                    "open_points": _sentences(made.open_points),
                    "model_version": made.model_version,
                },
                "degraded": without_encoder("summary"),
            }
        )

    return router


def _shares(judged: SeverityAssessment) -> dict[str, float]:
    return {level.value: round(share, 3) for level, share in judged.probabilities.items()}


def _sentences(part: tuple[SummarySentence, ...]) -> list[dict[str, Any]]:
    return [{"text": item.text, "messages": list(item.message_ids)} for item in part]


def _answer(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
