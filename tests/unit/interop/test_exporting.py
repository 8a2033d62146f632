import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from support_copilot.analysis.engine import AnalysisEngine
from support_copilot.domain.conversation import Sender
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.imported import ImportedIssue, ImportedMessage
from support_copilot.domain.issue import Channel, Severity, Status
from support_copilot.domain.recommendation import Recommendation, Verdict
from support_copilot.domain.severity_rules import SeverityRules
from support_copilot.domain.summary import ConversationSummary, Summary, SummarySentence
from support_copilot.domain.targets import Targets
from support_copilot.interop.conversion import Converter
from support_copilot.interop.exporting import export_issues
from support_copilot.interop.mapping import Mapping
from support_copilot.interop.reading import read_records
from support_copilot.issues.bulk_intake import BulkIntake
from support_copilot.ports import Database
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
    bulk: BulkIntake
    ids: IdGenerator

    async def read(self, path: Path):
        converter = Converter(Mapping.build(), StoppedClock())
        return await self.bulk.accept([converter.convert(row) for row in read_records(path)])


async def _desk(folder: Path) -> AsyncIterator[Desk]:
    engine = SqliteEngine(folder / "desk.db")
    await upgrade(engine)
    database, ids = SqlDatabase(engine), IdGenerator()
    analysis = AnalysisEngine.load(folder, lambda: RULES, with_encoder=False)
    bulk = BulkIntake(database, analysis, lambda: RULES, lambda: TARGETS, StoppedClock(), ids)
    yield Desk(database, bulk, ids)
    await analysis.close()
    await database.close()


@pytest.fixture
async def desk(tmp_path_factory):
    async for one in _desk(tmp_path_factory.mktemp("first")):
        yield one


@pytest.fixture
async def other_desk(tmp_path_factory):
    async for one in _desk(tmp_path_factory.mktemp("second")):
        yield one


def record(number: int) -> ImportedIssue:
    opened = NOW - timedelta(days=number + 1)
    return ImportedIssue(
        external_id=f"T-{number}",
        email=f"person{number % 3}@example.com",
        name="Ada Lovelace",
        title='=HYPERLINK("x")',
        description="Zeile eins\nline two, \u202e emoji \U0001f600 'quoted' \"twice\"",
        created_at=opened,
        channel=Channel.EMAIL,
        status=Status.CLOSED if number % 2 else Status.IN_PROGRESS,
        severity=Severity.LOW,
        assignee="mira",
        messages=[
            ImportedMessage(Sender.SUPPORT, "Try this.", opened + timedelta(hours=1), "mira"),
            ImportedMessage(Sender.CUSTOMER, "Thanks!", opened + timedelta(hours=2)),
        ],
        resolved_at=opened + timedelta(hours=3) if number % 2 else None,
        resolution="Tried it." if number % 2 else None,
        reopened_count=number % 3,
    )


async def test_json_lines_come_back_as_they_went(desk, other_desk, tmp_path) -> None:
    heard: list[int] = []
    await desk.bulk.accept([record(n) for n in range(250)])

    assert await export_issues(desk.database, tmp_path / "a.jsonl", progress=heard.append) == 250
    result = await other_desk.read(tmp_path / "a.jsonl")
    await export_issues(other_desk.database, tmp_path / "b.jsonl")

    assert (len(result.stored), result.refused) == (250, [])
    first, second = (list(read_records(tmp_path / name)) for name in ("a.jsonl", "b.jsonl"))
    unlike = {"number"}
    assert [{k: v for k, v in r.values.items() if k not in unlike} for r in first] == [
        {k: v for k, v in r.values.items() if k not in unlike} for r in second
    ]
    assert first[0].values["created_at"] < first[-1].values["created_at"]
    assert heard[-1] == 250
    assert sorted(p.name for p in tmp_path.glob("*jsonl*")) == ["a.jsonl", "b.jsonl"]


async def test_verdicts_and_summaries_go_along(desk, tmp_path) -> None:
    issue_id = (await desk.bulk.accept([record(1)])).stored[0]
    async with desk.database.write() as uow:
        reply = Recommendation(desk.ids.new(), issue_id, "Try {this}", 0.8, NOW)
        await uow.recommendations.add([reply])
        reply.verdict, reply.final_text = Verdict.EDITED, "Try that"
        reply.decided_by, reply.decided_at = "mira", NOW
        await uow.recommendations.save_verdict(reply)
        sentence = SummarySentence("The paper jams.", (1,))
        content = ConversationSummary((sentence,), (), (), (), "v1")
        await uow.summaries.add(Summary(desk.ids.new(), issue_id, content, 3, NOW))

    await export_issues(desk.database, tmp_path / "a.jsonl")

    values = next(read_records(tmp_path / "a.jsonl")).values
    assert values["recommendations"][0]["verdict"] == "edited"
    assert values["recommendations"][0]["final_text"] == "Try that"
    assert values["summary"]["problem"] == ["The paper jams."]


async def test_csv_runs_no_formula_in_a_spreadsheet(desk, tmp_path) -> None:
    await desk.bulk.accept([record(1)])
    await export_issues(desk.database, tmp_path / "a.csv", "csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["title"] == '\'=HYPERLINK("x")'
    assert rows[0]["description"] == record(1).description
    assert rows[0]["external_id"] == "T-1"
