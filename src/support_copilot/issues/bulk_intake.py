"""Many issues at once, from another desk or from the past, each stored once however often sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter, ValidationError

from support_copilot.domain import criticality
from support_copilot.domain.conversation import MESSAGE_MAX, Message, Sender
from support_copilot.domain.customer import NAME_MAX, Customer, CustomerHistory, normalise_email
from support_copilot.domain.customer import IssueBrief as Brief
from support_copilot.domain.errors import Conflict
from support_copilot.domain.imported import BulkResult, ImportedIssue, ImportedMessage, Refusal
from support_copilot.domain.issue import DESCRIPTION_MAX, TITLE_MAX, Issue, Severity
from support_copilot.domain.severity import SeverityAssessment, SeverityReason
from support_copilot.domain.severity_rules import SeverityRules, rules_only
from support_copilot.domain.similarity import IndexEntry
from support_copilot.domain.targets import Targets
from support_copilot.ports import Analysis, Clock, Database, Ids, UnitOfWork
from support_copilot.queues import RECOMMENDATION_GENERATION, QueueMessage
from support_copilot.web.fields import Email

log = structlog.get_logger(__name__)

TAKEN_OVER = "import"
EXTERNAL_ID_MAX = 200
PERSON_MAX = 100
RESOLUTION_MAX = 20_000
# Clocks of two desks differ; more than this is a mistaken date.
_AHEAD = timedelta(days=1)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A record with its id, its severity and, where analysis was up, its index entry."""

    record: ImportedIssue
    issue_id: int
    severity: SeverityAssessment
    entry: IndexEntry | None


class BulkIntake:
    """Stores records in batches: one encoding and one transaction each.

    What happened elsewhere or long ago is no news: no events, no notifications.
    """

    def __init__(
        self,
        database: Database,
        analysis: Analysis,
        rules: Callable[[], SeverityRules],
        targets: Callable[[], Targets],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._analysis = analysis
        self._rules = rules
        self._targets = targets
        self._clock = clock
        self._ids = ids

    async def accept(self, records: Sequence[ImportedIssue]) -> BulkResult:
        """Store what is valid and not there yet; all of it or, on an error, nothing.

        Records are recognised by ``external_id``. Raises Unavailable where the database does not
        answer.
        """
        now = self._clock.now()
        checked = [check(record, now) for record in records]
        refused = [one for one in checked if isinstance(one, Refusal)]
        wanted: dict[str, ImportedIssue] = {}
        for one in checked:
            if isinstance(one, ImportedIssue):
                # Of two records of one external id the first counts, as it does across batches.
                wanted.setdefault(one.external_id, one)
        async with self._database.read() as uow:
            known = await uow.issues.known_external_ids(list(wanted))
        judged = await self._judge([wanted[key] for key in wanted if key not in known])
        try:
            stored = await self._store(judged, now)
        except Conflict:
            # Another import, or a first issue of one of the customers, was faster.
            stored = await self._store(judged, now)
        return BulkResult(stored, len(records) - len(refused) - len(stored), refused)

    async def _judge(self, records: list[ImportedIssue]) -> list[_Judged]:
        texts = [(self._ids.new(), record.title, record.description) for record in records]
        if not texts:
            return []
        found: list[tuple[SeverityAssessment, IndexEntry | None]]
        try:
            found = [*await self._analysis.assess_many(texts)]
        except Exception as error:  # noqa: BLE001 - an import never fails because analysis did
            log.warning("import.analysis_failed", error=f"{type(error).__name__}: {error}")
            rules = self._rules()
            found = [(rules_only(rules, title, text), None) for _, title, text in texts]
        return [
            _Judged(record, issue_id, _severity(record, assessment), entry)
            for record, (issue_id, _, _), (assessment, entry) in zip(
                records, texts, found, strict=True
            )
        ]

    async def _store(self, judged: list[_Judged], now: datetime) -> list[int]:
        async with self._database.write() as uow:
            known = await uow.issues.known_external_ids([one.record.external_id for one in judged])
            new = [one for one in judged if one.record.external_id not in known]
            if not new:
                return []
            owners, histories = await self._customers(uow, new, now)
            number = await uow.issues.take_numbers(len(new))
            issues = [
                _issue(one, owners[normalise_email(one.record.email)], number + place)
                for place, one in enumerate(new)
            ]
            self._assess(issues, histories, now)
            await uow.issues.add_many(issues)
            await uow.conversations.add_many(
                [message for one in new for message in self._conversation(one)]
            )
            # Whoever searches reads new entries from the table; this process may not search at all.
            await uow.index_entries.put([one.entry for one in new if one.entry is not None])
            await uow.outbox.add(
                [
                    QueueMessage(
                        self._ids.new(),
                        RECOMMENDATION_GENERATION.name,
                        {"issue_id": str(issue.id)},
                        now,
                        issue.id,
                    )
                    for issue in issues
                    if issue.status.is_open
                ]
            )
        return [issue.id for issue in issues]

    async def _customers(
        self, uow: UnitOfWork, new: list[_Judged], now: datetime
    ) -> tuple[dict[str, int], dict[int, CustomerHistory]]:
        """Return the customers' ids by e-mail and their histories before this batch."""
        by_email: dict[str, list[ImportedIssue]] = {}
        for one in new:
            by_email.setdefault(normalise_email(one.record.email), []).append(one.record)
        owners: dict[str, int] = {}
        histories: dict[int, CustomerHistory] = {}
        for customer in await uow.customers.by_emails(list(by_email)):
            records = by_email[customer.email]
            if any(record.status.is_open for record in records):
                histories[customer.id] = await uow.customers.history(customer.id, now)
            await uow.customers.count_issue(customer.id, len(records))
            await uow.customers.touch(customer.id, max(map(_last_contact, records)))
            owners[customer.email] = customer.id
        added = [
            Customer(
                id=self._ids.new(),
                email=email,
                name=records[0].name,
                created_at=min(record.created_at for record in records),
                total_issues=len(records),
                last_contact_at=max(map(_last_contact, records)),
            )
            for email, records in by_email.items()
            if email not in owners
        ]
        await uow.customers.add_many(added)
        return owners | {customer.email: customer.id for customer in added}, histories

    def _assess(
        self, issues: list[Issue], histories: dict[int, CustomerHistory], now: datetime
    ) -> None:
        targets = self._targets()
        beside: dict[int, list[Issue]] = {}
        for issue in issues:
            beside.setdefault(issue.customer_id, []).append(issue)
        for issue in issues:
            history = _with(
                histories.get(issue.customer_id, CustomerHistory()),
                [other for other in beside[issue.customer_id] if other is not issue],
                now,
            )
            criticality.assess(issue, history, targets, now).apply_to(issue)

    def _conversation(self, one: _Judged) -> Iterator[Message]:
        record = one.record
        opening = ImportedMessage(Sender.CUSTOMER, record.description, record.created_at)
        for message in (opening, *_in_order(record)):
            yield Message(
                self._ids.new(),
                one.issue_id,
                message.text,
                message.sender,
                message.created_at,
                message.author,
            )


def check(record: ImportedIssue, now: datetime) -> ImportedIssue | Refusal:
    """Return the record with its address normalised, or why it cannot be stored as it is."""
    for name, text, most, needed in (
        ("external_id", record.external_id, EXTERNAL_ID_MAX, True),
        ("name", record.name, NAME_MAX, True),
        ("title", record.title, TITLE_MAX, True),
        ("description", record.description, DESCRIPTION_MAX, True),
        ("assignee", record.assignee, PERSON_MAX, False),
        ("resolution", record.resolution, RESOLUTION_MAX, False),
        *(("messages", message.text, MESSAGE_MAX, True) for message in record.messages),
        *(("messages", message.author, PERSON_MAX, False) for message in record.messages),
    ):
        if (wrong := _wrong_text(text, most, needed=needed)) is not None:
            return Refusal(record.external_id, name, wrong)
    if record.created_at > now + _AHEAD:
        return Refusal(record.external_id, "created_at", "lies in the future")
    if record.resolved_at is not None and record.resolved_at < record.created_at:
        return Refusal(record.external_id, "resolved_at", "lies before created_at")
    try:
        return replace(record, email=_EMAIL.validate_python(record.email))
    except ValidationError:
        return Refusal(record.external_id, "email", "must be an address such as ada@example.com")


def _wrong_text(text: str | None, most: int, *, needed: bool) -> str | None:
    if text is None or not text.strip():
        return "must not be blank" if needed else None
    if len(text) > most:
        return f"has {len(text):,} characters; at most {most:,} can be stored"
    if (found := _CONTROL.search(text)) is not None:
        return f"contains the control character U+{ord(found.group()):04X}; remove it"
    return None


def _severity(record: ImportedIssue, assessment: SeverityAssessment) -> SeverityAssessment:
    if record.severity is None:
        return assessment
    reason = SeverityReason("rule", "The desk it was imported from rated it.", record.severity)
    return SeverityAssessment(record.severity, 1.0, (reason,), TAKEN_OVER)


def _issue(one: _Judged, customer_id: int, number: int) -> Issue:
    record, severity = one.record, one.severity
    messages = _in_order(record)
    resolved_at = None if record.status.is_open else record.resolved_at
    moments = [record.created_at, *(message.created_at for message in messages)]
    return Issue(
        id=one.issue_id,
        number=number,
        customer_id=customer_id,
        title=record.title,
        description=record.description,
        severity=severity.level,
        status=record.status,
        created_at=record.created_at,
        updated_at=max([*moments, resolved_at or record.created_at]),
        channel=record.channel,
        external_id=record.external_id,
        severity_confidence=severity.confidence,
        severity_reasons=[reason.as_dict() for reason in severity.reasons],
        severity_model_version=severity.model_version,
        first_responded_at=next(
            (m.created_at for m in messages if m.sender is Sender.SUPPORT), None
        ),
        resolved_at=resolved_at,
        assignee=record.assignee,
        resolution=record.resolution,
        reopened_count=record.reopened_count,
    )


def _in_order(record: ImportedIssue) -> list[ImportedMessage]:
    """Return the messages by time, none before the issue itself."""
    return sorted(
        (
            replace(message, created_at=max(message.created_at, record.created_at))
            for message in record.messages
        ),
        key=lambda message: message.created_at,
    )


def _last_contact(record: ImportedIssue) -> datetime:
    return max(
        record.created_at,
        *(m.created_at for m in record.messages if m.sender is Sender.CUSTOMER),
        record.created_at,
    )


def _with(history: CustomerHistory, others: list[Issue], now: datetime) -> CustomerHistory:
    """Return the figures that criticality reads, with the customer's other issues of the batch."""
    if not others:
        return history
    by_status = dict(history.by_status)
    by_severity: dict[Severity, int] = dict(history.by_severity)
    for other in others:
        by_status[other.status] = by_status.get(other.status, 0) + 1
        by_severity[other.severity] = by_severity.get(other.severity, 0) + 1
    ages = [now - other.created_at for other in others]
    return replace(
        history,
        total_issues=history.total_issues + len(others),
        by_status=by_status,
        by_severity=by_severity,
        open_issues=history.open_issues
        + [
            Brief(o.id, o.number, o.title, o.status, o.severity, o.critical, o.created_at)
            for o in others
            if o.status.is_open
        ],
        issues_last_7_days=history.issues_last_7_days
        + sum(age <= criticality.RUN_WINDOW for age in ages),
    )
