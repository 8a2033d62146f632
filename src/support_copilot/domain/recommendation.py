"""A reply proposed for one issue."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Verdict(StrEnum):
    """What the executive did with a proposed reply."""

    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a proposed reply comes from: a template, or the message that resolved an issue."""

    kind: Literal["template", "issue"]
    id: str
    title: str
    number: str | None = None
    message_id: str | None = None
    score: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Template:
    """A reusable reply with placeholders."""

    id: int
    title: str
    text: str
    category: str = ""
    used: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastReply:
    """A SUPPORT message of a resolved issue, with whose data must not leak from it."""

    issue_id: int
    issue_number: int
    issue_title: str
    message_id: int
    text: str
    customer_name: str
    customer_email: str
    author: str | None = None
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate reply before it is stored: placeholders in, other people's data out.

    ``confidence`` is the probability (0..1) that it is sent with at most small edits.
    """

    template_text: str
    confidence: float
    sources: tuple[Source, ...]
    model_version: str


@dataclass(slots=True)
class Recommendation:
    """One row of ``recommendations`` with its feedback."""

    id: int
    issue_id: int
    template_text: str
    confidence_score: float
    created_at: datetime
    rank: int = 0
    sources: list[dict[str, Any]] = field(default_factory=list)
    model_version: str = ""
    verdict: Verdict | None = None
    final_text: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
