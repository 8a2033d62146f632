"""Whether an issue needs attention now, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from support_copilot.domain.calendar import BusinessCalendar
from support_copilot.domain.customer import CustomerHistory
from support_copilot.domain.issue import OPEN_STATUSES, Issue, Severity
from support_copilot.domain.targets import Target, Targets

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


@dataclass(frozen=True, slots=True)
class _Promise:
    """A target that runs: what has not happened yet, and the codes for near and missed."""

    what: str
    name: str
    time: timedelta
    near: CriticalCode
    missed: CriticalCode


def assess(issue: Issue, history: CustomerHistory, targets: Targets, now: datetime) -> Criticality:
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
        text = f"The severity is HIGH, open since {_moment(issue.created_at)}."
        reasons.append(CriticalReason(CriticalCode.SEVERITY_HIGH, text, issue.created_at))
    for promise in _promises(issue, target):
        near_at = calendar.add(issue.created_at, promise.time * NEAR_SHARE)
        missed_at = calendar.add(issue.created_at, promise.time)
        moments += [near_at, missed_at]
        if now >= near_at:
            reasons.append(_late(issue, promise, calendar, near_at, missed_at, now))
    if issue.reopened_count >= REOPENINGS:
        text = f"Reopened {issue.reopened_count} times."
        reasons.append(CriticalReason(CriticalCode.REOPENED, text, None))
    run, run_moments = _run(issue, history, now)
    if run is not None:
        reasons.append(run)
        moments += run_moments
    due_at = min((moment for moment in moments if moment > now), default=None)
    return Criticality(bool(reasons), tuple(reasons), first_due, resolution_due, due_at)


def _promises(issue: Issue, target: Target) -> list[_Promise]:
    first_response = _Promise(
        "No answer",
        "first-response",
        target.first_response,
        CriticalCode.FIRST_RESPONSE_NEAR,
        CriticalCode.FIRST_RESPONSE_MISSED,
    )
    resolution = _Promise(
        "Not resolved",
        "resolution",
        target.resolution,
        CriticalCode.RESOLUTION_NEAR,
        CriticalCode.RESOLUTION_MISSED,
    )
    return [resolution] if issue.first_responded_at else [first_response, resolution]


def _late(
    issue: Issue,
    promise: _Promise,
    calendar: BusinessCalendar,
    near_at: datetime,
    missed_at: datetime,
    now: datetime,
) -> CriticalReason:
    missed = now >= missed_at
    counted = "" if calendar.always_open else " of business time"
    text = (
        f"{promise.what} since {_moment(issue.created_at)}; the {promise.name} target for"
        f" {issue.severity}, {_duration(promise.time)}{counted},"
        f" {'passed' if missed else 'passes'} on {_moment(missed_at)}."
    )
    if missed:
        return CriticalReason(promise.missed, text, missed_at)
    return CriticalReason(promise.near, text, near_at)


def _run(
    issue: Issue, history: CustomerHistory, now: datetime
) -> tuple[CriticalReason | None, list[datetime]]:
    """Return the reason with the moments at which it may cease to hold."""
    still_open = 1 + sum(history.by_status.get(status, 0) for status in OPEN_STATUSES)
    if still_open >= RUN_ISSUES:
        arrivals = sorted([issue.created_at, *(brief.created_at for brief in history.open_issues)])
        since = arrivals[RUN_ISSUES - 1] if len(arrivals) >= RUN_ISSUES else None
        text = f"The customer has {still_open} open issues, this one included."
        return CriticalReason(CriticalCode.CUSTOMER_RUN, text, since), []
    leaves_at = issue.created_at + RUN_WINDOW
    recent = history.issues_last_7_days + (now < leaves_at)
    if recent >= RUN_ISSUES:
        text = f"The customer sent {recent} issues within {RUN_WINDOW.days} days."
        reason = CriticalReason(CriticalCode.CUSTOMER_RUN, text, None)
        return reason, [leaves_at, now + RUN_RECHECK]
    return None, []


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _duration(duration: timedelta) -> str:
    hours, minutes = divmod(round(duration.total_seconds() / 60), 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part) or "less than 1 min"
