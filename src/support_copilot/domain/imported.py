"""An issue of another desk or of the past, as an import brings it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from support_copilot.domain.conversation import Sender
from support_copilot.domain.issue import Channel, Severity, Status


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    sender: Sender
    text: str
    created_at: datetime
    author: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedIssue:
    """One record; ``severity`` is what the other desk decided, None to let it be judged.

    ``messages`` come after the description, oldest first. ``external_id`` makes an import that
    is repeated or resumed skip what is there already.
    """

    external_id: str
    email: str
    name: str
    title: str
    description: str
    created_at: datetime
    channel: Channel = Channel.IMPORT
    status: Status = Status.OPEN
    severity: Severity | None = None
    assignee: str | None = None
    messages: list[ImportedMessage] = field(default_factory=list)
    resolved_at: datetime | None = None
    resolution: str | None = None
    reopened_count: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record was not stored: the field and a sentence that says what to do.

    ``line`` is where the record stands in its file, where it came from one.
    """

    external_id: str | None
    field: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a batch: ids stored, how many were there already, what was refused."""

    stored: list[int] = field(default_factory=list)
    skipped: int = 0
    refused: list[Refusal] = field(default_factory=list)
