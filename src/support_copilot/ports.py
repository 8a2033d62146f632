"""Every seam of the system on one page.

A port says what must hold, never how. Adapters live in ``storage``, ``messaging``, ``cache``,
``analysis`` and ``notifications``; ``bootstrap`` alone chooses among them, and
``tests/contracts`` runs one behaviour suite per port on every adapter.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from support_copilot.domain.conversation import Message
from support_copilot.domain.customer import Customer, CustomerHistory
from support_copilot.domain.events import Event
from support_copilot.domain.identifiers import MAX_ID
from support_copilot.domain.identity import ApiKey, Session, User
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.domain.recommendation import (
    PastReply,
    Proposal,
    Recommendation,
    Template,
)
from support_copilot.domain.severity import SeverityAssessment
from support_copilot.domain.similarity import IndexEntry, SimilarHit, SimilarIssue
from support_copilot.domain.summary import ConversationSummary, Summary
from support_copilot.queues import QueueMessage

T = TypeVar("T")

# ---------------------------------------------------------------- time, ids


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present moment, timezone-aware, in UTC."""


class Ids(Protocol):
    def new(self, shard: int = 0) -> int:
        """Return an identifier never given before, larger than all before it here."""


# ---------------------------------------------------------------- storage


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """What a list asks for; ``cursor`` is what the page before gave back.

    Without ``whole`` an issue's description is a snippet and its severity has no reasons.
    """

    statuses: tuple[Status, ...] = ()
    severities: tuple[Severity, ...] = ()
    critical: bool | None = None
    customer_id: int | None = None
    assignee: str | None = None
    unassigned: bool = False
    created_from: datetime | None = None
    created_to: datetime | None = None
    text: str | None = None
    sort: str = "attention"
    limit: int = 50
    cursor: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class IssueListItem:
    issue: Issue
    customer: Customer


@dataclass(frozen=True, slots=True)
class Page:
    items: list[IssueListItem]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """The first answer to a request that carried an idempotency key or an external id."""

    issue_id: int
    customer_id: int
    fingerprint: str
    response: bytes
    created_at: datetime
    idempotency_key: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """An executive's correction: what was judged, what is right, and why."""

    id: int
    issue_id: int
    kind: str
    judged: str
    corrected: str
    reason: str
    decided_by: str
    created_at: datetime
    model_version: str = ""


class Customers(Protocol):
    async def get(self, customer_id: int) -> Customer | None: ...
    async def by_email(self, email: str) -> Customer | None: ...
    async def by_emails(self, emails: Sequence[str]) -> list[Customer]: ...
    async def add(self, customer: Customer) -> None:
        """Store a new customer. Raises Conflict where the e-mail is taken."""

    async def add_many(self, added: Sequence[Customer]) -> None: ...

    async def rename(self, customer_id: int, name: str) -> None: ...
    async def touch(self, customer_id: int, moment: datetime) -> None:
        """Move ``last_contact_at`` forward to ``moment``, never back."""

    async def count_issue(self, customer_id: int, delta: int = 1) -> None:
        """Keep ``total_issues`` equal to the count, in the transaction that changes it."""

    async def history(
        self, customer_id: int, now: datetime, *, without: int | None = None
    ) -> CustomerHistory:
        """Return the figures over all issues of a customer but ``without``."""


class Issues(Protocol):
    async def get(self, issue_id: int) -> Issue | None: ...
    async def get_many(self, issue_ids: Sequence[int]) -> list[Issue]:
        """Return those that are there, in no order."""

    async def by_number(self, number: int) -> Issue | None: ...
    async def by_external_id(self, external_id: str) -> Issue | None: ...
    async def known_external_ids(self, external_ids: Sequence[str]) -> set[str]:
        """Return those of the external ids that an issue has."""

    async def next_number(self) -> int: ...
    async def take_numbers(self, count: int) -> int:
        """Take ``count`` numbers that follow each other and return the first."""

    async def add(self, issue: Issue) -> None: ...
    async def add_many(self, added: Sequence[Issue]) -> None: ...
    async def save(self, issue: Issue, *, expected_version: int, edited: bool = True) -> None:
        """Write all mutable fields and add 1 to ``version`` where somebody ``edited`` it.

        Raises VersionMismatch where the stored version is not ``expected_version``.
        """

    async def rejudge_customer(self, customer_id: int, now: datetime) -> None:
        """Make the criticality of a customer's open issues due: their run has grown."""

    async def mark(
        self,
        issue_id: int,
        *,
        recommended_at: datetime | None = None,
        ended_at: datetime | None = None,
    ) -> None:
        """Note when replies were proposed or the conversation ended; the version stays."""

    async def erase(self, issue_id: int) -> bool:
        """Remove an issue with everything that belongs to it; false where there was none."""

    async def page(self, wanted: IssueFilter) -> Page:
        """Return one keyset page. Raises InvalidInput for a cursor of another query."""

    async def due(self, now: datetime, limit: int) -> list[Issue]:
        """Return open issues whose ``criticality_due_at`` has come, the longest due first."""

    async def similar(self, hits: Sequence[SimilarHit]) -> list[SimilarIssue]:
        """Fill hits with title, status and resolution; hits of erased issues vanish."""

    async def count(self) -> int: ...


class Conversations(Protocol):
    async def add(self, message: Message) -> None: ...
    async def add_many(self, messages: Sequence[Message]) -> None: ...
    async def of_issue(
        self, issue_id: int, *, after: int = 0, limit: int | None = None
    ) -> list[Message]:
        """Return messages with an id above ``after``, oldest first."""

    async def resolving_replies(self, issue_ids: Sequence[int]) -> list[PastReply]:
        """Return the SUPPORT messages of those of the issues that are resolved or closed."""


class Recommendations(Protocol):
    async def get(self, recommendation_id: int) -> Recommendation | None: ...
    async def of_issue(self, issue_id: int, *, since: datetime) -> list[Recommendation]:
        """Return the proposals made at or after ``since``, best first."""

    async def add(self, recommendations: Sequence[Recommendation]) -> None: ...
    async def save_verdict(self, recommendation: Recommendation) -> None: ...


class Templates(Protocol):
    async def all(self) -> list[Template]: ...
    async def get(self, template_id: int) -> Template | None: ...
    async def add(self, template: Template) -> None: ...
    async def save(self, template: Template) -> None: ...
    async def remove(self, template_id: int) -> bool: ...


class Summaries(Protocol):
    async def latest(self, issue_id: int) -> Summary | None: ...
    async def add(self, summary: Summary) -> None: ...


class Labels(Protocol):
    async def add(self, label: Label) -> None: ...
    async def of_kind(self, kind: str, *, limit: int = 100_000) -> list[Label]: ...


class IndexEntries(Protocol):
    async def put(self, entries: Sequence[IndexEntry]) -> list[IndexEntry]:
        """Store or replace entries; return those of living issues with growing sequences."""

    async def after(self, sequence: int, limit: int) -> list[IndexEntry]:
        """Return entries with a larger sequence, in order."""

    async def missing(
        self, fingerprint: str, limit: int, *, after: int = 0, before: int = MAX_ID
    ) -> list[Issue]:
        """Return issues without an entry of this fingerprint, oldest first.

        Only those with ids between ``after`` and ``before`` are looked at.
        """

    async def count(self) -> int: ...


class Intakes(Protocol):
    async def by_key(self, key: str) -> Intake | None: ...
    async def by_external_id(self, external_id: str) -> Intake | None: ...
    async def add(self, intake: Intake) -> None: ...


class Outbox(Protocol):
    async def add(self, messages: Sequence[QueueMessage]) -> None: ...
    async def pending(self, limit: int) -> list[QueueMessage]:
        """Return the oldest messages not yet published."""

    async def remove(self, message_ids: Sequence[int]) -> None: ...
    async def count(self) -> int: ...


class Processed(Protocol):
    async def claim(self, message_id: int, consumer: str) -> bool:
        """Record a message with its effect; false where that was already done."""

    async def prune(self, before: datetime) -> int:
        """Forget what was handled before; nothing that old is delivered again."""


class EventLog(Protocol):
    async def append(self, *events: Event) -> None: ...
    async def after(self, event_id: int, limit: int) -> list[Event]: ...
    async def last_id(self) -> int: ...
    async def prune(self, before: datetime) -> int: ...


class Accounts(Protocol):
    async def user(self, username: str) -> User | None: ...
    async def add_user(self, user: User) -> None: ...
    async def users(self) -> list[User]: ...
    async def set_password(self, username: str, password_hash: str) -> bool:
        """Replace a password and end the user's sessions; false where there is no such user."""

    async def api_key(self, secret_hash: str) -> ApiKey | None: ...
    async def api_keys(self) -> list[ApiKey]: ...
    async def add_api_key(self, key: ApiKey) -> None: ...
    async def revoke_api_key(self, key_id: int, now: datetime) -> bool: ...
    async def touch_api_key(self, key_id: int, now: datetime) -> None: ...
    async def session(self, token_hash: str) -> Session | None: ...
    async def add_session(self, session: Session) -> None: ...
    async def end_session(self, token_hash: str) -> None: ...
    async def prune_sessions(self, now: datetime) -> int:
        """Remove sessions that have expired."""


class Notifications(Protocol):
    """The list of notifications that the portal shows."""

    async def add(self, notification: Notification) -> None:
        """Store a notification. Raises Conflict where its id is taken."""

    async def latest(self, limit: int, after_id: int = 0) -> list[Notification]:
        """Return the newest notifications with an id above ``after_id``, newest first."""

    async def mark_read(self, notification_id: int, now: datetime) -> bool:
        """Mark a notification as read; false where there is none."""


class UnitOfWork(Protocol):
    """One transaction over all repositories; leaving the block commits or rolls back."""

    @property
    def customers(self) -> Customers: ...
    @property
    def issues(self) -> Issues: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def recommendations(self) -> Recommendations: ...
    @property
    def templates(self) -> Templates: ...
    @property
    def summaries(self) -> Summaries: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def index_entries(self) -> IndexEntries: ...
    @property
    def intakes(self) -> Intakes: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def processed(self) -> Processed: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def notifications(self) -> Notifications: ...


class Database(Protocol):
    def write(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction that commits when the block ends and rolls back on an error.

        Raises Unavailable where the database does not answer in time.
        """

    def read(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a consistent view for reading; writing through it is an error."""

    async def transact(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Run ``work`` in a transaction, faster than ``write``: it awaits nothing else.

        Commits when it returns, rolls back when it raises.
        """

    async def look(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Run ``work`` for reading, faster than ``read``: it awaits nothing else."""

    async def ping(self) -> None:
        """Raise Unavailable where the database does not answer."""

    async def schema_version(self) -> tuple[str | None, str]:
        """Return the schema's revision and the one the code needs."""

    async def close(self) -> None: ...


# ---------------------------------------------------------------- queues


@dataclass(frozen=True, slots=True)
class QueueDepth:
    queue: str
    ready: int
    in_flight: int
    dead: int
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    message: QueueMessage
    reason: str
    attempts: int
    died_at: datetime


class Delivery(Protocol):
    """One message in hand. Exactly one of ack, retry, bury is called; silence redelivers it."""

    @property
    def message(self) -> QueueMessage: ...
    @property
    def attempt(self) -> int:
        """Return 1 for the first delivery, and at least that after a crash."""

    async def ack(self) -> None: ...
    async def retry(self, delay_seconds: float, reason: str) -> None:
        """Deliver again after the delay; the message is durable meanwhile."""

    async def bury(self, reason: str) -> None:
        """Move to the dead letters with the reason."""


class Queue(Protocol):
    """At-least-once, durable: what ``publish`` returned for survives any crash."""

    async def publish(self, messages: Sequence[QueueMessage]) -> None:
        """Return once the broker has the messages for good.

        Publishing an id twice is harmless only because consumers record ids.
        """

    def consume(self, queue: str, prefetch: int = 16) -> AsyncGenerator[Delivery, None]:
        """Yield deliveries until closed; at most ``prefetch`` are in hand at once.

        Closing the generator gives back what it had not yielded.
        """

    async def depth(self) -> list[QueueDepth]: ...
    async def dead_letters(self, queue: str, limit: int = 100) -> list[DeadLetter]: ...
    async def retry_dead(self, queue: str, message_id: int | None = None) -> int: ...
    async def purge_dead(self, queue: str) -> int: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...


Handler = Callable[[QueueMessage], Awaitable[None]]
"""Handles one message, idempotently: the id is claimed in the transaction of the effect."""

# ---------------------------------------------------------------- analysis


@dataclass(frozen=True, slots=True)
class ModelInfo:
    name: str
    version: str
    loaded: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the intake needs of one text: ``degraded`` names steps answered by a fallback.

    ``timings`` holds seconds by step, for benchmarks and metrics.
    """

    severity: SeverityAssessment
    similar: list[SimilarHit]
    degraded: list[str] = field(default_factory=list)
    timings: Mapping[str, float] = field(default_factory=dict)


class Analysis(Protocol):
    """Judgements about text; nothing here stores anything but the similarity index."""

    async def assess_many(
        self, texts: Sequence[tuple[int, str, str]]
    ) -> list[tuple[SeverityAssessment, IndexEntry]]:
        """Rate and index many ``(issue id, title, description)``, encoded once, in batches."""

    async def judge(
        self, title: str, description: str, *, limit: int = 5, seconds: float = 5.0
    ) -> Judgement:
        """Rate severity and find similar issues with one encoding of the text.

        Answers within ``seconds`` with the best it has by then, marked as degraded.
        """

    async def severity(self, title: str, description: str) -> SeverityAssessment: ...

    async def similar(
        self, title: str, description: str, *, limit: int = 5, without: int | None = None
    ) -> list[SimilarHit]: ...

    async def propose(
        self,
        issue_text: str,
        *,
        templates: Sequence[Template],
        replies: Sequence[PastReply],
        limit: int = 3,
    ) -> list[Proposal]:
        """Return replies worth showing, best first; an empty list is a valid answer."""

    async def summarise(
        self, messages: Sequence[Message], *, status: Status | None = None
    ) -> ConversationSummary: ...

    async def prepare(self, texts: Sequence[tuple[int, str, str]]) -> list[IndexEntry]:
        """Return index entries for ``(issue id, title, description)``, encoded in batches."""

    async def index(self, entries: Sequence[IndexEntry]) -> None:
        """Make entries searchable; one that is there is replaced."""

    async def forget(self, issue_ids: Sequence[int]) -> None:
        """Make issues unfindable before this returns."""

    async def indexed(self) -> int: ...

    def background(self) -> AbstractAsyncContextManager[None]:
        """Enter once intakes leave a pause, after a few seconds at the latest, one at a time.

        For work that takes long and that nobody waits for.
        """

    @property
    def fingerprint(self) -> str:
        """Name the encoder and analyser that make index entries now."""

    def models(self) -> list[ModelInfo]: ...


class Proposals(Protocol):
    """Proposes replies to stored issues."""

    async def generate(self, issue_id: int) -> list[Recommendation]:
        """Propose now and store, best first; an empty list is a valid answer.

        Raises NotFound.
        """


# ---------------------------------------------------------------- everything around


class Cache(Protocol):
    """Values that may vanish at any moment."""

    async def get(self, key: str) -> bytes | None: ...
    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None: ...
    async def delete(self, *keys: str) -> None: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...


class RateLimiter(Protocol):
    async def hit(self, budget: str, client: str) -> RateLimit:
        """Count one request of ``client`` against a named budget."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``reset_seconds`` is when the window starts anew."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int


class LiveStatus(Protocol):
    """Events as they are committed, to any number of listeners."""

    def listen(self, after: int | None) -> AsyncIterator[Event]:
        """Yield events above id ``after`` (None: from now on), without gap or repetition."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Tells somebody about an issue; ``id`` makes it one notification however often sent.

    ``read_at`` is when somebody marked it as read in the portal.
    """

    id: int
    kind: str
    issue_id: int
    title: str
    text: str
    created_at: datetime
    read_at: datetime | None = None


class NotificationChannel(Protocol):
    name: str

    async def send(self, notification: Notification) -> None:
        """Deliver, or raise Unavailable to be tried again."""


Wake = Callable[[str], None]
"""Called after a commit with what it touched: ``outbox``, ``queue``, ``events``."""

JsonObject = dict[str, Any]
