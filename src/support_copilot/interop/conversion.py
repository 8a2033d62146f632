"""Turns a row of another desk into an issue of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Any, TypeVar

from support_copilot.domain.conversation import Sender
from support_copilot.domain.imported import ImportedIssue, ImportedMessage, Refusal
from support_copilot.domain.issue import TITLE_MAX, Channel, Status
from support_copilot.interop.mapping import Mapping, flatten
from support_copilot.interop.reading import Row
from support_copilot.interop.values import UNDECIDED, as_list, clean, is_missing, parse_moment, word
from support_copilot.ports import Clock

#: Reserved by RFC 2606: nothing sent there reaches anybody.
PLACEHOLDER_DOMAIN = "import.invalid"
TITLE_WORDS_MAX = 80
_UNSAFE = re.compile(r"[^a-z0-9_]+")
_TEXT_KEYS = ("text", "message", "body", "content", "plain_body", "body_text")
_SENDER_KEYS = ("sender", "role", "sender_type", "author_type", "from")
_TIME_KEYS = ("created_at", "at", "timestamp", "date", "created")
T = TypeVar("T")


class _Refused(Exception):
    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(slots=True)
class Converter:
    """Converts rows by a mapping; ``removed`` counts control characters taken out of texts.

    ``left_out`` counts rows that the mapping's ``where`` does not want.
    """

    mapping: Mapping
    clock: Clock
    removed: int = field(default=0, init=False)
    left_out: int = field(default=0, init=False)

    def convert(self, row: Row) -> ImportedIssue | Refusal | None:
        """Return the issue of a row, why there is none, or None for a row not wanted."""
        if row.error is not None:
            return Refusal(None, "row", row.error, row.line)
        values = flatten(row.values)
        if not self.mapping.wants(values):
            self.left_out += 1
            return None
        reader = _RowReader(self, values)
        external_id = reader.external_id()
        try:
            return reader.issue(external_id)
        except _Refused as refused:
            return Refusal(external_id, refused.name, refused.message, row.line)


class _RowReader:
    def __init__(self, converter: Converter, row: MappingType[str, Any]) -> None:
        self._converter = converter
        self._mapping = converter.mapping
        self._row = row

    def external_id(self) -> str:
        value = self._mapping.read("external_id", self._row)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # A row without an id is known again by what it says.
        own = f"row-{self._digest()}" if value is None else self._clean(str(value)).strip()
        return f"{self._mapping.source}:{own}" if self._mapping.source else own

    def issue(self, external_id: str) -> ImportedIssue:
        created_at = self._moment("created_at") or self._converter.clock.now()
        title, description, messages = self._texts(created_at)
        email, name = self._customer(external_id)
        resolution = self._text("resolution")
        answer = self._text("answer")
        if answer and not any(message.sender is Sender.SUPPORT for message in messages):
            messages.append(ImportedMessage(Sender.SUPPORT, answer, created_at))
        resolution = resolution or answer
        resolved_at = self._moment("resolved_at")
        severity = self._word("severity", self._mapping.severities)
        return ImportedIssue(
            external_id=external_id,
            email=email,
            name=name,
            title=title,
            description=description,
            created_at=created_at,
            channel=self._channel(),
            status=self._word("status", self._mapping.statuses)
            or (Status.RESOLVED if resolution or resolved_at else Status.OPEN),
            severity=severity,
            assignee=self._text("assignee"),
            messages=messages,
            resolved_at=resolved_at,
            resolution=resolution,
            reopened_count=self._count("reopened_count"),
        )

    def _texts(self, created_at: datetime) -> tuple[str, str, list[ImportedMessage]]:
        title = " ".join((self._text("title") or "").split())
        description = self._text("description") or ""
        messages = self._messages(created_at)
        first = next((m for m in messages if m.sender is Sender.CUSTOMER), None)
        if first is not None and description in {"", first.text}:
            description = first.text
            messages.remove(first)
        if not description and not title:
            raise _Refused("description", "neither a title nor a description nor a message")
        description = description or title
        if not title:
            title = _first_words(description)
        if len(title) > TITLE_MAX:
            description = f"{title}\n\n{description}"
            title = f"{title[: TITLE_MAX - 1]}…"
        return title, description, messages

    def _messages(self, created_at: datetime) -> list[ImportedMessage]:
        value = self._mapping.read("messages", self._row)
        if value is None:
            return []
        try:
            entries = as_list(value)
        except ValueError as error:
            raise _Refused("messages", str(error)) from None
        return [
            message
            for place, entry in enumerate(entries, 1)
            if (message := self._message(place, entry, created_at)) is not None
        ]

    def _message(self, place: int, entry: Any, created_at: datetime) -> ImportedMessage | None:
        if not isinstance(entry, dict):
            raise _Refused("messages", f"message {place} must be an object with sender and text")
        text = self._clean(str(_first(entry, _TEXT_KEYS) or ""))
        if not text.strip():
            return None
        said = _first(entry, _SENDER_KEYS)
        sender = self._mapping.senders.get(word(said))
        if sender is None:
            raise _Refused(
                "messages",
                f"message {place}: {str(said)[:40]!r} is no sender known here; give it under"
                " [sender] in the mapping",
            )
        moment = _first(entry, _TIME_KEYS)
        try:
            at = created_at if moment is None else self._parse(moment)
        except ValueError as error:
            raise _Refused("messages", f"message {place}: {error}") from None
        author = _first(entry, ("author",)) if sender is Sender.SUPPORT else None
        return ImportedMessage(
            sender, text, at, None if author is None else self._clean(str(author))
        )

    def _customer(self, external_id: str) -> tuple[str, str]:
        said = self._text("email")
        name = self._text("name")
        if said is None:
            email = f"record-{_slug(external_id)}@{PLACEHOLDER_DOMAIN}"
            return email, name or "Unknown customer"
        if "@" in said[1:]:
            called, email = parseaddr(said)
            if not email:
                raise _Refused("email", f"{said[:60]!r} is not an address such as ada@example.com")
            return email, name or called or _name_of(email)
        return f"{_slug(said)}@{PLACEHOLDER_DOMAIN}", name or said

    def _channel(self) -> Channel:
        said = self._mapping.read("channel", self._row)
        return self._mapping.channels.get(word(said), Channel.IMPORT)

    def _word(self, name: str, words: MappingType[str, T]) -> T | None:
        said = self._mapping.read(name, self._row)
        if said is None or (key := word(said)) in UNDECIDED:
            return None
        if (found := words.get(key)) is None:
            raise _Refused(
                name,
                f"{str(said)[:40]!r} is no {name} known here; say what it means under [{name}]"
                " in the mapping",
            )
        return found

    def _count(self, name: str) -> int:
        said = self._mapping.read(name, self._row)
        try:
            return max(0, int(float(said or 0)))
        except (ValueError, OverflowError, TypeError):
            raise _Refused(name, f"{str(said)[:40]!r} is not a number") from None

    def _moment(self, name: str) -> datetime | None:
        said = self._mapping.read(name, self._row)
        if said is None:
            return None
        try:
            return self._parse(said)
        except ValueError as error:
            raise _Refused(name, str(error)) from None

    def _parse(self, value: Any) -> datetime:
        return parse_moment(value, self._mapping.date_format)

    def _text(self, name: str) -> str | None:
        value = self._mapping.read(name, self._row)
        if isinstance(value, list):
            raise _Refused(name, "is a list, not a text")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return None if value is None else self._clean(str(value)) or None

    def _clean(self, text: str) -> str:
        cleaned, removed = clean(text)
        self._converter.removed += removed
        return cleaned

    def _digest(self) -> str:
        data = repr(sorted(self._row.items())).encode("utf-8", "backslashreplace")
        return hashlib.sha256(data).hexdigest()[:32]


def _first(entry: MappingType[str, Any], keys: tuple[str, ...]) -> Any:
    return next((entry[key] for key in keys if not is_missing(entry.get(key))), None)


def _first_words(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= TITLE_WORDS_MAX:
        return line
    cut = line[: TITLE_WORDS_MAX - 1]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut}…"


def _slug(text: str) -> str:
    slug = _UNSAFE.sub("-", text.casefold()).strip("-")
    if slug and len(slug) <= 48 and slug == text.strip().casefold():
        return slug
    # What the slug leaves out must still tell two people apart.
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{slug[:40].strip('-')}-{digest}".strip("-")


def _name_of(email: str) -> str:
    words = re.split(r"[._\-+]+", email.split("@", maxsplit=1)[0])
    return " ".join(w.capitalize() for w in words if w) or email
