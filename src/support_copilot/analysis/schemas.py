"""The shapes of the stateless analysis: on text that is not stored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from support_copilot.domain.conversation import MESSAGE_MAX, Sender
from support_copilot.domain.issue import DESCRIPTION_MAX, TITLE_MAX, Severity, Status
from support_copilot.web.fields import Text, Time
from support_copilot.web.judgements import Answer, SeverityOut, SimilarOut

MESSAGES_MAX = 500


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextIn(_Request):
    title: Annotated[str, Text(TITLE_MAX, blank=True)] = ""
    description: Annotated[str, Text(DESCRIPTION_MAX)] = Field(
        examples=["I was charged twice for the same order."]
    )


class SimilarIn(TextIn):
    limit: Annotated[int, Field(ge=1, le=50)] = 5


class RecommendationIn(TextIn):
    limit: Annotated[int, Field(ge=1, le=10)] = 3


class ConversationMessageIn(_Request):
    message: Annotated[str, Text(MESSAGE_MAX)]
    sender_type: Sender
    created_at: Time | None = None


class SummaryIn(_Request):
    messages: Annotated[list[ConversationMessageIn], Field(min_length=1, max_length=MESSAGES_MAX)]
    status: Status | None = None


class DetailedSeverityOut(SeverityOut):
    probabilities: dict[Severity, float]


class SeverityJudgementOut(Answer):
    severity: DetailedSeverityOut
    degraded: list[str]


class SimilarToTextOut(Answer):
    similar: list[SimilarOut]
    degraded: list[str]


class ProposalOut(Answer):
    template_text: str
    confidence: float = Field(ge=0, le=1)
    sources: list[dict[str, Any]]
    model_version: str


class ProposalListOut(Answer):
    """An empty list means that no reply is good enough."""

    recommendations: list[ProposalOut]
    degraded: list[str]


class QuotedSentenceOut(Answer):
    text: str
    messages: list[int] = Field(description="Positions in the messages sent, from 0.")


class SummaryBodyOut(Answer):
    problem: list[QuotedSentenceOut]
    tried: list[QuotedSentenceOut]
    outcome: list[QuotedSentenceOut]
    open_points: list[QuotedSentenceOut]
    model_version: str


class TextSummaryOut(Answer):
    summary: SummaryBodyOut
    degraded: list[str]
