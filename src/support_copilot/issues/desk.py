"""What executives do with an issue once it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from support_copilot.domain import criticality
from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.customer import Customer, CustomerHistory
from support_copilot.domain.errors import InvalidInput, NotFound, VersionMismatch
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.identity import Identity
from support_copilot.domain.issue import Issue, Severity, Status, format_number
from support_copilot.domain.recommendation import Recommendation, Verdict
from support_copilot.domain.targets import Targets
from support_copilot.ports import Analysis, Clock, Database, Ids, Label, UnitOfWork
from support_copilot.queues import (
    CONVERSATION_SUMMARIZATION,
    ISSUE_ANALYSIS,
    NOTIFICATION,
    RECOMMENDATION_GENERATION,
    QueueMessage,
    QueueSpec,
)

SEVERITY_LABEL = "severity"


@dataclass(frozen=True, slots=True)
class IssueChange:
    """None leaves a field as it is; ``assignee`` and ``resolution`` are cleared by ""."""

    status: Status | None = None
    severity: Severity | None = None
    reason: str | None = None
    assignee: str | None = None
    resolution: str | None = None


class Desk:
    """Every change is one transaction with its events and queue messages."""

    def __init__(
        self,
        database: Database,
        analysis: Analysis,
        targets: Callable[[], Targets],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._analysis = analysis
        self._targets = targets
        self._clock = clock
        self._ids = ids

    async def change(
        self, issue_id: int, change: IssueChange, caller: Identity, *, version: int | None = None
    ) -> Issue:
        """Apply a change; ``version`` is the one the caller read, None to overwrite.

        Raises NotFound, VersionMismatch, InvalidInput.
        """
        if change.severity is not None and not (change.reason or "").strip():
            raise InvalidInput(
                "reason", "say why when you correct the severity; the copilot learns from it"
            )
        async with self._database.write() as uow:
            issue = await self._get(uow, issue_id)
            if version is not None and issue.version != version:
                raise VersionMismatch(
                    f"The issue is at version {issue.version}, you read version {version}; "
                    "read it again and repeat your change.",
                    current_version=issue.version,
                )
            now = self._clock.now()
            fields = await self._change(uow, issue, change, caller, now)
            if "status" in fields and not issue.status.is_open:
                await self._end(uow, issue, now)
        return issue

    async def _change(
        self, uow: UnitOfWork, issue: Issue, change: IssueChange, caller: Identity, now: datetime
    ) -> list[str]:
        """Apply, judge again, save and tell; return the names of the fields that changed."""
        before = issue.version
        fields = await self._apply(uow, issue, change, caller, now)
        if fields:
            issue.updated_at = now
            await self._judge_again(uow, issue, now)
            await uow.issues.save(issue, expected_version=before)
            await self._tell(uow, EventType.ISSUE_CHANGED, issue, now, fields=fields)
        return fields

    async def _apply(
        self, uow: UnitOfWork, issue: Issue, change: IssueChange, caller: Identity, now: datetime
    ) -> list[str]:
        fields = []
        if change.severity is not None:
            # A confirmation teaches as much as a correction.
            await uow.labels.add(
                Label(
                    id=self._ids.new(),
                    issue_id=issue.id,
                    kind=SEVERITY_LABEL,
                    judged=issue.severity.value,
                    corrected=change.severity.value,
                    reason=change.reason or "",
                    decided_by=caller.subject,
                    created_at=now,
                    model_version=issue.severity_model_version,
                )
            )
            fields.append("severity")
            issue.severity = change.severity
            issue.severity_confidence = 1.0
            issue.severity_model_version = "person"
            issue.severity_reasons = [
                {
                    "kind": "person",
                    "text": f"Set by {caller.subject}: {change.reason}",
                    "level": change.severity.value,
                    "rule": None,
                    "words": [],
                    "weight": None,
                }
            ]
        if change.assignee is not None and (change.assignee or None) != issue.assignee:
            issue.assignee = change.assignee or None
            fields.append("assignee")
        if change.resolution is not None and (change.resolution or None) != issue.resolution:
            issue.resolution = change.resolution or None
            fields.append("resolution")
        if change.status is not None and change.status is not issue.status:
            move(issue, change.status, now)
            fields.append("status")
        return fields

    async def add_message(
        self, issue_id: int, text: str, sender: Sender, caller: Identity
    ) -> Message:
        """Add a message. A customer's message reopens a resolved or closed issue."""
        async with self._database.write() as uow:
            issue = await self._get(uow, issue_id)
            before, now = issue.version, self._clock.now()
            author = caller.subject if sender is Sender.SUPPORT else None
            message = Message(self._ids.new(), issue.id, text, sender, now, author)
            await uow.conversations.add(message)
            if sender is Sender.SUPPORT:
                issue.first_responded_at = issue.first_responded_at or now
                if issue.status is Status.OPEN:
                    move(issue, Status.IN_PROGRESS, now)
            else:
                await uow.customers.touch(issue.customer_id, now)
                if not issue.status.is_open:
                    move(issue, Status.OPEN, now)
                await self._enqueue(uow, RECOMMENDATION_GENERATION, issue, now)
            issue.updated_at = now
            await self._judge_again(uow, issue, now)
            await uow.issues.save(issue, expected_version=before)
            await self._tell(
                uow,
                EventType.MESSAGE_ADDED,
                issue,
                now,
                message_id=str(message.id),
                sender_type=sender.value,
            )
        return message

    async def end(
        self, issue_id: int, caller: Identity, *, status: Status | None, resolution: str | None
    ) -> Issue:
        """Declare the conversation over; its summary is made in the background."""
        if status is not None and status.is_open:
            raise InvalidInput("status", "must be RESOLVED or CLOSED at the end, or left out")
        async with self._database.write() as uow:
            issue, now = await self._get(uow, issue_id), self._clock.now()
            change = IssueChange(status=status, resolution=resolution)
            await self._change(uow, issue, change, caller, now)
            await self._end(uow, issue, now)
        return issue

    async def _end(self, uow: UnitOfWork, issue: Issue, now: datetime) -> None:
        await uow.issues.mark(issue.id, ended_at=now)
        await self._enqueue(uow, CONVERSATION_SUMMARIZATION, issue, now)
        # What resolved it is now worth finding.
        await self._enqueue(uow, ISSUE_ANALYSIS, issue, now)

    async def decide(
        self,
        recommendation_id: int,
        verdict: Verdict,
        caller: Identity,
        *,
        final_text: str | None,
        reason: str | None,
    ) -> Recommendation:
        """Record what became of a proposed reply; a later verdict replaces an earlier one."""
        if verdict is Verdict.EDITED and not (final_text or "").strip():
            raise InvalidInput("final_text", "send the text as it was sent to the customer")
        if verdict is Verdict.REJECTED and not (reason or "").strip():
            raise InvalidInput("reason", "say in a word why the proposal was not used")
        async with self._database.write() as uow:
            recommendation = await uow.recommendations.get(recommendation_id)
            if recommendation is None:
                raise NotFound(f"There is no recommendation {recommendation_id}.")
            recommendation.verdict = verdict
            recommendation.final_text = final_text if verdict is Verdict.EDITED else None
            recommendation.reason = reason
            recommendation.decided_by = caller.subject
            recommendation.decided_at = self._clock.now()
            await uow.recommendations.save_verdict(recommendation)
        return recommendation

    async def erase(self, issue_id: int) -> None:
        """Remove an issue with everything about it; it is unfindable when this returns."""
        async with self._database.write() as uow:
            issue = await self._get(uow, issue_id)
            await uow.issues.erase(issue_id)
            await uow.customers.count_issue(issue.customer_id, -1)
            await uow.events.append(Event(EventType.ISSUE_ERASED, issue_id, self._clock.now(), {}))
        await self._analysis.forget([issue_id])

    async def _get(self, uow: UnitOfWork, issue_id: int) -> Issue:
        issue = await uow.issues.get(issue_id)
        if issue is None:
            raise NotFound(f"There is no issue {issue_id}.")
        return issue

    async def _judge_again(self, uow: UnitOfWork, issue: Issue, now: datetime) -> None:
        history: CustomerHistory = await uow.customers.history(
            issue.customer_id, now, without=issue.id
        )
        was_critical = issue.critical
        new_codes = criticality.assess(issue, history, self._targets(), now).apply_to(issue)
        if issue.critical and new_codes and not was_critical:
            await self._tell(uow, EventType.ISSUE_CRITICAL, issue, now, codes=sorted(new_codes))
            await self._enqueue(uow, NOTIFICATION, issue, now, kind="critical")

    async def _tell(
        self, uow: UnitOfWork, kind: EventType, issue: Issue, now: datetime, **data: object
    ) -> None:
        facts = {"number": format_number(issue.number), **data}
        await uow.events.append(Event(kind, issue.id, now, facts))

    async def _enqueue(
        self, uow: UnitOfWork, spec: QueueSpec, issue: Issue, now: datetime, **body: str
    ) -> None:
        await uow.outbox.add(
            [
                QueueMessage(
                    self._ids.new(), spec.name, {"issue_id": str(issue.id), **body}, now, issue.id
                )
            ]
        )


def move(issue: Issue, status: Status, now: datetime) -> None:
    """Change the status; leaving RESOLVED or CLOSED for an open one is a reopening."""
    if issue.status.is_open and not status.is_open:
        issue.resolved_at = now
    elif not issue.status.is_open and status.is_open:
        issue.resolved_at = None
        issue.reopened_count += 1
    issue.status = status


async def customer_of(uow: UnitOfWork, issue: Issue) -> Customer:
    customer = await uow.customers.get(issue.customer_id)
    assert customer is not None, "a foreign key guards it"
    return customer
