"""Domain objects as the JSON that the API shows; orjson writes moments as RFC 3339."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support_copilot.domain import placeholders
from support_copilot.domain.conversation import Message
from support_copilot.domain.customer import Customer, CustomerHistory, IssueBrief
from support_copilot.domain.events import Event
from support_copilot.domain.issue import Issue, format_number
from support_copilot.domain.recommendation import Recommendation, Template
from support_copilot.domain.summary import Summary, SummarySentence
from support_copilot.ports import Notification

Json = dict[str, Any]


def listed_issue_json(issue: Issue) -> Json:
    """Return the issue as a list shows it: a snippet of its text, no reasons of its severity."""
    shown = issue_json(issue)
    shown["snippet"] = shown.pop("description")
    del shown["severity"]["reasons"]
    return shown


def issue_json(issue: Issue) -> Json:
    return {
        "id": str(issue.id),
        "number": format_number(issue.number),
        "status": issue.status.value,
        "title": issue.title,
        "description": issue.description,
        "channel": issue.channel.value,
        "external_id": issue.external_id,
        "severity": {
            "level": issue.severity.value,
            "confidence": round(issue.severity_confidence, 3),
            "reasons": issue.severity_reasons,
            "model_version": issue.severity_model_version,
        },
        "critical": issue.critical,
        "critical_reasons": issue.critical_reasons,
        "targets": {
            "first_response_due_at": issue.first_response_due_at,
            "first_responded_at": issue.first_responded_at,
            "resolution_due_at": issue.resolution_due_at,
            "resolved_at": issue.resolved_at,
        },
        "assignee": issue.assignee,
        "resolution": issue.resolution,
        "reopened_count": issue.reopened_count,
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "version": issue.version,
    }


def customer_json(customer: Customer) -> Json:
    return {
        "id": str(customer.id),
        "email": customer.email,
        "name": customer.name,
        "created_at": customer.created_at,
        "total_issues": customer.total_issues,
    }


def history_json(history: CustomerHistory) -> Json:
    return {
        "total_issues": history.total_issues,
        "by_status": {status.value: count for status, count in history.by_status.items()},
        "by_severity": {level.value: count for level, count in history.by_severity.items()},
        "open_issues": [brief_json(brief) for brief in history.open_issues],
        "last_contact_at": history.last_contact_at,
        "mean_resolution_seconds": history.mean_resolution_seconds,
        "reopenings": history.reopenings,
    }


def brief_json(brief: IssueBrief) -> Json:
    return {
        "id": str(brief.id),
        "number": format_number(brief.number),
        "title": brief.title,
        "status": brief.status.value,
        "severity": brief.severity.value,
        "critical": brief.critical,
        "created_at": brief.created_at,
    }


def message_json(message: Message) -> Json:
    return {
        "id": str(message.id),
        "issue_id": str(message.issue_id),
        "message": message.message,
        "sender_type": message.sender_type.value,
        "author": message.author,
        "created_at": message.created_at,
    }


def recommendation_json(recommendation: Recommendation, values: Mapping[str, str]) -> Json:
    """``values`` fill the placeholders; ``text`` is what the executive would send."""
    feedback = None
    if recommendation.verdict is not None:
        feedback = {
            "verdict": recommendation.verdict.value,
            "final_text": recommendation.final_text,
            "reason": recommendation.reason,
            "decided_by": recommendation.decided_by,
            "decided_at": recommendation.decided_at,
        }
    return {
        "id": str(recommendation.id),
        "issue_id": str(recommendation.issue_id),
        "text": placeholders.fill(recommendation.template_text, values),
        "template_text": recommendation.template_text,
        "confidence": round(recommendation.confidence_score, 2),
        "sources": recommendation.sources,
        "model_version": recommendation.model_version,
        "feedback": feedback,
        "created_at": recommendation.created_at,
    }


def placeholder_values(
    issue: Issue, customer: Customer, company: str, executive: str
) -> dict[str, str]:
    return {
        placeholders.CUSTOMER_NAME: customer.name,
        placeholders.CUSTOMER_FIRST_NAME: customer.name.split(" ", 1)[0],
        placeholders.ISSUE_NUMBER: format_number(issue.number),
        placeholders.ISSUE_TITLE: issue.title,
        placeholders.EXECUTIVE_NAME: executive,
        placeholders.COMPANY_NAME: company,
    }


def template_json(template: Template) -> Json:
    return {
        "id": str(template.id),
        "title": template.title,
        "text": template.text,
        "category": template.category,
        "used": template.used,
        "created_at": template.created_at,
    }


def notification_json(notification: Notification) -> Json:
    return {
        "id": str(notification.id),
        "kind": notification.kind,
        "issue_id": str(notification.issue_id),
        "title": notification.title,
        "text": notification.text,
        "created_at": notification.created_at,
        "read_at": notification.read_at,
    }


def summary_json(summary: Summary) -> Json:
    def sentences(part: tuple[SummarySentence, ...]) -> list[Json]:
        return [
            {"text": item.text, "message_ids": [str(one) for one in item.message_ids]}
            for item in part
        ]

    content = summary.content
    return {
        "id": str(summary.id),
        "issue_id": str(summary.issue_id),
        "state": "ready",
        "problem": sentences(content.problem),
        "tried": sentences(content.tried),
        "outcome": sentences(content.outcome),
        "open_points": sentences(content.open_points),
        "message_count": summary.message_count,
        "model_version": content.model_version,
        "created_at": summary.created_at,
    }


def event_json(event: Event) -> Json:
    return {
        "id": str(event.id),
        "type": event.type.value,
        "issue_id": str(event.issue_id),
        "created_at": event.created_at,
        **event.data,
    }
