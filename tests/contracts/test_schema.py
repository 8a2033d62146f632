"""The schema is the specification's, its migrations make it, and its indexes are used."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.customer import Customer
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.ports import IssueFilter
from support_copilot.storage import tables
from support_copilot.storage.issue_pages import page_statement
from support_copilot.storage.migrate import alembic_config, head_revision, upgrade
from support_copilot.storage.tables import metadata
from support_copilot.storage.unit_of_work import SqlDatabase

ids = IdGenerator()
SPECIFIED = {
    "customers": {"id", "email", "name", "created_at", "total_issues"},
    "issues": {
        "id",
        "customer_id",
        "title",
        "description",
        "severity",
        "status",
        "created_at",
        "updated_at",
    },
    "conversations": {"id", "issue_id", "message", "sender_type", "created_at"},
    "recommendations": {"id", "issue_id", "template_text", "confidence_score", "created_at"},
}


async def test_the_four_tables_have_the_specified_columns(engine):
    def inspect(connection):
        found = sa.inspect(connection)
        return {name: {c["name"]: c for c in found.get_columns(name)} for name in SPECIFIED}

    found = await engine.run_sync(inspect)
    for name, columns in SPECIFIED.items():
        assert columns <= found[name].keys()
    assert found["issues"]["title"]["type"].length == 500
    score = found["recommendations"]["confidence_score"]["type"]
    assert (score.precision, score.scale) == (3, 2)
    if engine.dialect == "mysql":
        for name in SPECIFIED:
            assert str(found[name]["id"]["type"]).startswith("BIGINT")


async def test_the_migrations_make_the_tables_the_code_declares(engine):
    def compare(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    def ours(difference) -> bool:
        # The search index and Alembic's own table are not declared in Python.
        return "issue_search" not in str(difference) and "ix_issues_search" not in str(difference)

    differences = [item for item in await engine.run_sync(compare) if ours(item)]
    assert differences == []


def test_the_numbered_migrations_are_one_line():
    script = ScriptDirectory.from_config(alembic_config())
    assert script.get_heads() == [head_revision()]


async def test_bad_values_are_refused_by_the_database_itself(engine):
    now, customer = datetime.now(UTC), ids.new()
    row = {
        "customer_id": customer,
        "title": "t",
        "description": "d",
        "created_at": now,
        "updated_at": now,
        "channel": "api",
        "severity_confidence": 0.5,
        "severity_reasons": [],
        "severity_model_version": "",
        "critical": False,
        "critical_reasons": [],
        "reopened_count": 0,
        "attention": 0,
        "version": 1,
    }
    async with engine.transaction() as connection:
        await connection.run(
            tables.customers.insert(),
            {"id": customer, "email": "a@example.com", "name": "A", "created_at": now},
        )
    for number, bad in enumerate(
        [
            {"severity": "URGENT", "status": "OPEN"},
            {"severity": "LOW", "status": "DONE"},
            {"severity": "LOW", "status": "OPEN", "customer_id": 1},
        ]
    ):
        with pytest.raises(Exception, match=r"refused|CONSTRAINT|constraint"):
            async with engine.transaction() as connection:
                await connection.run(
                    tables.issues.insert(), {**row, "id": ids.new(), "number": number, **bad}
                )


async def test_a_downgrade_takes_everything_away_and_an_upgrade_brings_it_back(engine):
    await upgrade(engine)

    def downgrade(connection):
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        return set(sa.inspect(connection).get_table_names()) - {"alembic_version"}

    assert await engine.run_sync(downgrade) <= {"sqlite_sequence"}
    assert (await upgrade(engine))[1] == "0001"


LISTS = {
    "inbox": {},
    "next page": {"cursor": True},
    "newest": {"sort": "newest"},
    "oldest, next page": {"sort": "oldest", "cursor": True},
    "open": {"statuses": (Status.OPEN,)},
    "open, newest": {"statuses": (Status.OPEN,), "sort": "newest"},
    "high": {"severities": (Severity.HIGH,)},
    "critical": {"critical": True},
    "of a customer": {"customer_id": 1},
    "mine": {"assignee": "mira"},
    "unassigned": {"unassigned": True},
    "a range": {"created_from": datetime(2026, 3, 1, tzinfo=UTC), "sort": "newest"},
    "searched": {"text": "router"},
}


async def test_every_list_is_served_by_an_index(engine):
    await _fill(engine, 2_000)
    for name, given in LISTS.items():
        wanted = dict(given)
        if wanted.pop("cursor", False):
            wanted["cursor"] = await _some_cursor(engine, wanted)
        plan = await explained(
            engine, page_statement(IssueFilter(limit=10, **wanted), engine.dialect)
        )
        assert not scans(plan), (name, plan)


LOOK_UPS = {
    "customer by e-mail": sa.select(tables.customers).where(tables.customers.c.email == "a"),
    "issue by number": sa.select(tables.issues).where(tables.issues.c.number == 5),
    "issue by external id": sa.select(tables.issues).where(tables.issues.c.external_id == "a"),
    "what is due": sa.select(tables.issues.c.id)
    .where(tables.issues.c.criticality_due_at <= datetime(2026, 1, 1, tzinfo=UTC))
    .order_by(tables.issues.c.criticality_due_at)
    .limit(10),
    "messages": sa.select(tables.conversations)
    .where(tables.conversations.c.issue_id == 1, tables.conversations.c.id > 0)
    .order_by(tables.conversations.c.id),
    "recommendations": sa.select(tables.recommendations)
    .where(tables.recommendations.c.issue_id == 1)
    .order_by(tables.recommendations.c.created_at, tables.recommendations.c.rank),
    "summary": sa.select(tables.summaries)
    .where(tables.summaries.c.issue_id == 1)
    .order_by(tables.summaries.c.id.desc())
    .limit(1),
    "api key": sa.select(tables.api_keys).where(tables.api_keys.c.secret_hash == "a"),
    "session": sa.select(tables.sessions).where(tables.sessions.c.token_hash == "a"),
    "first answer by key": sa.select(tables.intakes).where(tables.intakes.c.idempotency_key == "a"),
    "events": sa.select(tables.events).where(tables.events.c.id > 5).order_by(tables.events.c.id),
    "index entries": sa.select(tables.index_entries)
    .where(tables.index_entries.c.sequence > 5)
    .order_by(tables.index_entries.c.sequence)
    .limit(10),
    "labels": sa.select(tables.labels).where(tables.labels.c.kind == "a"),
    "history": sa.select(sa.func.count())
    .select_from(tables.issues)
    .where(tables.issues.c.customer_id == 1)
    .group_by(tables.issues.c.status),
}


async def test_every_look_up_is_served_by_an_index(engine):
    await _fill(engine, 2_000)
    for name, statement in LOOK_UPS.items():
        plan = await explained(engine, statement)
        assert not scans(plan), (name, plan)


async def explained(engine, statement) -> list[str]:
    """Run the statement as the product would, then ask how it was run."""
    prefix = "EXPLAIN QUERY PLAN " if engine.dialect == "sqlite" else "EXPLAIN "

    def work(connection) -> list[str]:
        sent = []

        def remember(_connection, _cursor, text, parameters, _context, _many) -> None:
            sent.append((text, parameters))

        sa.event.listen(connection, "before_cursor_execute", remember)
        connection.execute(statement).all()
        sa.event.remove(connection, "before_cursor_execute", remember)
        text, parameters = sent[0]
        return [str(tuple(row)) for row in connection.exec_driver_sql(prefix + text, parameters)]

    return await engine.run_sync(work)


def scans(plan: list[str]) -> bool:
    """A full scan of a table; walking an index in its order is what a list should do."""
    for line in plan:
        if re.search(r"SCAN (?!.*USING)(?!.*VIRTUAL)", line):
            return True
        if "USE TEMP B-TREE FOR ORDER BY" in line:
            return not any("issue_search" in other for other in plan)
        if "'ALL'" in line:
            return True
    return False


async def _fill(engine, count: int) -> None:
    """Store issues of several customers, one in ten of them open, and tell the planner."""
    now, shapes = datetime(2026, 3, 1, tzinfo=UTC), list(Severity)
    database = SqlDatabase(engine)
    async with database.write() as uow:
        people = [
            Customer(ids.new(), f"customer{i}@example.com", "Ada", now) for i in range(count // 8)
        ]
        await uow.customers.add_many(people)
        number = await uow.issues.take_numbers(count)
        made = [
            Issue(
                id=ids.new(),
                number=number + i,
                customer_id=people[i % len(people)].id,
                title=f"Router {i} drops the line",
                description="It stops every evening. " * 20,
                severity=shapes[i % 3],
                status=Status.OPEN if i % 10 == 0 else Status.CLOSED,
                critical=i % 20 == 0,
                assignee=f"executive{i % 7}" if i % 3 else None,
                external_id=f"crm-{i}",
                created_at=now + timedelta(minutes=i),
                updated_at=now + timedelta(minutes=i),
            )
            for i in range(count)
        ]
        await uow.issues.add_many(made)
        await uow.conversations.add_many(
            [Message(ids.new(), issue.id, "hello", Sender.CUSTOMER, now) for issue in made]
        )
    async with engine.transaction() as connection:
        names = ["issues", "customers", "conversations"]
        for name in names:
            sql = f"ANALYZE {name}" if engine.dialect == "sqlite" else f"ANALYZE TABLE {name}"
            if engine.dialect == "sqlite":
                await connection.run(sa.text(sql))
            else:
                await connection.rows(sa.text(sql))


async def _some_cursor(engine, wanted) -> str:
    async with SqlDatabase(engine).read() as uow:
        page = await uow.issues.page(IssueFilter(limit=10, **wanted))
    assert page.next_cursor is not None
    return page.next_cursor
