"""An intake never fails because analysis did, and twins become one issue."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from support_copilot import defaults
from support_copilot.domain.errors import Conflict, KeyReused
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.issue import Severity
from support_copilot.domain.severity import SeverityAssessment
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.targets import Targets
from support_copilot.issues.intake import IntakeService, NewIssue
from support_copilot.ports import Judgement
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase
from support_copilot.web import deadline

RULES = SeverityRules.parse((files(defaults) / "severity_rules.toml").read_text("utf-8"))
TARGETS = Targets.parse((files(defaults) / "targets.toml").read_text("utf-8"))
HACKED = NewIssue("ada@example.com", "Ada", "Help", "My account was hacked.")


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Analysis:
    """Judges NORMAL after ``seconds``; raises where told to."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.asked = 0

    async def judge(self, title, description, *, limit, seconds) -> Judgement:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return Judgement(SeverityAssessment(Severity.NORMAL, 0.9, (), "fixed-1"), [])


@pytest.fixture
async def database(tmp_path):
    engine = SqliteEngine(tmp_path / "intake.db")
    await upgrade(engine)
    yield SqlDatabase(engine)
    await engine.close()


def service(database, analysis) -> IntakeService:
    return IntakeService(
        database, analysis, lambda: RULES, lambda: TARGETS, WallClock(), IdGenerator()
    )


async def stored(database) -> tuple[int, int, int]:
    async with database.read() as uow:
        customer = await uow.customers.by_email("ada@example.com")
        total = customer.total_issues if customer else 0
        return await uow.issues.count(), total, await uow.outbox.count()


@pytest.mark.parametrize("error", [RuntimeError("boom"), ConnectionError(), MemoryError()])
async def test_when_analysis_fails_the_rules_judge_and_the_answer_says_so(database, error):
    answer = await service(database, Analysis(error=error)).accept(HACKED)
    body = json.loads(answer.body)
    assert body["severity"]["level"] == "HIGH"
    assert body["severity"]["reasons"][0]["rule"] == "security-breach"
    assert body["severity"]["model_version"] == f"rules-{RULES.version}"
    assert body["degraded"] == ["severity", "similar"]
    assert (await stored(database))[0] == 1


async def test_when_analysis_hangs_the_answer_comes_before_the_requests_time_is_up(database):
    with deadline.budget(2.0):
        answer = await service(database, Analysis(seconds=60)).accept(HACKED)
        assert deadline.remaining() > 0
    assert json.loads(answer.body)["degraded"] == ["severity", "similar"]
    assert (await stored(database))[0] == 1


async def test_the_same_key_gives_the_first_answer_without_judging_again(database):
    analysis = Analysis()
    desk = service(database, analysis)
    first = await desk.accept(HACKED, key="shop:1")
    again = await desk.accept(HACKED, key="shop:1")
    assert (again.body, again.replayed, analysis.asked) == (first.body, True, 1)
    assert (await stored(database))[:2] == (1, 1)
    with pytest.raises(KeyReused):
        await desk.accept(NewIssue("ada@example.com", "Ada", "Help", "Other"), key="shop:1")
    other = await desk.accept(HACKED, key="shop:2")
    assert other.issue_id != first.issue_id


async def test_the_same_external_id_gives_the_first_answer(database):
    desk = service(database, Analysis())
    new = NewIssue("ada@example.com", "Ada", "Help", "Text", external_id="crm-1")
    first = await desk.accept(new)
    again = await desk.accept(new, key="another:key")
    assert again.body == first.body
    changed = NewIssue("ada@example.com", "Ada", "Help", "Changed", external_id="crm-1")
    with pytest.raises(Conflict) as refused:
        await desk.accept(changed)
    assert refused.value.extra["issue_id"] == str(first.issue_id)
    assert (await stored(database))[:2] == (1, 1)


async def test_twins_at_the_same_moment_become_one_issue(database):
    desk = service(database, Analysis(seconds=0.01))
    answers = await asyncio.gather(*(desk.accept(HACKED, key="shop:1") for _ in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert (await stored(database))[:2] == (1, 1)


async def test_first_issues_of_one_customer_at_the_same_moment_make_one_customer(database):
    desk = service(database, Analysis(seconds=0.01))
    addresses = ["Ada@example.com", "ada@EXAMPLE.com"] * 5
    await asyncio.gather(
        *(
            desk.accept(NewIssue(email, "Ada", f"Issue {i}", "Text"))
            for i, email in enumerate(addresses)
        )
    )
    assert (await stored(database))[:2] == (10, 10)


async def test_a_run_of_issues_makes_the_earlier_ones_due_for_another_look(database):
    desk = service(database, Analysis())
    first = await desk.accept(NewIssue("ada@example.com", "Ada", "One", "Text"))
    for title in ("Two", "Three"):
        last = await desk.accept(NewIssue("ada@example.com", "Ada", title, "Text"))
    codes = [reason["code"] for reason in json.loads(last.body)["critical_reasons"]]
    assert codes == ["customer-run"]
    async with database.read() as uow:
        due = await uow.issues.due(datetime.now(UTC), 10)
    assert first.issue_id in [issue.id for issue in due]


async def test_what_must_happen_next_is_committed_with_the_issue(database):
    await service(database, Analysis()).accept(HACKED)
    async with database.read() as uow:
        queues = [message.queue for message in await uow.outbox.pending(10)]
    assert queues == ["issue_analysis", "recommendation_generation"]
