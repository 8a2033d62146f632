"""The values of other desks in our words: moments, statuses, severities, senders."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from support_copilot.domain.conversation import Sender
from support_copilot.domain.issue import Channel, Severity, Status

STATUSES: dict[str, Status] = {
    **dict.fromkeys(("open", "new", "reopened", "unconfirmed", "todo", "to do"), Status.OPEN),
    **dict.fromkeys(
        (
            "in progress",
            "pending",
            "hold",
            "on hold",
            "waiting",
            "waiting on customer",
            "waiting on third party",
            "assigned",
            "active",
            "started",
            "snoozed",
        ),
        Status.IN_PROGRESS,
    ),
    **dict.fromkeys(("resolved", "solved", "fixed", "done", "answered"), Status.RESOLVED),
    **dict.fromkeys(("closed", "archived", "duplicate", "wontfix", "cancelled"), Status.CLOSED),
}
SEVERITIES: dict[str, Severity] = {
    **dict.fromkeys(
        (
            "high",
            "blocker",
            "critical",
            "urgent",
            "major",
            "highest",
            "emergency",
            "severe",
            "p0",
            "p1",
            "p2",
        ),
        Severity.HIGH,
    ),
    **dict.fromkeys(("normal", "medium", "moderate", "default", "p3"), Severity.NORMAL),
    **dict.fromkeys(
        ("low", "lowest", "minor", "trivial", "enhancement", "very low", "p4", "p5"), Severity.LOW
    ),
}
#: What desks write where nobody decided.
UNDECIDED = frozenset({"", "-", "--", "---", "none", "null", "nan", "n/a", "unspecified", "unset"})
CHANNELS: dict[str, Channel] = {
    **{channel.value: channel for channel in Channel},
    **dict.fromkeys(("web", "form", "web form", "widget", "help center"), Channel.PORTAL),
    **dict.fromkeys(("mail", "e mail"), Channel.EMAIL),
    **dict.fromkeys(("messaging", "live chat", "whatsapp", "sms"), Channel.CHAT),
    **dict.fromkeys(("voice", "call", "telephone"), Channel.PHONE),
    **dict.fromkeys(("twitter", "x", "facebook", "instagram", "social media"), Channel.SOCIAL),
}
SENDERS: dict[str, Sender] = {
    **dict.fromkeys(
        ("customer", "user", "client", "end user", "requester", "visitor", "contact", "lead"),
        Sender.CUSTOMER,
    ),
    **dict.fromkeys(
        ("support", "agent", "assistant", "staff", "operator", "executive", "admin", "teammate"),
        Sender.SUPPORT,
    ),
}
# Control characters that no store keeps faithfully, and halves of characters.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_SPACED = re.compile(r"[\s_\-]+")
_OFFSET_APART = re.compile(r"(\d)\s+([+-]\d\d:?\d\d|Z)$")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?)?$")
_DATE_HELP = (
    "is no moment known here; write it as 2026-03-02T09:00:00Z, or give date_format in the mapping"
)


def word(value: Any) -> str:
    """Return a value as the maps above are keyed: ``In-Progress`` is ``in progress``."""
    return _SPACED.sub(" ", str(value)).strip().casefold()


def is_missing(value: Any) -> bool:
    """Tell whether a cell says nothing; NaN is what tables hold for nothing."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def clean(text: str) -> tuple[str, int]:
    """Return the text without control characters, and how many there were."""
    return _CONTROL.subn("", text)


def parse_moment(value: Any, date_format: str | None = None) -> datetime:
    """Return a moment in UTC; one without a time zone is taken as UTC.

    Takes ISO 8601, epoch seconds, milliseconds and microseconds, RFC 2822, Twitter's
    ``Tue Oct 31 22:50:15 +0000 2017`` and ``31.10.2017 22:50``; ``date_format`` is tried first,
    as in ``datetime.strptime``. Raises ValueError with what to do.
    """
    try:
        moment = _moment(value, date_format)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise ValueError(f"{str(value)[:60]!r} {_DATE_HELP}") from None
    if moment.year < 1970:
        raise ValueError(f"{str(value)[:60]!r} lies before 1970")
    return moment


def _moment(value: Any, date_format: str | None) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float):
        return _epoch(float(value))
    text = str(value).strip()
    if date_format is not None:
        # A format without %z gives a naive moment, which the caller takes as UTC.
        return datetime.strptime(text, date_format)  # noqa: DTZ007
    if re.fullmatch(r"\d{9,17}(\.\d+)?", text):
        return _epoch(float(text))
    if (german := _GERMAN.fullmatch(text)) is not None:
        day, month, year, hour, minute, second = (int(part or 0) for part in german.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    try:
        return datetime.fromisoformat(_OFFSET_APART.sub(r"\1\2", text))
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")
    except ValueError:
        return parsedate_to_datetime(text)


def _epoch(number: float) -> datetime:
    if number > 1e14:
        number /= 1e6
    elif number > 1e11:
        number /= 1e3
    return datetime.fromtimestamp(number, UTC)


def as_list(value: Any) -> list[Any]:
    """Return a list given as such or as JSON text. Raises ValueError."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        return found
    raise ValueError('must be a list such as [{"sender": "CUSTOMER", "text": "…"}]')
