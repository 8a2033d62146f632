from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from support_copilot.analysis.engine import AnalysisEngine
from support_copilot.analysis.index_keeper import IndexKeeper
from support_copilot.domain.conversation import Sender
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.imported import ImportedIssue, ImportedMessage
from support_copilot.domain.issue import Severity, Status
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.targets import Targets
from support_copilot.issues.bulk_intake import BulkIntake
from support_copilot.ports import Database, IssueFilter
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase

DEFAULTS = files("support_copilot.defaults")
RULES = SeverityRules.parse((DEFAULTS / "severity_rules.toml").read_text("utf-8"))
TARGETS = Targets.parse((DEFAULTS / "targets.toml").read_text("utf-8"))
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class Desk:
    database: Database
    analysis: AnalysisEngine
    bulk: BulkIntake


@pytest.fixture
async def desk(tmp_path) -> AsyncIterator[Desk]:
    engine = SqliteEngine(tmp_path / "desk.db")
    await upgrade(engine)
    database = SqlDatabase(engine)
    analysis = AnalysisEngine.load(tmp_path, lambda: RULES, with_encoder=False)
    bulk = BulkIntake(
        database, analysis, lambda: RULES, lambda: TARGETS, StoppedClock(), IdGenerator()
    )
    yield Desk(database, analysis, bulk)
    await analysis.close()
    await database.close()


def record(number: int, **changes) -> ImportedIssue:
    issue = ImportedIssue(
        external_id=f"T-{number}",
        email="Ada@Example.com",
        name="Ada",
        title=f"Printer {number} jams",
        description="Paper jams in tray 2 since Monday.",
        created_at=NOW - timedelta(hours=number),
    )
    return replace(issue, **changes)


async def test_a_batch_is_stored_with_its_past(desk) -> None:
    opened, answered = NOW - timedelta(days=9), NOW - timedelta(days=8)
    old = record(
        1,
        created_at=opened,
        status=Status.RESOLVED,
        severity=Severity.HIGH,
        assignee="mira",
        resolved_at=NOW - timedelta(days=7),
        resolution="Roller replaced.",
        reopened_count=1,
        messages=[
            ImportedMessage(Sender.CUSTOMER, "It works, thanks", NOW - timedelta(days=7)),
            ImportedMessage(Sender.SUPPORT, "Replace the roller.", answered, "mira"),
        ],
    )

    result = await desk.bulk.accept([old])

    async with desk.database.read() as uow:
        issue = await uow.issues.get(result.stored[0])
        messages = await uow.conversations.of_issue(issue.id)
        customer = await uow.customers.by_email("ada@example.com")
        events = await uow.events.after(0, 10)
        outbox = await uow.outbox.pending(10)
    assert (issue.created_at, issue.resolved_at) == (opened, NOW - timedelta(days=7))
    assert (issue.severity, issue.severity_model_version) == (Severity.HIGH, "import")
    assert (issue.status, issue.assignee, issue.reopened_count) == (Status.RESOLVED, "mira", 1)
    assert issue.resolution == "Roller replaced."
    assert issue.first_responded_at == answered
    assert not issue.critical
    assert [m.message for m in messages] == [
        old.description,
        "Replace the roller.",
        "It works, thanks",
    ]
    assert (customer.total_issues, customer.created_at) == (1, opened)
    assert customer.last_contact_at == NOW - timedelta(days=7)
    # The past is no news: nobody is told, and nothing is proposed for what is over.
    assert (events, outbox) == ([], [])


async def test_repeating_an_import_adds_nothing(desk) -> None:
    batch = [record(n) for n in range(1, 6)]
    first = await desk.bulk.accept(batch[:3])
    second = await desk.bulk.accept([*batch, batch[4]])

    assert (len(first.stored), len(second.stored), second.skipped) == (3, 2, 4)
    async with desk.database.read() as uow:
        customer = await uow.customers.by_email("ada@example.com")
        assert await uow.issues.count() == 5
        assert customer.total_issues == 5
        page = await uow.issues.page(IssueFilter(sort="oldest"))
    numbers = sorted(item.issue.number for item in page.items)
    assert numbers == list(range(numbers[0], numbers[0] + 5))


async def test_open_issues_are_judged_and_get_replies_proposed(desk) -> None:
    result = await desk.bulk.accept(
        [record(1, description="All our customer data is gone, deleted by your update!")]
    )
    async with desk.database.read() as uow:
        issue = await uow.issues.get(result.stored[0])
        queued = await uow.outbox.pending(10)
    assert issue.severity is Severity.HIGH
    assert issue.severity_reasons
    assert issue.critical
    assert issue.criticality_due_at is not None
    assert [(m.queue, m.body["issue_id"]) for m in queued] == [
        ("recommendation_generation", str(issue.id))
    ]


async def test_a_customers_run_of_open_issues_is_seen_within_a_batch_and_across(desk) -> None:
    first = await desk.bulk.accept([record(1), record(2)])
    second = await desk.bulk.accept([record(3), record(4, status=Status.CLOSED)])
    async with desk.database.read() as uow:
        early = await uow.issues.get(first.stored[0])
        late = await uow.issues.get(second.stored[0])
    assert "customer-run" not in {reason["code"] for reason in early.critical_reasons}
    assert "customer-run" in {reason["code"] for reason in late.critical_reasons}


async def test_what_was_imported_is_found_as_similar(desk) -> None:
    result = await desk.bulk.accept(
        [record(1), record(2, title="Invoice", description="The invoice is wrong.")]
    )
    # As a running desk does it, in this process or another.
    assert await IndexKeeper(desk.database, desk.analysis, StoppedClock()).catch_up() == 2
    hits = await desk.analysis.similar("Paper jam", "The paper jams in the tray")
    assert [hit.issue_id for hit in hits][:1] == result.stored[:1]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("title", {"title": "x" * 501}),
        ("title", {"title": " "}),
        ("description", {"description": "x" * 20_001}),
        ("description", {"description": "bell \x07"}),
        ("email", {"email": "nobody"}),
        ("created_at", {"created_at": NOW + timedelta(days=3)}),
        ("resolved_at", {"resolved_at": NOW - timedelta(days=3)}),
        ("external_id", {"external_id": "x" * 201}),
        ("messages", {"messages": [ImportedMessage(Sender.SUPPORT, "x" * 20_001, NOW)]}),
    ],
)
async def test_a_bad_record_is_refused_with_its_field_and_the_rest_is_stored(
    desk, field, changes
) -> None:
    result = await desk.bulk.accept([record(1, **changes), record(2)])
    assert [refusal.field for refusal in result.refused] == [field]
    assert len(result.stored) == 1
    assert result.skipped == 0


async def test_an_import_outlives_a_broken_analysis(desk, tmp_path) -> None:
    class Broken(AnalysisEngine):
        async def assess_many(self, texts):
            raise RuntimeError("out of memory")

    broken = Broken.load(tmp_path, lambda: RULES, with_encoder=False)
    bulk = BulkIntake(
        desk.database, broken, lambda: RULES, lambda: TARGETS, StoppedClock(), IdGenerator()
    )
    result = await bulk.accept([record(1, description="I smell gas and there is smoke")])
    async with desk.database.read() as uow:
        issue = await uow.issues.get(result.stored[0])
        missing = await uow.index_entries.missing(desk.analysis.fingerprint, 10)
    assert issue.severity_reasons
    # The index keeper makes the entry once analysis is back.
    assert [one.id for one in missing] == result.stored
    await broken.close()
