"""The main job: an issue comes in and is judged, stored and answered within one request."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import orjson
import structlog

from support_copilot.domain import criticality
from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.customer import Customer, CustomerHistory, normalise_email
from support_copilot.domain.errors import Conflict, KeyReused
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.issue import Channel, Issue, Status, format_number
from support_copilot.domain.severity_rules import SeverityRules, rules_only
from support_copilot.domain.similarity import SimilarIssue
from support_copilot.domain.targets import Targets
from support_copilot.issues.presentation import (
    customer_json,
    history_json,
    issue_json,
)
from support_copilot.ports import Analysis, Clock, Database, Ids, Intake, Judgement, UnitOfWork
from support_copilot.queues import (
    ISSUE_ANALYSIS,
    NOTIFICATION,
    RECOMMENDATION_GENERATION,
    QueueMessage,
    QueueSpec,
)
from support_copilot.web import deadline
from support_copilot.web.judgements import similar_json

log = structlog.get_logger(__name__)

SIMILAR_SHOWN = 5
ANALYSIS_SECONDS = 8.0
# Of what a request has left this much is kept for storing the issue, whatever analysis did.
STORING_SECONDS = 2.0

StepTimer = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class NewIssue:
    """What a caller sends; the texts are kept verbatim."""

    email: str
    name: str
    title: str
    description: str
    channel: Channel = Channel.API
    external_id: str | None = None

    def fingerprint(self) -> str:
        return hashlib.sha256(orjson.dumps(asdict(self))).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is JSON; ``replayed`` tells that it was given before to the same request."""

    issue_id: int
    body: bytes
    replayed: bool = False


@dataclass(slots=True)
class _Steps:
    """Seconds by step, for benchmarks and metrics."""

    observe: StepTimer
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.note(name, time.perf_counter() - start)

    def note(self, name: str, seconds: float) -> None:
        self.seconds[name] = seconds
        self.observe(name, seconds)


class IntakeService:
    """Takes issues in; nothing of it depends on analysis being up."""

    def __init__(
        self,
        database: Database,
        analysis: Analysis,
        rules: Callable[[], SeverityRules],
        targets: Callable[[], Targets],
        clock: Clock,
        ids: Ids,
        observe: StepTimer = lambda _step, _seconds: None,
        on_accepted: Callable[[Issue, list[str]], None] = lambda _issue, _degraded: None,
    ) -> None:
        self._database = database
        self._analysis = analysis
        self._rules = rules
        self._targets = targets
        self._clock = clock
        self._ids = ids
        self._observe = observe
        self._on_accepted = on_accepted

    async def accept(self, new: NewIssue, *, key: str | None = None) -> Answer:
        """Judge, store and answer.

        ``key`` is the caller's idempotency key, already scoped to the caller. The same key or
        external id again gives the first answer. Raises KeyReused or Conflict where it comes
        with another body, Unavailable where the database does not answer.
        """
        steps = _Steps(self._observe)
        if key is not None or new.external_id is not None:
            first = await self._database.look(lambda uow: self._first_answer(uow, new, key))
            if first is not None:
                return first
        with steps.step("judge"):
            judgement = await self._judge(new)
        for name, seconds in judgement.timings.items():
            steps.note(name, seconds)
        with steps.step("store"):

            async def store(uow: UnitOfWork) -> tuple[Answer, Issue | None]:
                return await self._store(uow, new, key, judgement)

            try:
                answer, issue = await self._database.transact(store)
            except Conflict:
                # A twin of this request, or another first issue of the customer, was faster.
                answer, issue = await self._database.transact(store)
        if issue is not None:
            self._on_accepted(issue, judgement.degraded)
        return answer

    async def _judge(self, new: NewIssue) -> Judgement:
        seconds = max(0.0, min(ANALYSIS_SECONDS, deadline.remaining() - STORING_SECONDS))
        try:
            async with asyncio.timeout(seconds + STORING_SECONDS / 2):
                return await self._analysis.judge(
                    new.title, new.description, limit=SIMILAR_SHOWN, seconds=seconds
                )
        except Exception as error:  # noqa: BLE001 - an intake never fails because analysis did
            log.warning("intake.analysis_failed", error=type(error).__name__)
            return Judgement(
                severity=rules_only(self._rules(), new.title, new.description),
                similar=[],
                degraded=["severity", "similar"],
            )

    async def _first_answer(self, uow: UnitOfWork, new: NewIssue, key: str | None) -> Answer | None:
        if key is not None and (known := await uow.intakes.by_key(key)) is not None:
            if known.fingerprint != new.fingerprint():
                raise KeyReused(
                    "This Idempotency-Key was used for another request; use a new key for a new "
                    "issue, or repeat the first body."
                )
            return Answer(known.issue_id, known.response, replayed=True)
        if new.external_id is not None:
            known = await uow.intakes.by_external_id(new.external_id)
            if known is not None and known.fingerprint == new.fingerprint():
                return Answer(known.issue_id, known.response, replayed=True)
            there = await uow.issues.by_external_id(new.external_id)
            if there is not None:
                raise Conflict(
                    f"The external_id belongs to {format_number(there.number)}, which came with "
                    "another body; change the issue with PATCH, or send another external_id.",
                    issue_id=str(there.id),
                )
        return None

    async def _store(
        self,
        uow: UnitOfWork,
        new: NewIssue,
        key: str | None,
        judgement: Judgement,
    ) -> tuple[Answer, Issue | None]:
        if key is not None or new.external_id is not None:
            first = await self._first_answer(uow, new, key)
            if first is not None:
                return first, None
        now = self._clock.now()
        customer, history = await self._customer(uow, new, now)
        issue = self._issue(new, customer, judgement, await uow.issues.next_number(), now)
        criticality.assess(issue, history, self._targets(), now).apply_to(issue)
        if history.open_issues:
            await uow.issues.rejudge_customer(customer.id, now)
        await uow.issues.add(issue)
        await uow.conversations.add(
            Message(self._ids.new(), issue.id, new.description, Sender.CUSTOMER, now)
        )
        await uow.events.append(*_events(issue, now))
        await uow.outbox.add(self._messages(issue, now))
        similar = await uow.issues.similar(judgement.similar)
        body = _body(issue, customer, history, similar, judgement.degraded)
        if key is not None or new.external_id is not None:
            await uow.intakes.add(
                Intake(
                    issue_id=issue.id,
                    customer_id=customer.id,
                    fingerprint=new.fingerprint(),
                    response=body,
                    created_at=now,
                    idempotency_key=key,
                    external_id=new.external_id,
                )
            )
        return Answer(issue.id, body), issue

    async def _customer(
        self, uow: UnitOfWork, new: NewIssue, now: datetime
    ) -> tuple[Customer, CustomerHistory]:
        """Return the customer, counted up by this issue, and their history before it."""
        email = normalise_email(new.email)
        customer = await uow.customers.by_email(email)
        if customer is None:
            customer = Customer(self._ids.new(), email, new.name, now, 1, now)
            await uow.customers.add(customer)
            return customer, CustomerHistory()
        history = await uow.customers.history(customer.id, now)
        await uow.customers.count_issue(customer.id)
        await uow.customers.touch(customer.id, now)
        customer.total_issues += 1
        return customer, history

    def _issue(
        self, new: NewIssue, customer: Customer, judgement: Judgement, number: int, now: datetime
    ) -> Issue:
        severity = judgement.severity
        return Issue(
            id=self._ids.new(),
            number=number,
            customer_id=customer.id,
            title=new.title,
            description=new.description,
            severity=severity.level,
            status=Status.OPEN,
            created_at=now,
            updated_at=now,
            channel=new.channel,
            external_id=new.external_id,
            severity_confidence=severity.confidence,
            severity_reasons=[reason.as_dict() for reason in severity.reasons],
            severity_model_version=severity.model_version,
        )

    def _messages(self, issue: Issue, now: datetime) -> list[QueueMessage]:
        def message(spec: QueueSpec, **body: str) -> QueueMessage:
            return QueueMessage(
                self._ids.new(), spec.name, {"issue_id": str(issue.id), **body}, now, issue.id
            )

        messages = [message(ISSUE_ANALYSIS), message(RECOMMENDATION_GENERATION)]
        if issue.critical:
            messages.append(message(NOTIFICATION, kind="critical"))
        return messages


def _events(issue: Issue, now: datetime) -> list[Event]:
    number = format_number(issue.number)
    created = {"number": number, "severity": issue.severity.value}
    events = [Event(EventType.ISSUE_CREATED, issue.id, now, created)]
    if issue.critical:
        codes = [reason["code"] for reason in issue.critical_reasons]
        events.append(
            Event(EventType.ISSUE_CRITICAL, issue.id, now, {"number": number, "codes": codes})
        )
    return events


def _body(
    issue: Issue,
    customer: Customer,
    history: CustomerHistory,
    similar: list[SimilarIssue],
    degraded: list[str],
) -> bytes:
    answer: dict[str, Any] = issue_json(issue)
    answer["customer"] = customer_json(customer) | {"history": history_json(history)}
    answer["similar"] = [similar_json(item) for item in similar]
    answer["degraded"] = degraded
    return orjson.dumps(answer)
