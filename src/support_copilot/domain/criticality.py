"""Whether an issue needs attention now, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from support_copilot.domain.calendar import BusinessCalendar
from support_copilot.domain.customer import CustomerHistory
from support_copilot.domain.issue import OPEN_STATUSES, Issue, Severity
from support_copilot.domain.targets import Targets

NEAR_SHARE = 0.75
REOPENINGS = 2
RUN_ISSUES = 3
RUN_WINDOW = timedelta(days=7)
# The customer's figures hold a count, not the moment at which it falls again.
RUN_RECHECK = timedelta(days=1)


class CriticalCode(StrEnum):
    SEVERITY_HIGH = "severity-high"
    FIRST_RESPONSE_NEAR = "first-response-near"
    FIRST_RESPONSE_MISSED = "first-response-missed"
    RESOLUTION_NEAR = "resolution-near"
    RESOLUTION_MISSED = "resolution-missed"
    REOPENED = "reopened"
    CUSTOMER_RUN = "customer-run"


@dataclass(frozen=True, slots=True)
class CriticalReason:
    """One reason; ``since`` is when it began to hold, None where that is not recorded.

    ``text`` names moments in place of durations, so that it stays true while it is stored.
    """

    code: CriticalCode
    text: str
    since: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Return the form kept in ``Issue.critical_reasons``."""
        since = None if self.since is None else self.since.isoformat()
        return {"code": self.code.value, "text": self.text, "since": since}


@dataclass(frozen=True, slots=True)
class Criticality:
    """The judgement; before ``due_at`` it cannot change but by an event (None: never)."""

    critical: bool
    reasons: tuple[CriticalReason, ...]
    first_response_due_at: datetime
    resolution_due_at: datetime
    due_at: datetime | None

    def apply_to(self, issue: Issue) -> set[str]:
        """Write the judgement into the issue; return the codes that it did not have before.

        Somebody is to be notified when that set is not empty.
        """
        known = {reason["code"] for reason in issue.critical_reasons}
        issue.critical = self.critical
        issue.critical_reasons = [reason.as_dict() for reason in self.reasons]
        issue.criticality_due_at = self.due_at
        issue.first_response_due_at = self.first_response_due_at
        issue.resolution_due_at = self.resolution_due_at
        return {reason.code.value for reason in self.reasons} - known


def assess(
    issue: Issue, history: CustomerHistory, targets: Targets, now: datetime
) -> Criticality:
    """Judge one issue; ``history`` holds the figures of its customer without this issue.

    Targets count from ``created_at``. An issue that is not open is never critical.
    """
    target = targets.target(issue.severity)
    calendar = targets.calendar_of(issue.severity)
    first_due = calendar.add(issue.created_at, target.first_response)
    resolution_due = calendar.add(issue.created_at, target.resolution)
    if not issue.status.is_open:
        return Criticality(False, (), first_due, resolution_due, None)

    reasons: list[CriticalReason] = []
    moments: list[datetime] = []
    if issue.severity is Severity.HIGH:
        text = f"The severity is HIGH; the issue has been open since {_moment(issue.created_at)}."
        reasons.append(CriticalReason(CriticalCode.SEVERITY_HIGH, text, issue.created_at))
    if issue.first_responded_at is None:
        _judge_target(
            _Running(
                issue, calendar, target.first_response, first_due, "No answer", "first response"
            ),
            (CriticalCode.FIRST_RESPONSE_NEAR, CriticalCode.FIRST_RESPONSE_MISSED),
            now, reasons, moments,
        )
    _judge_target(
        _Running(issue, calendar, target.resolution, resolution_due, "Not resolved", "resolution"),
        (CriticalCode.RESOLUTION_NEAR, CriticalCode.RESOLUTION_MISSED),
        now, reasons, moments,
    )
    if issue.reopened_count >= REOPENINGS:
        text = f"Reopened {issue.reopened_count} times."
        reasons.append(CriticalReason(CriticalCode.REOPENED, text, None))
    _judge_run(issue, history, now, reasons, moments)
    return Criticality(
        bool(reasons), tuple(reasons), first_due, resolution_due, min(moments, default=None)
    )
