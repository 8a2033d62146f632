"""A customer and what their past says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from support_copilot.domain.issue import Severity, Status

EMAIL_MAX = 254
NAME_MAX = 200


@dataclass(slots=True)
class Customer:
    """One row of ``customers``; ``email`` is stored normalised (see ``normalise_email``)."""

    id: int
    email: str
    name: str
    created_at: datetime
    total_issues: int = 0
    last_contact_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssueBrief:
    """What a list shows of an issue."""

    id: int
    number: int
    title: str
    status: Status
    severity: Severity
    critical: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerHistory:
    """A customer's issues in figures; ``mean_resolution_seconds`` is wall-clock time."""

    total_issues: int = 0
    by_status: dict[Status, int] = field(default_factory=dict)
    by_severity: dict[Severity, int] = field(default_factory=dict)
    open_issues: list[IssueBrief] = field(default_factory=list)
    last_contact_at: datetime | None = None
    mean_resolution_seconds: float | None = None
    reopenings: int = 0
    issues_last_30_days: int = 0
    issues_last_7_days: int = 0


def normalise_email(email: str) -> str:
    """Lower-case an address for look-up.

    RFC 5321 lets the local part differ by case, no provider of note does; two customers that
    differ by case alone are the same person to everybody who answers them.
    """
    return email.strip().lower()
