from datetime import UTC, datetime

import pytest

from support_copilot.domain.customer import Customer
from support_copilot.domain.errors import InvalidInput, Unavailable
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.notifications.consumers import NotificationConsumer
from support_copilot.notifications.dispatcher import Dispatcher
from support_copilot.queues import QueueMessage
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
REASON = {"code": "severity-high", "text": "The severity is HIGH.", "since": NOW.isoformat()}


class Pager:
    """A channel that keeps what it was sent, or does not answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = []
        self.broken = False

    async def send(self, notification) -> None:
        if self.broken:
            raise Unavailable("the pager is silent")
        self.sent.append(notification)


@pytest.fixture
async def database(tmp_path):
    engine = SqliteEngine(tmp_path / "desk.db")
    await upgrade(engine)
    database = SqlDatabase(engine)
    async with database.write() as uow:
        await uow.customers.add(Customer(1, "ada@example.org", "Ada", NOW))
        await uow.issues.add(
            Issue(
                id=7,
                number=42,
                customer_id=1,
                title="No sound",
                description="Silent.",
                severity=Severity.HIGH,
                status=Status.OPEN,
                created_at=NOW,
                updated_at=NOW,
                critical=True,
                critical_reasons=[REASON],
            )
        )
    yield database
    await database.close()


def message(**body) -> QueueMessage:
    body = {"issue_id": "7", "kind": "critical"} | body
    return QueueMessage(id=100, queue="notification", body=body, created_at=NOW, key=7)


async def listed(database):
    async with database.read() as uow:
        return await uow.notifications.latest(10)


async def waiting(database):
    async with database.read() as uow:
        return await uow.outbox.pending(10)


async def test_a_notification_is_listed_once_however_often_it_is_delivered(database):
    consume = NotificationConsumer(database, IdGenerator(), Dispatcher())
    await consume(message())
    await consume(message())
    (notification,) = await listed(database)
    assert notification.title == "SC-42 is critical: No sound"
    assert notification.text == "The severity is HIGH."
    assert (notification.issue_id, notification.created_at) == (7, NOW)
    assert await waiting(database) == []


async def test_each_channel_is_tried_on_its_own(database):
    radio, pager = Pager("radio"), Pager("pager")
    pager.broken = True
    consume = NotificationConsumer(database, IdGenerator(), Dispatcher([radio, pager]))
    await consume(message())
    for_radio, for_pager = await waiting(database)
    await consume(for_radio)
    with pytest.raises(Unavailable):
        await consume(for_pager)
    pager.broken = False
    await consume(for_pager)
    assert radio.sent == pager.sent == await listed(database)


async def test_what_is_over_by_then_is_not_told(database):
    pager = Pager("pager")
    consume = NotificationConsumer(database, IdGenerator(), Dispatcher([pager]))
    await consume(message())
    (for_pager,) = await waiting(database)
    async with database.write() as uow:
        issue = await uow.issues.get(7)
        issue.critical = False
        await uow.issues.save(issue, expected_version=issue.version)
    await consume(for_pager)
    await consume(message(issue_id="8"))
    assert pager.sent == []


async def test_a_channel_that_is_no_longer_configured_is_dropped(database):
    await NotificationConsumer(database, IdGenerator(), Dispatcher([Pager("pager")]))(message())
    (for_pager,) = await waiting(database)
    await NotificationConsumer(database, IdGenerator(), Dispatcher())(for_pager)


async def test_an_unknown_kind_is_refused(database):
    with pytest.raises(InvalidInput, match="birthday"):
        await NotificationConsumer(database, IdGenerator(), Dispatcher())(message(kind="birthday"))
