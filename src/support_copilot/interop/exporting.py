"""Writes every issue with all that belongs to it, in a form that can be imported again."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import orjson

from support_copilot.domain.conversation import Sender
from support_copilot.domain.issue import Issue, format_number
from support_copilot.domain.recommendation import Recommendation
from support_copilot.domain.summary import Summary, SummarySentence
from support_copilot.ports import Database, IssueFilter, IssueListItem, UnitOfWork

EXPORT_FORMATS = ("jsonl", "csv")
PAGE = 200
_CSV_COLUMNS = (
    "external_id",
    "number",
    "email",
    "name",
    "title",
    "description",
    "created_at",
    "updated_at",
    "channel",
    "status",
    "severity",
    "critical",
    "assignee",
    "first_responded_at",
    "resolved_at",
    "resolution",
    "reopened_count",
    "messages",
    "summary",
)
#: A spreadsheet would run a cell that begins with these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Progress = Callable[[int], None]


async def export_issues(
    database: Database,
    path: Path,
    fmt: str = "jsonl",
    progress: Progress = lambda _written: None,
) -> int:
    """Write all issues, the oldest first, and return how many; the file appears when complete.

    ``fmt`` is one of EXPORT_FORMATS. JSON lines hold texts verbatim; in CSV, cells that a
    spreadsheet would run as a formula begin with an apostrophe. Memory does not grow with the
    number of issues. Raises OSError.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        if fmt == "csv":
            # The mark tells spreadsheets that the text is UTF-8.
            with partial.open("w", encoding="utf-8-sig", newline="") as table:
                written = await _write_csv(database, table, progress)
        else:
            with partial.open("wb") as lines:
                written = await _write_lines(database, lines, progress)
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return written


async def _write_lines(database: Database, file: BinaryIO, progress: Progress) -> int:
    written = 0
    async for record in issue_records(database):
        file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        written += 1
        progress(written)
    return written


async def _write_csv(database: Database, file: TextIO, progress: Progress) -> int:
    writer = csv.writer(file)
    writer.writerow(_CSV_COLUMNS)
    written = 0
    async for record in issue_records(database):
        writer.writerow([_cell(record[name]) for name in _CSV_COLUMNS])
        written += 1
        progress(written)
    return written


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


async def issue_records(database: Database) -> AsyncIterator[dict[str, Any]]:
    """Yield every issue as a plain object, page by page."""
    cursor: str | None = None
    while True:
        async with database.read() as uow:
            page = await uow.issues.page(
                IssueFilter(sort="oldest", limit=PAGE, cursor=cursor, whole=True)
            )
            records = [await _record(uow, item) for item in page.items]
        for record in records:
            yield record
        cursor = page.next_cursor
        if cursor is None:
            return


async def _record(uow: UnitOfWork, item: IssueListItem) -> dict[str, Any]:
    issue = item.issue
    messages = await uow.conversations.of_issue(issue.id)
    if messages and _is_opening(issue, messages[0].message, messages[0].sender_type):
        del messages[0]
    return {
        "external_id": issue.external_id or f"support-copilot-{issue.id}",
        "number": format_number(issue.number),
        "email": item.customer.email,
        "name": item.customer.name,
        "title": issue.title,
        "description": issue.description,
        "created_at": _moment(issue.created_at),
        "updated_at": _moment(issue.updated_at),
        "channel": issue.channel.value,
        "status": issue.status.value,
        "severity": issue.severity.value,
        "severity_model_version": issue.severity_model_version,
        "critical": issue.critical,
        "assignee": issue.assignee,
        "first_responded_at": _moment(issue.first_responded_at),
        "resolved_at": _moment(issue.resolved_at),
        "resolution": issue.resolution,
        "reopened_count": issue.reopened_count,
        "messages": [
            {
                "sender": message.sender_type.value,
                "text": message.message,
                "created_at": _moment(message.created_at),
                "author": message.author,
            }
            for message in messages
        ],
        "recommendations": [
            _recommendation(one)
            for one in await uow.recommendations.of_issue(issue.id, since=issue.created_at)
        ],
        "summary": _summary(await uow.summaries.latest(issue.id)),
    }


def _is_opening(issue: Issue, text: str, sender: Sender) -> bool:
    return sender is Sender.CUSTOMER and text == issue.description


def _recommendation(one: Recommendation) -> dict[str, Any]:
    return {
        "text": one.template_text,
        "confidence": one.confidence_score,
        "model_version": one.model_version,
        "verdict": one.verdict.value if one.verdict else None,
        "final_text": one.final_text,
        "reason": one.reason,
        "decided_by": one.decided_by,
        "decided_at": _moment(one.decided_at),
    }


def _summary(summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    content = summary.content
    return {
        "problem": _sentences(content.problem),
        "tried": _sentences(content.tried),
        "outcome": _sentences(content.outcome),
        "open_points": _sentences(content.open_points),
        "model_version": content.model_version,
        "created_at": _moment(summary.created_at),
    }


def _sentences(sentences: tuple[SummarySentence, ...]) -> list[str]:
    return [sentence.text for sentence in sentences]


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
