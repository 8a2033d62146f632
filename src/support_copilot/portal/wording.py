"""Figures, moments and codes in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

STATUS = {
    "OPEN": "Open",
    "IN_PROGRESS": "In progress",
    "RESOLVED": "Resolved",
    "CLOSED": "Closed",
}
SEVERITY = {"LOW": "Low", "NORMAL": "Normal", "HIGH": "High"}
_VERDICT = {
    "accepted": "Sent as proposed",
    "edited": "Sent after changes",
    "rejected": "Not used",
}
_SNIPPET = 160
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """``text`` such as "first answer due in 2 h"; ``at`` is the exact moment."""

    text: str
    at: datetime
    tone: str


def duration(seconds: float) -> str:
    """Return the one or two largest units: ``3 d 4 h``, ``12 min``, ``under a minute``."""
    left = int(seconds)
    parts: list[str] = []
    for name, size in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts) or "under a minute"


def moment(value: str | datetime) -> str:
    at = _parsed(value).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def ago(value: str, now: datetime) -> str:
    return f"{duration((now - _parsed(value)).total_seconds())} ago"


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", "\N{NARROW NO-BREAK SPACE}%")


def snippet(text: str) -> str:
    """Return the beginning on one line."""
    line = " ".join(text[: _SNIPPET * 4].split())
    if len(line) <= _SNIPPET:
        return line
    return line[:_SNIPPET].rsplit(" ", 1)[0].rstrip(".,;:") + "…"


def time_left(issue: Mapping[str, Any], now: datetime) -> TimeLeft | None:
    """Say what is due next on an issue of the API, None where nothing is promised."""
    targets = issue["targets"]
    if issue["status"] not in {"OPEN", "IN_PROGRESS"}:
        if targets["resolved_at"] is None:
            return None
        at = _parsed(targets["resolved_at"])
        return TimeLeft(f"Resolved {ago(targets['resolved_at'], now)}", at, "done")
    promise = "Resolution" if targets["first_responded_at"] else "First answer"
    due = targets["resolution_due_at" if promise == "Resolution" else "first_response_due_at"]
    if due is None:
        return None
    at = _parsed(due)
    left = at - now
    if left < timedelta():
        return TimeLeft(f"{promise} {duration(-left.total_seconds())} late", at, "late")
    tone = "soon" if left < timedelta(hours=1) else "calm"
    return TimeLeft(f"{promise} due in {duration(left.total_seconds())}", at, tone)


def verdict(feedback: Mapping[str, Any]) -> str:
    said = _VERDICT[feedback["verdict"]]
    by = f" by {feedback['decided_by']}" if feedback["decided_by"] else ""
    reason = f": {feedback['reason']}" if feedback["reason"] else ""
    return f"{said}{by}{reason}"


def _parsed(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
