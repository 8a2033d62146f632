"""Which column of a foreign file means which field of ours."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from support_copilot.domain.conversation import Sender
from support_copilot.domain.issue import Channel, Severity, Status
from support_copilot.interop.values import (
    CHANNELS,
    SENDERS,
    SEVERITIES,
    STATUSES,
    is_missing,
    word,
)

#: The names under which desks keep what we look for, the most telling first.
WELL_KNOWN: dict[str, tuple[str, ...]] = {
    "external_id": (
        "external_id",
        "ticket_id",
        "issue_id",
        "case_id",
        "tweet_id",
        "doc_id",
        "id",
        "key",
    ),
    "email": (
        "email",
        "customer.email",
        "requester_email",
        "requester.email",
        "submitter_email",
        "customer_email",
        "from",
        "author_id",
        "requester_id",
        "customer_id",
    ),
    "name": (
        "name",
        "customer.name",
        "requester.name",
        "requester_name",
        "customer_name",
        "full_name",
    ),
    "title": ("title", "subject", "summary"),
    "description": (
        "description",
        "body",
        "text",
        "message",
        "content",
        "instruction",
        "question",
    ),
    "created_at": ("created_at", "created", "date", "created_on", "opened_at", "timestamp"),
    "channel": ("channel", "via.channel"),
    "status": ("status", "state"),
    "severity": ("severity", "priority"),
    "assignee": ("assignee", "assigned_to", "assignee.name", "agent", "owner"),
    "messages": ("messages", "turns_json", "turns", "conversation", "comments"),
    "answer": ("answer", "response", "reply"),
    "resolution": ("resolution", "resolution_notes"),
    "resolved_at": ("resolved_at", "resolved", "solved_at", "closed_at"),
    "reopened_count": ("reopened_count", "reopens", "reopenings"),
}
FIELDS = tuple(WELL_KNOWN)

_VALUE_TABLES = ("status", "severity", "channel", "sender")
_TOP_KEYS = frozenset({"columns", "date_format", "source", "where", *_VALUE_TABLES})
_SIGNS = re.compile(r"[^\w.]|_")
E = TypeVar("E", Status, Severity, Channel, Sender)


class MappingError(ValueError):
    """A mapping that cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Overrides of what is found by well-known names.

    ``columns`` maps our fields to columns (``customer.email`` reaches into nested objects) and
    ``constants`` to a value for every row. ``where`` keeps only rows whose column has the value.
    ``source`` is put before every external id, so that two desks with the same numbers do not
    meet. The value tables are keyed by the words of the other desk in lower case.
    """

    columns: MappingType[str, str] = field(default_factory=dict)
    constants: MappingType[str, str] = field(default_factory=dict)
    where: MappingType[str, str] = field(default_factory=dict)
    source: str | None = None
    date_format: str | None = None
    statuses: MappingType[str, Status] = field(default_factory=lambda: STATUSES)
    severities: MappingType[str, Severity] = field(default_factory=lambda: SEVERITIES)
    channels: MappingType[str, Channel] = field(default_factory=lambda: CHANNELS)
    senders: MappingType[str, Sender] = field(default_factory=lambda: SENDERS)

    @classmethod
    def build(
        cls,
        assignments: Sequence[str] = (),
        toml: str | None = None,
        *,
        source: str | None = None,
        where: Sequence[str] = (),
    ) -> Mapping:
        """Read ``field=column`` and ``field==constant``, which win over a mapping file.

        Raises MappingError.
        """
        data = _parse(toml) if toml is not None else {}
        columns: dict[str, str] = {}
        constants: dict[str, str] = {}
        for name, column in (
            *_pairs(data, "columns"),
            *(_assignment(text, "--map") for text in assignments),
        ):
            _check_field(name)
            constants.pop(name, None)
            columns.pop(name, None)
            if column.startswith("="):
                constants[name] = column[1:]
            else:
                columns[name] = column
        return cls(
            columns=columns,
            constants=constants,
            where=dict(_pairs(data, "where"))
            | dict(_assignment(text, "--where") for text in where),
            source=source or data.get("source"),
            date_format=data.get("date_format"),
            statuses=STATUSES | _words(data, "status", Status),
            severities=SEVERITIES | _words(data, "severity", Severity),
            channels=CHANNELS | _words(data, "channel", Channel),
            senders=SENDERS | _words(data, "sender", Sender),
        )

    def check(self, rows: Iterable[MappingType[str, Any]]) -> None:
        """Raise MappingError for a column that none of the rows has, with the likeliest one."""
        known = {name for row in rows for name in flatten(row)}
        for column in (*self.columns.values(), *self.where):
            if known and column not in known:
                close = difflib.get_close_matches(column, known, 1, 0.5)
                hint = f"did you mean {close[0]!r}?" if close else ""
                there = ", ".join(sorted(known))
                raise MappingError(f"There is no column {column!r}; {hint} There are: {there}.")

    def wants(self, row: MappingType[str, Any]) -> bool:
        """Tell whether a row is to be imported; ``row`` is flattened."""
        return all(word(row.get(name, "")) == word(value) for name, value in self.where.items())

    def read(self, name: str, row: MappingType[str, Any]) -> Any:
        """Return a field of a flattened row, None where it says nothing."""
        if name in self.constants:
            return self.constants[name]
        if name in self.columns:
            value = row.get(self.columns[name])
            return None if is_missing(value) else value
        plain = {_plain(column): column for column in row}
        for known in WELL_KNOWN[name]:
            column = plain.get(_plain(known))
            if column is not None and not is_missing(row[column]):
                return row[column]
        return None

    def found(self, rows: Iterable[MappingType[str, Any]]) -> dict[str, str]:
        """Return which column each field is read from in these rows, for people to check."""
        columns = {_plain(name): name for row in rows for name in flatten(row)}
        chosen = {
            name: next((columns[_plain(k)] for k in known if _plain(k) in columns), "")
            for name, known in WELL_KNOWN.items()
        }
        constants = {name: f"={value}" for name, value in self.constants.items()}
        return {
            name: column
            for name, column in (chosen | dict(self.columns) | constants).items()
            if column
        }


def flatten(row: MappingType[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested objects as dotted names: ``{"customer": {"email": …}}``."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


@cache
def _plain(name: str) -> str:
    return _SIGNS.sub("", name).casefold()


def _parse(toml: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"the mapping is not TOML: {error}") from error
    if unknown := data.keys() - _TOP_KEYS:
        raise MappingError(
            f"the mapping has an unknown key {min(unknown)!r}; known are"
            f" {', '.join(sorted(_TOP_KEYS))}"
        )
    for name in ("date_format", "source"):
        if not isinstance(data.get(name, ""), str):
            raise MappingError(f"{name} in the mapping must be a text")
    return data


def _pairs(data: MappingType[str, Any], table: str) -> Iterator[tuple[str, str]]:
    pairs = data.get(table, {})
    if not isinstance(pairs, dict):
        raise MappingError(f"[{table}] in the mapping must be a table")
    for name, value in pairs.items():
        if not isinstance(value, str):
            raise MappingError(f"[{table}] {name} in the mapping must be a text")
        yield name, value


def _assignment(text: str, option: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not equals or not name or not column:
        raise MappingError(f"{option} {text!r}: write it as NAME=VALUE")
    return name.strip(), column


def _check_field(name: str) -> None:
    if name not in FIELDS:
        close = difflib.get_close_matches(name, FIELDS, 1, 0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise MappingError(f"There is no field {name!r}; {hint}Fields are {', '.join(FIELDS)}.")


def _words(data: MappingType[str, Any], table: str, kind: type[E]) -> dict[str, E]:
    found: dict[str, E] = {}
    for theirs, ours in _pairs(data, table):
        try:
            found[word(theirs)] = kind(ours if kind is Channel else ours.upper())
        except ValueError:
            allowed = ", ".join(kind)
            raise MappingError(
                f"[{table}] {theirs} = {ours!r} in the mapping: use one of {allowed}"
            ) from None
    return found
