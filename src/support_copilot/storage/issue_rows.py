"""How an issue lies in its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from support_copilot.domain.issue import Channel, Issue, Severity, Status
from support_copilot.storage.attention import attention
from support_copilot.storage.tables import issues

FIXED = (
    "id",
    "number",
    "customer_id",
    "title",
    "description",
    "created_at",
    "external_id",
    "channel",
    "language",
)
MUTABLE = (
    "severity",
    "status",
    "updated_at",
    "severity_confidence",
    "severity_reasons",
    "severity_model_version",
    "critical",
    "critical_reasons",
    "criticality_due_at",
    "first_response_due_at",
    "resolution_due_at",
    "first_responded_at",
    "resolved_at",
    "assignee",
    "resolution",
    "reopened_count",
)
#: Set beside the issue, without a new version: nobody edits them.
_MARKS = ("recommended_at", "ended_at")
_READ = (*FIXED, *MUTABLE, *_MARKS, "version")
ISSUE_COLUMNS = [issues.c[name] for name in _READ]


def to_issue(row: Row[Any]) -> Issue:
    fields = {name: getattr(row, name) for name in _READ}
    fields["severity"] = Severity(fields["severity"])
    fields["status"] = Status(fields["status"])
    fields["channel"] = Channel(fields["channel"])
    return Issue(**fields)


def issue_values(issue: Issue, names: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(issue, name) for name in names}
    values["attention"] = attention(issue)
    values["resolution_seconds"] = (
        (issue.resolved_at - issue.created_at).total_seconds() if issue.resolved_at else None
    )
    return values
