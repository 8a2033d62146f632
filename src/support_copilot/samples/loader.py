"""Loads the sample company, so that a fresh desk has something to show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Protocol

from support_copilot.domain.conversation import Sender
from support_copilot.domain.imported import BulkResult, ImportedIssue, ImportedMessage
from support_copilot.domain.issue import Channel, Severity, Status
from support_copilot.domain.recommendation import Template
from support_copilot.ports import Clock, Database, Ids

BATCH = 50

Progress = Callable[[int, int], None]


class Bulk(Protocol):
    async def accept(self, records: Sequence[ImportedIssue]) -> BulkResult: ...


async def load(
    bulk: Bulk,
    database: Database,
    clock: Clock,
    ids: Ids,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Load the sample issues and templates, their times counted back from now.

    Does nothing to a desk that has templates or other issues; a load that was interrupted is
    finished. Returns how many issues were stored; ``progress`` hears how many are done of all.
    """
    now = clock.now()
    records = list(sample_issues(now))
    async with database.read() as uow:
        known = await uow.issues.known_external_ids([record.external_id for record in records])
        if await uow.templates.all() or await uow.issues.count() > len(known):
            return 0
    stored = 0
    for start in range(0, len(records), BATCH):
        progress(start, len(records))
        stored += len((await bulk.accept(records[start : start + BATCH])).stored)
    # The templates come last and together: where they are, the samples were loaded.
    async with database.write() as uow:
        for row in _rows("templates.jsonl"):
            await uow.templates.add(
                Template(ids.new(), row["title"], row["text"], row["category"], created_at=now)
            )
    progress(len(records), len(records))
    return stored


def sample_issues(now: datetime) -> Iterator[ImportedIssue]:
    """Yield the sample issues, the oldest first; what is still open is left to be judged."""
    company = json.loads((files(__package__) / "data" / "company.json").read_text("utf-8"))
    staff = {person["key"]: person["name"] for person in (*company["executives"], company["lead"])}
    names = {row["email"]: row["name"] for row in _rows("customers.jsonl")}
    for row in sorted(_rows("issues.jsonl"), key=lambda row: -row["opened_hours_ago"]):
        opened = now - timedelta(hours=row["opened_hours_ago"])
        status = Status(row["status"])
        resolved = row["resolved_after_minutes"]
        yield ImportedIssue(
            external_id=f"sample-{row['key']}",
            email=row["customer"],
            name=names[row["customer"]],
            title=row["title"],
            description=row["description"],
            created_at=opened,
            channel=Channel(row["channel"]),
            status=status,
            severity=None if status.is_open else Severity(row["severity"]),
            assignee=staff.get(row["assignee"]),
            messages=[
                ImportedMessage(
                    Sender(message["sender"]),
                    message["text"],
                    min(now, opened + timedelta(minutes=message["after_minutes"])),
                    staff.get(message["author"]),
                )
                for message in row["messages"]
            ],
            resolved_at=None if resolved is None else opened + timedelta(minutes=resolved),
            resolution=row["resolution"],
            reopened_count=row["reopened"],
        )


def _rows(name: str) -> list[dict[str, Any]]:
    text = (files(__package__) / "data" / name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line]
