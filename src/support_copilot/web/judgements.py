"""How judgements look in JSON, wherever they are shown."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from support_copilot.domain.issue import Severity, Status, format_number
from support_copilot.domain.severity import SeverityAssessment
from support_copilot.domain.similarity import SimilarIssue
from support_copilot.web.fields import IdText


class Answer(BaseModel):
    """Base of answers: their documentation names every member."""

    model_config = ConfigDict(extra="forbid")


class ReasonOut(Answer):
    kind: Literal["rule", "model", "change", "person"]
    text: str
    level: Severity | None
    rule: str | None
    words: list[str]
    weight: float | None


class SeverityOut(Answer):
    level: Severity
    confidence: float = Field(ge=0, le=1)
    reasons: list[ReasonOut]
    model_version: str


class SimilarOut(Answer):
    id: IdText
    number: str = Field(examples=["SC-1042"])
    title: str
    score: float = Field(ge=0, le=1)
    matched_words: list[str]
    status: Status
    resolution: str | None


def severity_json(assessment: SeverityAssessment) -> dict[str, Any]:
    return {
        "level": assessment.level.value,
        "confidence": round(assessment.confidence, 3),
        "reasons": [reason.as_dict() for reason in assessment.reasons],
        "model_version": assessment.model_version,
    }


def similar_json(similar: SimilarIssue) -> dict[str, Any]:
    return {
        "id": str(similar.id),
        "number": format_number(similar.number),
        "title": similar.title,
        "score": round(similar.score, 3),
        "matched_words": list(similar.matched_words),
        "status": similar.status.value,
        "resolution": similar.resolution,
    }
