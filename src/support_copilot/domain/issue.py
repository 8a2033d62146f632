"""An issue: one customer's problem, from its arrival to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

TITLE_MAX = 500
DESCRIPTION_MAX = 20_000


class Severity(StrEnum):
    """How much harm the customer suffers while nobody answers."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"

    @property
    def rank(self) -> int:
        """0 for LOW, 1 for NORMAL, 2 for HIGH."""
        return _RANKS[self]


_RANKS = {Severity.LOW: 0, Severity.NORMAL: 1, Severity.HIGH: 2}


class Status(StrEnum):
    OPEN = "OPEN"
    IN_PROGRESS = "IN_PROGRESS"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"

    @property
    def is_open(self) -> bool:
        """Somebody still has to act."""
        return self in OPEN_STATUSES


OPEN_STATUSES = (Status.OPEN, Status.IN_PROGRESS)


class Channel(StrEnum):
    """How the issue came in."""

    PORTAL = "portal"
    API = "api"
    EMAIL = "email"
    CHAT = "chat"
    PHONE = "phone"
    SOCIAL = "social"
    IMPORT = "import"


def format_number(number: int, prefix: str = "SC") -> str:
    """Return the short form people say to each other, such as ``SC-1042``."""
    return f"{prefix}-{number}"


@dataclass(slots=True)
class Issue:
    """One row of ``issues``. Times are timezone-aware UTC; ``version`` grows with each change.

    ``recommended_at`` is when replies were last proposed, ``ended_at`` when the conversation was
    last declared over.
    """

    id: int
    number: int
    customer_id: int
    title: str
    description: str
    severity: Severity
    status: Status
    created_at: datetime
    updated_at: datetime
    channel: Channel = Channel.API
    external_id: str | None = None
    severity_confidence: float = 0.0
    severity_reasons: list[dict[str, Any]] = field(default_factory=list)
    severity_model_version: str = ""
    critical: bool = False
    critical_reasons: list[dict[str, Any]] = field(default_factory=list)
    criticality_due_at: datetime | None = None
    first_response_due_at: datetime | None = None
    resolution_due_at: datetime | None = None
    first_responded_at: datetime | None = None
    resolved_at: datetime | None = None
    assignee: str | None = None
    resolution: str | None = None
    reopened_count: int = 0
    language: str | None = None
    recommended_at: datetime | None = None
    ended_at: datetime | None = None
    version: int = 1

    @property
    def text(self) -> str:
        """Title and description, as the analysis reads them."""
        return f"{self.title}\n{self.description}"
