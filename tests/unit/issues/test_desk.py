"""Ending a conversation is one change with one summary to make."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from support_copilot import defaults
from support_copilot.analysis.engine import AnalysisEngine
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.identity import Identity, Role
from support_copilot.domain.issue import Status
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.targets import Targets
from support_copilot.issues.desk import Desk, IssueChange
from support_copilot.issues.intake import IntakeService, NewIssue
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase

RULES = SeverityRules.parse((files(defaults) / "severity_rules.toml").read_text("utf-8"))
TARGETS = Targets.parse((files(defaults) / "targets.toml").read_text("utf-8"))
MIRA = Identity("mira", Role.EXECUTIVE)


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
async def database(tmp_path):
    engine = SqliteEngine(tmp_path / "desk.db")
    await upgrade(engine)
    yield SqlDatabase(engine)
    await engine.close()


@pytest.fixture
async def analysis(tmp_path):
    engine = AnalysisEngine.load(tmp_path, lambda: RULES, with_encoder=False)
    yield engine
    await engine.close()


@pytest.fixture
def desk(database, analysis) -> Desk:
    return Desk(database, analysis, lambda: TARGETS, WallClock(), IdGenerator())


async def taken_in(database, analysis) -> int:
    intake = IntakeService(
        database, analysis, lambda: RULES, lambda: TARGETS, WallClock(), IdGenerator(1)
    )
    answer = await intake.accept(NewIssue("ada@example.com", "Ada", "Help", "It is slow."))
    async with database.write() as uow:
        await uow.outbox.remove([message.id for message in await uow.outbox.pending(10)])
    return answer.issue_id


async def asked_for(database) -> Counter[str]:
    async with database.read() as uow:
        return Counter(message.queue for message in await uow.outbox.pending(10))


@pytest.mark.parametrize("status", [None, Status.RESOLVED, Status.CLOSED])
async def test_the_end_asks_for_one_summary(database, analysis, desk, status):
    issue_id = await taken_in(database, analysis)
    issue = await desk.end(issue_id, MIRA, status=status, resolution="Restarted it.")
    assert issue.status is (status or Status.OPEN)
    assert issue.resolution == "Restarted it."
    assert await asked_for(database) == {"conversation_summarization": 1, "issue_analysis": 1}


async def test_resolving_asks_for_one_summary_and_nothing_else_does(database, analysis, desk):
    issue_id = await taken_in(database, analysis)
    await desk.change(issue_id, IssueChange(assignee="mira"), MIRA)
    assert await asked_for(database) == {}
    await desk.change(issue_id, IssueChange(status=Status.RESOLVED), MIRA)
    assert await asked_for(database) == {"conversation_summarization": 1, "issue_analysis": 1}
    await desk.change(issue_id, IssueChange(status=Status.RESOLVED), MIRA)
    assert (await asked_for(database))["conversation_summarization"] == 1
