from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from support_copilot.analysis.engine import AnalysisEngine
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.targets import Targets
from support_copilot.issues.bulk_intake import BulkIntake
from support_copilot.ports import IssueFilter
from support_copilot.samples import loader
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DEFAULTS = files("support_copilot.defaults")


class StoppedClock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
async def desk(tmp_path):
    engine = SqliteEngine(tmp_path / "desk.db")
    await upgrade(engine)
    database = SqlDatabase(engine)
    rules = SeverityRules.parse((DEFAULTS / "severity_rules.toml").read_text("utf-8"))
    targets = Targets.parse((DEFAULTS / "targets.toml").read_text("utf-8"))
    analysis = AnalysisEngine.load(tmp_path, lambda: rules, with_encoder=False)
    ids = IdGenerator()
    bulk = BulkIntake(database, analysis, lambda: rules, lambda: targets, StoppedClock(), ids)
    yield database, bulk, ids
    await analysis.close()
    await database.close()


async def test_the_sample_company_is_loaded_once(desk) -> None:
    database, bulk, ids = desk
    heard = []

    stored = await loader.load(
        bulk, database, StoppedClock(), ids, lambda *done: heard.append(done)
    )
    again = await loader.load(bulk, database, StoppedClock(), ids)

    assert stored >= 150
    assert again == 0
    assert heard[0] == (0, stored)
    assert heard[-1] == (stored, stored)
    async with database.read() as uow:
        assert await uow.issues.count() == stored
        assert len(await uow.templates.all()) >= 20
        newest = (await uow.issues.page(IssueFilter(sort="newest", limit=1))).items[0]
        assert NOW - timedelta(hours=2) < newest.issue.created_at < NOW
        returning = await uow.customers.by_email(newest.customer.email)
        assert returning is not None
        own = await uow.issues.page(IssueFilter(customer_id=returning.id, limit=200))
        assert returning.total_issues == len(own.items)


async def test_nothing_in_the_samples_is_refused_or_lies_in_the_future(desk) -> None:
    _, bulk, _ = desk
    records = list(loader.sample_issues(NOW))

    result = await bulk.accept(records)

    assert result.refused == []
    assert len(result.stored) == len(records)
    for record in records:
        moments = [m.created_at for m in record.messages]
        assert moments == sorted(moments)
        assert all(record.created_at <= moment <= NOW for moment in moments)
        assert record.resolved_at is None or record.resolved_at <= NOW


async def test_an_interrupted_load_is_finished(desk) -> None:
    database, bulk, ids = desk
    records = list(loader.sample_issues(NOW))
    await bulk.accept(records[:60])

    assert await loader.load(bulk, database, StoppedClock(), ids) == len(records) - 60


async def test_a_desk_with_issues_of_its_own_gets_no_samples(desk) -> None:
    database, bulk, ids = desk
    own = replace(next(loader.sample_issues(NOW)), external_id="T-1")
    await bulk.accept([own])

    assert await loader.load(bulk, database, StoppedClock(), ids) == 0
    async with database.read() as uow:
        assert await uow.issues.count() == 1
