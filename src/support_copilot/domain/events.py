"""What happened, for everybody who watches live."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    ISSUE_CREATED = "issue.created"
    ISSUE_CHANGED = "issue.changed"
    ISSUE_CRITICAL = "issue.critical"
    ISSUE_ERASED = "issue.erased"
    MESSAGE_ADDED = "message.added"
    RECOMMENDATION_READY = "recommendation.ready"
    SUMMARY_READY = "summary.ready"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event stream; ``id`` grows in the order of commits, for Last-Event-ID."""

    type: EventType
    issue_id: int
    created_at: datetime
    data: dict[str, Any] = field(default_factory=dict)
    id: int = 0
