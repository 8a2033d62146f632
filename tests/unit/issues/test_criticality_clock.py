import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from support_copilot.domain.customer import Customer
from support_copilot.domain.errors import Unavailable
from support_copilot.domain.events import EventType
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.domain.targets import Targets
from support_copilot.issues.criticality_clock import CriticalityClock
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase

TARGETS = Targets.parse((files("support_copilot.defaults") / "targets.toml").read_text("utf-8"))
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


class HandClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.moment = MONDAY

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def woken() -> asyncio.Queue[str]:
    """What the commits so far touched."""
    return asyncio.Queue()


@pytest.fixture
async def database(tmp_path, woken):
    engine = SqliteEngine(tmp_path / "desk.db")
    await upgrade(engine)
    database = SqlDatabase(engine, woken.put_nowait)
    async with database.write() as uow:
        await uow.customers.add(Customer(1, "ada@example.org", "Ada", MONDAY))
    yield database
    await database.close()


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


@pytest.fixture
def clock(database, hands) -> CriticalityClock:
    return CriticalityClock(database, hands, IdGenerator(), lambda: TARGETS)


async def add(database, *numbers: int, due_at: datetime | None = MONDAY, **changes) -> None:
    made = Issue(
        id=0, number=0, customer_id=1, title="No sound", description="The speaker is silent.",
        severity=Severity.NORMAL, status=Status.OPEN, created_at=MONDAY, updated_at=MONDAY,
        criticality_due_at=due_at,
    )  # fmt: skip
    async with database.write() as uow:
        for number in numbers:
            await uow.issues.add(replace(made, id=number, number=number, **changes))


async def state(database, number: int = 1):
    """An issue with the queue messages and events so far."""
    async with database.read() as uow:
        issue = await uow.issues.get(number)
        return issue, await uow.outbox.pending(100), await uow.events.after(0, 100)


async def test_an_issue_turns_critical_when_due_with_its_event_and_its_notification(
    database, clock, hands
):
    await add(database, 1)
    assert await clock.tick() == 1
    issue, messages, events = await state(database)
    assert (issue.critical, messages, events) == (False, [], [])
    assert issue.criticality_due_at == MONDAY + timedelta(hours=3)

    hands.moment = MONDAY + timedelta(hours=2.9)
    assert await clock.tick() == 0

    hands.moment = MONDAY + timedelta(hours=3)
    assert await clock.tick() == 1
    issue, messages, events = await state(database)
    assert issue.critical
    assert [reason["code"] for reason in issue.critical_reasons] == ["first-response-near"]
    (message,) = messages
    assert (message.queue, message.body) == ("notification", {"issue_id": "1", "kind": "critical"})
    (event,) = events
    assert (event.type, event.issue_id) == (EventType.ISSUE_CRITICAL, 1)
    assert event.data == {"critical": True, "codes": ["first-response-near"]}
    assert await clock.tick() == 0


async def test_each_new_reason_is_notified_once(database, clock, hands):
    await add(database, 1)
    expected = []
    for after, code in (
        (timedelta(hours=3), "first-response-near"),
        (timedelta(hours=4), "first-response-missed"),
        (timedelta(days=2, hours=2), "resolution-near"),
        (timedelta(days=2, hours=8), "resolution-missed"),
    ):
        hands.moment = MONDAY + after
        await clock.tick()
        expected.append(code)
        issue, messages, _ = await state(database)
        assert issue.critical_reasons[-1]["code"] == code
        assert len(messages) == len(expected)
    assert issue.criticality_due_at is None


async def test_a_reason_that_ends_is_told_without_a_notification(database, clock, hands):
    await add(database, 1, first_responded_at=MONDAY, due_at=None)
    await add(database, 2, 3, status=Status.CLOSED, due_at=None)
    async with database.write() as uow:
        issue = await uow.issues.get(1)
        issue.criticality_due_at = MONDAY
        await uow.issues.save(issue, expected_version=1)
    await clock.tick()
    issue, messages, _ = await state(database)
    assert [reason["code"] for reason in issue.critical_reasons] == ["customer-run"]
    async with database.write() as uow:
        await uow.issues.erase(2)
    hands.moment = MONDAY + timedelta(days=1)
    await clock.tick()
    issue, after, events = await state(database)
    assert not issue.critical
    assert after == messages
    assert [event.type for event in events] == [EventType.ISSUE_CRITICAL, EventType.ISSUE_CHANGED]
    assert events[-1].data == {"critical": False, "codes": []}


class Restarting:
    """A database that does not answer at first."""

    def __init__(self, database) -> None:
        self.database = database
        self.refusals = 2

    def read(self):
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the database restarts")
        return self.database.read()

    def write(self):
        return self.database.write()


class Hurried:
    """A database in which somebody closes an issue just before we write."""

    def __init__(self, database) -> None:
        self.database = database

    def read(self):
        return self.database.read()

    @asynccontextmanager
    async def write(self):
        async with self.database.write() as uow:
            issue = await uow.issues.get(1)
            issue.status, issue.criticality_due_at = Status.CLOSED, None
            await uow.issues.save(issue, expected_version=issue.version)
        async with self.database.write() as uow:
            yield uow


async def test_what_somebody_changed_meanwhile_is_left_alone(database, hands):
    await add(database, 1)
    hands.moment = MONDAY + timedelta(hours=3)
    clock = CriticalityClock(Hurried(database), hands, IdGenerator(), lambda: TARGETS)
    assert await clock.tick() == 0
    issue, messages, events = await state(database)
    assert issue.status is Status.CLOSED
    assert not issue.critical
    assert (messages, events) == ([], [])


async def test_running_outlives_the_database_and_works_off_more_than_a_batch(
    database, woken, hands
):
    await add(database, *range(1, 8))
    hands.moment = MONDAY + timedelta(hours=3)
    clock = CriticalityClock(
        Restarting(database), hands, IdGenerator(), lambda: TARGETS, interval_seconds=0.01, batch=2
    )
    running = asyncio.create_task(clock.run())
    async with asyncio.timeout(10):
        while len((await state(database))[1]) < 7:
            await woken.get()
    running.cancel()
    await asyncio.wait([running])
    _, messages, _ = await state(database)
    assert sorted(int(message.body["issue_id"]) for message in messages) == list(range(1, 8))
