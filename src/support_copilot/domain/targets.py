"""The time within which each severity must get its first answer and its resolution."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from support_copilot.domain.calendar import BusinessCalendar
from support_copilot.domain.issue import Severity

HolidayDates = Callable[[str, str | None, int], AbstractSet[date]]
"""Returns the holidays of ``(country, subdivision, year)``; LookupError for an unknown place."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}
_PART = re.compile(r"(\d+)\s*(min(?:utes?)?|h(?:ours?)?|(?:business )?days?|d)\b\s*")
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_DURATION_HELP = 'a duration such as "30 min", "4 h" or "3 days"'


class TargetsError(ValueError):
    """A target file that cannot be used; ``mistakes`` holds one sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("the targets cannot be used:\n- " + "\n- ".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Target:
    """Durations of business time, counted from the issue's arrival."""

    first_response: timedelta
    resolution: timedelta


@dataclass(frozen=True, slots=True)
class Targets:
    """A target for every severity; ``around_the_clock`` are those for which all hours count."""

    by_severity: Mapping[Severity, Target]
    calendar: BusinessCalendar
    around_the_clock: AbstractSet[Severity] = frozenset()
    _always: BusinessCalendar = field(
        default_factory=lambda: BusinessCalendar(always_open=True), repr=False, compare=False
    )

    def target(self, severity: Severity) -> Target:
        return self.by_severity[severity]

    def calendar_of(self, severity: Severity) -> BusinessCalendar:
        return self._always if severity in self.around_the_clock else self.calendar

    @classmethod
    def parse(cls, text: str, holiday_dates: HolidayDates | None = None) -> Targets:
        """Read a file as ``defaults/targets.toml``.

        ``holiday_dates`` gives the public holidays where the file names a country. Raises
        TargetsError, which lists every mistake found.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TargetsError([f"this is not TOML: {error}"]) from error
        return _Reader(holiday_dates).targets(data)


class _Reader:
    """Reads a parsed file, collecting mistakes in place of stopping at the first."""

    def __init__(self, holiday_dates: HolidayDates | None) -> None:
        self._holiday_dates = holiday_dates
        self._mistakes: list[str] = []

    def targets(self, data: dict[str, Any]) -> Targets:
        self._known(data, "", {"calendar", "targets"})
        calendar = self._calendar(self._table(data, "calendar"))
        tables = self._table(data, "targets")
        self._known(tables, "targets.", set(Severity))
        around = frozenset(
            severity for severity in Severity if self._around_the_clock(tables, severity)
        )
        days = {
            severity: timedelta(days=1) if severity in around or calendar is None else calendar.day
            for severity in Severity
        }
        by_severity = {
            severity: target
            for severity in Severity
            if (target := self._target(tables, severity, days[severity])) is not None
        }
        if self._mistakes or calendar is None:
            raise TargetsError(self._mistakes)
        return Targets(by_severity, calendar, around)

    def _target(self, tables: dict[str, Any], severity: Severity, day: timedelta) -> Target | None:
        place = f"targets.{severity}"
        if severity not in tables:
            self._mistakes.append(f"{place} is missing")
            return None
        table = self._table(tables, severity, "targets.")
        self._known(table, f"{place}.", {"first_response", "resolution", "around_the_clock"})
        first = self._duration(table, place, "first_response", day)
        resolution = self._duration(table, place, "resolution", day)
        if first is None or resolution is None:
            return None
        if first > resolution:
            self._mistakes.append(f"{place}.resolution is shorter than its first_response")
        return Target(first, resolution)

    def _around_the_clock(self, tables: dict[str, Any], severity: Severity) -> bool:
        table = tables.get(severity)
        value = table.get("around_the_clock", False) if isinstance(table, dict) else False
        if not isinstance(value, bool):
            self._mistakes.append(f"targets.{severity}.around_the_clock must be true or false")
        return value is True

    def _duration(
        self, table: dict[str, Any], place: str, key: str, day: timedelta
    ) -> timedelta | None:
        value = table.get(key)
        found = parse_duration(value, day) if isinstance(value, str) else None
        if found is None:
            said = "is missing" if value is None else f"is {value!r}"
            self._mistakes.append(f"{place}.{key} {said}: give {_DURATION_HELP}")
        return found

    def _calendar(self, table: dict[str, Any]) -> BusinessCalendar | None:
        self._known(
            table, "calendar.", {"time_zone", "hours", "holidays", "country", "subdivision"}
        )
        before = len(self._mistakes)
        holidays = table.get("holidays", [])
        if not isinstance(holidays, list) or not all(_is_date(day) for day in holidays):
            self._mistakes.append("calendar.holidays must be a list of dates such as 2026-12-24")
        holidays_of = self._holidays_of(table)
        hours = self._hours(self._table(table, "hours", "calendar."))
        time_zone = table.get("time_zone", "UTC")
        if not isinstance(time_zone, str):
            self._mistakes.append('calendar.time_zone must be a name such as "Europe/Berlin"')
        if len(self._mistakes) > before:
            return None
        try:
            return BusinessCalendar(time_zone, hours, frozenset(holidays), holidays_of=holidays_of)
        except ValueError as error:
            self._mistakes.append(f"calendar: {error}")
            return None

    def _hours(self, table: dict[str, Any]) -> dict[int, list[tuple[time, time]]]:
        self._known(table, "calendar.hours.", set(_WEEKDAYS))
        hours: dict[int, list[tuple[time, time]]] = {}
        for weekday, name in enumerate(_WEEKDAYS):
            spans = table.get(name, [])
            found = [_span(span) for span in spans] if isinstance(spans, list) else [None]
            hours[weekday] = [span for span in found if span is not None]
            if None in found:
                self._mistakes.append(
                    f'calendar.hours.{name} must be a list such as ["09:00-12:30", "13:30-17:00"]'
                )
        return hours

    def _holidays_of(self, table: dict[str, Any]) -> Callable[[int], AbstractSet[date]] | None:
        country, subdivision = table.get("country"), table.get("subdivision")
        for key, value in (("country", country), ("subdivision", subdivision)):
            if value is not None and not isinstance(value, str):
                self._mistakes.append(f"calendar.{key} must be a code in quotes")
                return None
        if country is None:
            if subdivision is not None:
                self._mistakes.append("calendar.subdivision needs calendar.country")
            return None
        holiday_dates = self._holiday_dates
        if holiday_dates is None:
            self._mistakes.append("calendar.country is given, but no holidays are known here")
            return None
        try:
            # Any year will do: an unknown place is to be found now, not at the first issue.
            holiday_dates(country, subdivision, 2026)
        except LookupError:
            place = f"{country} {subdivision or ''}".strip()
            self._mistakes.append(f"calendar.country: no holidays are known for {place}")
            return None
        return lambda year: holiday_dates(country, subdivision, year)

    def _table(self, data: dict[str, Any], key: str, place: str = "") -> dict[str, Any]:
        value = data.get(key)
        if isinstance(value, dict):
            return value
        said = "is missing" if value is None else "must be a table"
        self._mistakes.append(f"{place}{key} {said}")
        return {}

    def _known(self, table: dict[str, Any], place: str, known: AbstractSet[str]) -> None:
        self._mistakes.extend(
            f"{place}{key} is not known here: use {', '.join(sorted(known))}"
            for key in table
            if key not in known
        )


def parse_duration(text: str, day: timedelta = timedelta(days=1)) -> timedelta | None:
    """Return a duration such as ``1 h 30 min``, more than zero; None for anything else.

    ``day`` is the length of what the text calls a day.
    """
    total, at = timedelta(), 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        try:
            total += int(part[1]) * _UNITS.get(part[2][0], day)
        except OverflowError:
            return None
        at = part.end()
    return total or None


def _is_date(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _span(text: object) -> tuple[time, time] | None:
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    opens_hour, opens_minute, closes_hour, closes_minute = map(int, match.groups())
    try:
        closes = (
            time() if (closes_hour, closes_minute) == (24, 0) else time(closes_hour, closes_minute)
        )
        return time(opens_hour, opens_minute), closes
    except ValueError:
        return None
