"""The proposed replies of an issue, as every route that shows them does."""

from __future__ import annotations

from support_copilot.domain.customer import Customer
from support_copilot.domain.issue import Issue
from support_copilot.issues.presentation import Json, placeholder_values, recommendation_json
from support_copilot.ports import UnitOfWork


async def proposals_json(
    uow: UnitOfWork, issue: Issue, customer: Customer, company: str, executive: str
) -> Json:
    """Return the latest proposals and whether they are still being made."""
    if issue.recommended_at is None:
        return {"state": "computing", "items": []}
    items = await uow.recommendations.of_issue(issue.id, since=issue.recommended_at)
    values = placeholder_values(issue, customer, company, executive)
    return {
        "state": "ready" if items else "none",
        "items": [recommendation_json(item, values) for item in items],
    }
