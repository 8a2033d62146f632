"""From settings to running parts: the one place that chooses adapters."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import httpx2
import structlog
from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from support_copilot import __version__, defaults
from support_copilot.accounts.app import create_accounts_app
from support_copilot.accounts.service import AccountService
from support_copilot.analysis.app import create_analysis_app
from support_copilot.analysis.consumers import AnalysisConsumers
from support_copilot.analysis.engine import AnalysisEngine
from support_copilot.analysis.index_keeper import IndexKeeper
from support_copilot.analysis.proposals import IssueProposals
from support_copilot.cache.memory_cache import MemoryCache
from support_copilot.cache.rate_limits import WindowedRateLimiter
from support_copilot.domain.errors import CopilotError, Unavailable
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.issue import Issue
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.targets import Targets
from support_copilot.gateway.app import build_gateway
from support_copilot.issues.app import create_issues_app
from support_copilot.issues.bulk_intake import BulkIntake
from support_copilot.issues.criticality_clock import CriticalityClock
from support_copilot.issues.desk import Desk
from support_copilot.issues.intake import IntakeService
from support_copilot.issues.live_status import DatabaseLiveStatus
from support_copilot.issues.services import IssueServices
from support_copilot.messaging.embedded_queue import EmbeddedQueue
from support_copilot.messaging.outbox_relay import OutboxRelay
from support_copilot.messaging.worker import Worker
from support_copilot.notifications.consumers import NotificationConsumer
from support_copilot.notifications.dispatcher import Dispatcher
from support_copilot.notifications.email import EmailChannel
from support_copilot.notifications.webhook import WebhookChannel
from support_copilot.observability import metrics
from support_copilot.portal.api import in_process
from support_copilot.portal.app import create_portal_app
from support_copilot.portal.problem_pages import ProblemPages
from support_copilot.portal.public_intake import PublicIntake
from support_copilot.ports import Analysis, Cache, Clock, Database, Handler, NotificationChannel
from support_copilot.queues import NOTIFICATION
from support_copilot.settings import Settings, SettingsError
from support_copilot.storage.engine import Engine
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.mysql_engine import MysqlEngine
from support_copilot.storage.queue_store import QueueStore
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase
from support_copilot.storage.watched_file import WatchedFile
from support_copilot.web.app_factory import create_app
from support_copilot.web.health import health_router

log = structlog.get_logger(__name__)

STOP_SECONDS = 8.0
HOUSEKEEPING_SECONDS = 600.0
EVENTS_KEPT = timedelta(days=7)
PROCESSED_KEPT = timedelta(days=30)
RULES_FILE = "severity_rules.toml"
TARGETS_FILE = "targets.toml"


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(slots=True)
class Storage:
    """What commands need that judge nothing: open in milliseconds, without any model."""

    settings: Settings
    database: Database
    queue: EmbeddedQueue
    queue_store: QueueStore
    relay: OutboxRelay
    live_status: DatabaseLiveStatus
    cache: Cache
    accounts: AccountService
    clock: Clock
    ids: IdGenerator
    rules: Callable[[], SeverityRules]
    targets: Callable[[], Targets]


@dataclass(slots=True)
class Services(Storage):
    """Everything, with the models loaded."""

    analysis: Analysis
    index: IndexKeeper
    intake: IntakeService
    bulk: BulkIntake
    desk: Desk
    proposals: IssueProposals


@asynccontextmanager
async def open_storage(settings: Settings, *, migrate: bool = True) -> AsyncIterator[Storage]:
    """Open the database, bring its schema up to date, and all that works on it alone.

    Without ``migrate`` the schema stays as it is, for those who only look at it.
    Raises Unavailable where the database does not answer, RuleError and TargetsError for
    configuration files with mistakes.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    clock, ids = SystemClock(), IdGenerator(node=_node())
    engine = _engine(settings)
    try:
        if migrate:
            await upgrade(engine)
        wakes: dict[str, Callable[[], None]] = {}
        database = SqlDatabase(engine, lambda topic: wakes[topic]())
        store = QueueStore(engine)
        queue = EmbeddedQueue(store, clock)
        relay = OutboxRelay(database, queue, clock, observe_pending=metrics.OUTBOX_PENDING.set)
        live_status = DatabaseLiveStatus(database)
        wakes |= {"outbox": relay.wake, "events": live_status.wake}
        yield Storage(
            settings=settings,
            database=database,
            queue=queue,
            queue_store=store,
            relay=relay,
            live_status=live_status,
            cache=MemoryCache(),
            accounts=AccountService(database, clock, ids),
            clock=clock,
            ids=ids,
            rules=_rules(settings),
            targets=_targets(settings),
        )
        await queue.close()
    finally:
        await engine.close()


@asynccontextmanager
async def build(settings: Settings, *, load_index: bool = True) -> AsyncIterator[Services]:
    """Open everything of one process; ``load_index`` reads the similarity index."""
    async with open_storage(settings) as storage:
        analysis = await asyncio.to_thread(
            AnalysisEngine.load,
            settings.data_dir / "models",
            storage.rules,
            threads=settings.threads,
            with_encoder=settings.encoder == "auto",
        )
        index = IndexKeeper(storage.database, analysis, storage.clock)
        if load_index:
            await index.catch_up()
        database, clock, ids = storage.database, storage.clock, storage.ids
        try:
            yield Services(
                **{field.name: getattr(storage, field.name) for field in fields(Storage)},
                analysis=analysis,
                index=index,
                intake=IntakeService(
                    database,
                    analysis,
                    storage.rules,
                    storage.targets,
                    clock,
                    ids,
                    observe=_observe_step,
                    on_accepted=_observe_issue,
                ),
                bulk=BulkIntake(database, analysis, storage.rules, storage.targets, clock, ids),
                desk=Desk(database, analysis, storage.targets, clock, ids),
                proposals=IssueProposals(database, analysis, clock, ids),
            )
        finally:
            await analysis.close()


def build_application(services: Services) -> ASGIApp:
    """Return the gateway over all services, mounted in this process."""
    settings = services.settings
    secret = _secret(settings.data_dir)
    issues = create_issues_app(
        IssueServices(
            database=services.database,
            analysis=services.analysis,
            intake=services.intake,
            desk=services.desk,
            proposals=services.proposals,
            live_status=services.live_status,
            clock=services.clock,
            ids=services.ids,
            company=settings.company_name,
        ),
        secret,
    )
    accounts = create_accounts_app(services.accounts, version=__version__, identity_secret=secret)
    analysis = create_analysis_app(services.analysis, services.database, secret)
    health = create_app("Health", __version__, secret)
    health.include_router(_health(services))

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await gateway(scope, receive, send)

    portal = create_portal_app(
        in_process(api),
        sign_in=services.accounts.sign_in,
        raise_issue=PublicIntake(in_process(issues), secret, services.clock),
        identity_secret=secret,
    )
    gateway = build_gateway(
        {
            "/v1": issues,
            "/v1/analysis": analysis,
            "/v1/auth": accounts,
            "/v1/api-keys": accounts,
            "/health": health,
            "/": portal,
        },
        services.accounts.authenticate_token,
        WindowedRateLimiter(
            {
                "default": settings.rate_limit_default,
                "intake": settings.rate_limit_intake,
                "ai": settings.rate_limit_ai,
                "sign-in": settings.rate_limit_sign_in,
            }
        ),
        secret,
        version=__version__,
        optional_auth={"/"},
        origins=settings.cors_origins,
        deadline_seconds=settings.deadline_seconds,
        max_body_bytes=settings.max_body_bytes,
        public_metrics=settings.public_metrics,
    )
    return ProblemPages(gateway)


@asynccontextmanager
async def background(services: Services, queues: Collection[str] = ()) -> AsyncIterator[None]:
    """Run relay, worker, criticality clock and index keeper while the block lasts.

    ``queues`` names those to consume, all without names. The end waits for what is in hand.
    """
    settings = services.settings
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx2.AsyncClient())
        dispatcher = Dispatcher(_channels(settings, client, services.clock))
        consumers = AnalysisConsumers(
            services.database,
            services.analysis,
            services.proposals,
            services.index,
            services.clock,
            services.ids,
        )
        handlers: dict[str, Handler] = {
            **consumers.handlers(),
            NOTIFICATION.name: NotificationConsumer(services.database, services.ids, dispatcher),
        }
        worker = Worker(
            services.queue,
            {name: handler for name, handler in handlers.items() if not queues or name in queues},
            observe=_observe_message,
        )
        criticality_clock = CriticalityClock(
            services.database, services.clock, services.ids, services.targets
        )
        loops = {
            "relay": services.relay.run(),
            "worker": worker.run(),
            "criticality": criticality_clock.run(),
            "index": services.index.run(),
            "housekeeping": _keep_house(services),
        }
        tasks = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]
        try:
            yield
        finally:
            await worker.stop(timeout=STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _engine(settings: Settings) -> Engine:
    match settings.database_url:
        case None:
            return SqliteEngine(settings.sqlite_path)
        case str() as url if url.startswith(("mysql+asyncmy://", "mariadb+asyncmy://")):
            return MysqlEngine(url)
    raise SettingsError(
        ["SUPPORT_COPILOT_DATABASE_URL: must start with mysql+asyncmy://, or be unset for SQLite"]
    )


def _rules(settings: Settings) -> Callable[[], SeverityRules]:
    return WatchedFile(
        settings.severity_rules or settings.data_dir / RULES_FILE,
        (files(defaults) / RULES_FILE).read_text("utf-8"),
        SeverityRules.parse,
    )


def _targets(settings: Settings) -> Callable[[], Targets]:
    return WatchedFile(
        settings.targets or settings.data_dir / TARGETS_FILE,
        (files(defaults) / TARGETS_FILE).read_text("utf-8"),
        lambda text: Targets.parse(text, _holidays),
    )


def _holidays(country: str, subdivision: str | None, year: int) -> set[date]:
    import holidays

    try:
        return set(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError as error:
        raise LookupError(str(error)) from error


def _channels(
    settings: Settings, client: httpx2.AsyncClient, clock: Clock
) -> list[NotificationChannel]:
    channels: list[NotificationChannel] = []
    if settings.webhook_url:
        secret = settings.webhook_secret or ""
        channels.append(WebhookChannel(client, settings.webhook_url, secret, clock))
    if settings.smtp_host:
        channels.append(
            EmailChannel(
                settings.smtp_host,
                settings.smtp_port,
                settings.smtp_sender or "",
                settings.smtp_recipients,
                security=settings.smtp_security,
                username=settings.smtp_username,
                password=settings.smtp_password,
            )
        )
    return channels


def _health(services: Services) -> APIRouter:
    async def database() -> dict[str, object]:
        await services.database.ping()
        have, need = await services.database.schema_version()
        if have != need:
            raise Unavailable(f"the schema is at {have}, {need} is needed: run db upgrade")
        return {"schema": have}

    async def queue() -> dict[str, object]:
        depths = await services.queue.depth()
        return {
            "queues": {
                depth.queue: {
                    "ready": depth.ready,
                    "in_flight": depth.in_flight,
                    "dead": depth.dead,
                }
                for depth in depths
            }
        }

    async def cache() -> dict[str, object]:
        await services.cache.ping()
        return {"kind": "memory"}

    return health_router(
        {"database": database, "queue": queue, "cache": cache}, models=services.analysis.models
    )


def _secret(data_dir: Path) -> bytes:
    """Return the key that signs identities between gateway and services, made at first start."""
    path = data_dir / "secrets" / "identity.key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _node() -> int:
    """Return a node number: processes on one database at one moment should differ."""
    return os.getpid() % 32


async def _keep_house(services: Storage) -> None:
    while True:
        try:
            now = services.clock.now()
            async with services.database.write() as uow:
                await uow.events.prune(now - EVENTS_KEPT)
                await uow.processed.prune(now - PROCESSED_KEPT)
                await uow.accounts.prune_sessions(now)
        except CopilotError as error:
            log.warning("housekeeping.waits", error=type(error).__name__)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


def _observe_step(step: str, seconds: float) -> None:
    metrics.INTAKE_STEP_SECONDS.labels(step).observe(seconds)


def _observe_issue(issue: Issue, degraded: list[str]) -> None:
    metrics.ISSUES.labels(issue.severity.value).inc()
    for reason in issue.critical_reasons:
        metrics.CRITICAL_ISSUES.labels(reason["code"]).inc()
    for step in degraded:
        metrics.ANALYSIS_DEGRADED.labels(step).inc()


def _observe_message(queue: str, outcome: str, seconds: float) -> None:
    metrics.QUEUE_MESSAGES.labels(queue, outcome).inc()
    metrics.QUEUE_HANDLING_SECONDS.labels(queue).observe(seconds)
