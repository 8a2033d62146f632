"""What "sort by attention" sorts by: one integer, so that one index serves it."""

from __future__ import annotations

from datetime import datetime

from support_copilot.domain.issue import Issue

_SPAN = 1 << 40  # seconds; more than any moment's epoch


def attention(issue: Issue) -> int:
    """Return a key that is smaller the sooner somebody should look.

    Open before closed, critical before not, severity from HIGH to LOW, then the target that ends
    first. Closed issues come after all others, the one changed last first.
    """
    if not issue.status.is_open:
        return 6 * _SPAN + (_SPAN - 1 - _seconds(issue.updated_at))
    target = (
        issue.resolution_due_at if issue.first_responded_at else issue.first_response_due_at
    ) or issue.created_at
    group = (0 if issue.critical else 3) + (2 - issue.severity.rank)
    return group * _SPAN + _seconds(target)


def _seconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp()))
