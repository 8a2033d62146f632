"""How an issue lies in its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from support_copilot.domain.issue import Channel, Issue, Severity, Status
from support_copilot.storage.attention import attention
from support_copilot.storage.tables import issues

SNIPPET = 280

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
_SEVERITIES = {level.value: level for level in Severity}
_STATUSES = {status.value: status for status in Status}
_CHANNELS = {channel.value: channel for channel in Channel}

#: Set beside the issue, without a new version: nobody edits them.
_MARKS = ("recommended_at", "ended_at")
_READ = (*FIXED, *MUTABLE, *_MARKS, "version")
ISSUE_COLUMNS = [issues.c[name] for name in _READ]
#: A list shows that an issue is HIGH; why is a long text, read with the issue.
_LISTED = tuple(name for name in _READ if name != "severity_reasons")
LIST_COLUMNS = [
    sa.func.substr(issues.c.description, 1, SNIPPET).label(name)
    if name == "description"
    else issues.c[name]
    for name in _LISTED
]


def to_issue(row: Row[Any]) -> Issue:
    return _issue(row, _READ)


def to_listed_issue(row: Row[Any]) -> Issue:
    """Return an issue with a snippet of its description, without the reasons of its severity."""
    return _issue(row, _LISTED)


def _issue(row: Row[Any], names: Sequence[str]) -> Issue:
    # The columns come first and in this order; by position is five times faster than by name.
    fields = dict(zip(names, row, strict=False))
    fields["severity"] = _SEVERITIES[fields["severity"]]
    fields["status"] = _STATUSES[fields["status"]]
    fields["channel"] = _CHANNELS[fields["channel"]]
    return Issue(**fields)


def issue_values(issue: Issue, names: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(issue, name) for name in names}
    values["attention"] = attention(issue)
    values["resolution_seconds"] = (
        (issue.resolved_at - issue.created_at).total_seconds() if issue.resolved_at else None
    )
    return values
