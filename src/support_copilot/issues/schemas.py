"""The shapes of the issue service's requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from support_copilot.domain.conversation import MESSAGE_MAX, Sender
from support_copilot.domain.customer import NAME_MAX
from support_copilot.domain.issue import DESCRIPTION_MAX, TITLE_MAX, Channel, Severity, Status
from support_copilot.domain.recommendation import Verdict
from support_copilot.web.fields import Email, IdText, Text
from support_copilot.web.judgements import Answer, SeverityOut, SimilarOut

EXTERNAL_ID_MAX = 200
REASON_MAX = 2_000
TEMPLATE_MAX = 20_000
_CHANGEABLE = ("status", "severity", "assignee", "resolution")


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CustomerIn(_Request):
    email: Email = Field(examples=["ada@example.com"])
    name: Annotated[str, Text(NAME_MAX)] = Field(examples=["Ada Martin"])


class IssueIn(_Request):
    customer: CustomerIn
    title: Annotated[str, Text(TITLE_MAX)] = Field(examples=["Charged twice this month"])
    description: Annotated[str, Text(DESCRIPTION_MAX)] = Field(
        examples=["My card shows two payments of 39.90 on the 3rd. Please return one."]
    )
    channel: Channel = Channel.API
    external_id: Annotated[str, Text(EXTERNAL_ID_MAX)] | None = Field(
        default=None, examples=["crm-20931"]
    )


class CriticalReasonOut(Answer):
    code: str
    text: str
    since: datetime | None


class TargetsOut(Answer):
    first_response_due_at: datetime | None
    first_responded_at: datetime | None
    resolution_due_at: datetime | None
    resolved_at: datetime | None


class IssueBaseOut(Answer):
    id: IdText
    number: str = Field(examples=["SC-1042"])
    status: Status
    title: str
    channel: Channel
    external_id: str | None
    critical: bool
    critical_reasons: list[CriticalReasonOut]
    targets: TargetsOut
    assignee: str | None
    resolution: str | None
    reopened_count: int
    created_at: datetime
    updated_at: datetime
    version: int


class IssueOut(IssueBaseOut):
    description: str
    severity: SeverityOut


class BriefOut(Answer):
    id: IdText
    number: str
    title: str
    status: Status
    severity: Severity
    critical: bool
    created_at: datetime


class HistoryOut(Answer):
    total_issues: int
    by_status: dict[Status, int]
    by_severity: dict[Severity, int]
    open_issues: list[BriefOut]
    last_contact_at: datetime | None
    mean_resolution_seconds: float | None
    reopenings: int


class CustomerOut(Answer):
    id: IdText
    email: str
    name: str
    created_at: datetime
    total_issues: int


class CustomerWithHistoryOut(CustomerOut):
    history: HistoryOut


class TriagedIssueOut(IssueOut):
    """The answer to an intake; ``degraded`` names steps that answered by their fallback."""

    customer: CustomerWithHistoryOut
    similar: list[SimilarOut]
    degraded: list[str]


class ListedSeverityOut(Answer):
    level: Severity
    confidence: float = Field(ge=0, le=1)
    model_version: str


class ListedIssueOut(IssueBaseOut):
    """An issue in a list; its whole text and reasons come with the issue itself."""

    snippet: str = Field(description="The first 280 characters of the description.")
    severity: ListedSeverityOut
    customer: CustomerOut


class IssueListOut(Answer):
    items: list[ListedIssueOut]
    next_cursor: str | None


class IssuePatch(_Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "IN_PROGRESS", "assignee": "grace"}],
            "allOf": [
                {"anyOf": [{"required": [name]} for name in _CHANGEABLE]},
                {
                    "anyOf": [
                        {"properties": {"severity": {"type": "null"}}},
                        {"properties": {"reason": {"type": "string"}}, "required": ["reason"]},
                    ]
                },
            ],
        }
    )

    status: Status | None = None
    severity: Severity | None = None
    reason: Annotated[str, Text(REASON_MAX)] | None = Field(
        default=None, description="Why the severity is corrected; needed with `severity`."
    )
    assignee: Annotated[str, Text(100, blank=True)] | None = Field(
        default=None, description='Who works on it; "" to unassign.'
    )
    resolution: Annotated[str, Text(DESCRIPTION_MAX, blank=True)] | None = None


class MessageIn(_Request):
    message: Annotated[str, Text(MESSAGE_MAX)]
    sender_type: Sender


class MessageOut(Answer):
    id: IdText
    issue_id: IdText
    message: str
    sender_type: Sender
    author: str | None
    created_at: datetime


class MessageListOut(Answer):
    items: list[MessageOut]
    next_after: IdText | None = Field(
        description="Pass as `after` for the next page; null at the end."
    )


class SimilarListOut(Answer):
    items: list[SimilarOut]
    degraded: list[str]


class FeedbackIn(_Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"verdict": "accepted"}],
            "anyOf": [
                {"properties": {"verdict": {"const": "accepted"}}},
                {
                    "properties": {
                        "verdict": {"const": "edited"},
                        "final_text": {"type": "string"},
                    },
                    "required": ["final_text"],
                },
                {
                    "properties": {"verdict": {"const": "rejected"}, "reason": {"type": "string"}},
                    "required": ["reason"],
                },
            ],
        }
    )

    verdict: Verdict
    final_text: Annotated[str, Text(MESSAGE_MAX)] | None = None
    reason: Annotated[str, Text(REASON_MAX)] | None = None


class FeedbackOut(Answer):
    verdict: Verdict
    final_text: str | None
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None


class RecommendationOut(Answer):
    id: IdText
    issue_id: IdText
    text: str = Field(description="The reply with its placeholders filled.")
    template_text: str
    confidence: float = Field(ge=0, le=1)
    sources: list[dict[str, Any]]
    model_version: str
    feedback: FeedbackOut | None
    created_at: datetime


class RecommendationListOut(Answer):
    """``none`` means that the copilot looked and found no reply good enough."""

    state: Literal["computing", "ready", "none"]
    items: list[RecommendationOut]


class EndIn(_Request):
    status: Literal[Status.RESOLVED, Status.CLOSED] | None = None
    resolution: Annotated[str, Text(DESCRIPTION_MAX)] | None = None


class EndOut(Answer):
    issue_id: IdText
    summary: str = Field(description="Where the summary will be.")


class SentenceOut(Answer):
    text: str
    message_ids: list[IdText]


class SummaryOut(Answer):
    id: IdText
    issue_id: IdText
    state: Literal["ready"]
    problem: list[SentenceOut]
    tried: list[SentenceOut]
    outcome: list[SentenceOut]
    open_points: list[SentenceOut]
    message_count: int
    model_version: str
    created_at: datetime


class IssueDetailOut(IssueOut):
    """Parts are there as far as ``include`` asks for them; ``summary`` is null until made."""

    customer: CustomerOut
    messages: list[MessageOut] | None = None
    recommendations: RecommendationListOut | None = None
    summary: SummaryOut | None = None
    history: HistoryOut | None = None


class SummaryPendingOut(Answer):
    issue_id: IdText
    state: Literal["computing"]


class TemplateIn(_Request):
    title: Annotated[str, Text(200)]
    text: Annotated[str, Text(TEMPLATE_MAX)]
    category: Annotated[str, Text(100, blank=True)] = ""


class TemplateOut(Answer):
    id: IdText
    title: str
    text: str
    category: str
    used: int
    created_at: datetime | None


class TemplateListOut(Answer):
    items: list[TemplateOut]


class NotificationOut(Answer):
    id: IdText
    kind: str
    issue_id: IdText
    title: str
    text: str
    created_at: datetime
    read_at: datetime | None


class NotificationListOut(Answer):
    items: list[NotificationOut]
