"""Business time: how much of it passes between two moments, and when so much has passed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

_ZERO = timedelta()
_HORIZON_YEARS = 50
_MIDNIGHT = time()

Hours = Mapping[int, Sequence[tuple[time, time]]]
"""Opening hours by weekday (0 is Monday); an end of 00:00 is the midnight that ends the day."""


@dataclass(frozen=True, slots=True)
class _Year:
    """The open intervals of a local year, in UTC; ``until[i]`` sums their time up to the i-th."""

    starts: list[datetime]
    ends: list[datetime]
    until: list[timedelta]

    @property
    def total(self) -> timedelta:
        return self.until[-1] if self.until else _ZERO

    def used(self, moment: datetime) -> timedelta:
        """Return the business time of this year that lies before ``moment``."""
        last = bisect_right(self.starts, moment) - 1
        if last < 0:
            return _ZERO
        return self.until[last] - max(self.ends[last] - moment, _ZERO)

    def moment(self, used: timedelta) -> datetime:
        """Return the earliest moment at which ``used`` (0 < used <= total) has passed."""
        at = bisect_left(self.until, used)
        return self.ends[at] - (self.until[at] - used)


class BusinessCalendar:
    """Opening hours in a time zone, without the holidays.

    Business time is real elapsed time: an interval that holds a change of the clocks is an hour
    longer or shorter. All moments taken and given are timezone-aware; those given are in UTC.
    ``holidays_of`` returns the further holidays of a year and is asked once a year.

    Raises ValueError for an unknown time zone, for hours that overlap or end before they start,
    and where there are no hours at all.
    """

    def __init__(
        self,
        timezone: str = "UTC",
        hours: Hours | None = None,
        holidays: AbstractSet[date] = frozenset(),
        *,
        holidays_of: Callable[[int], AbstractSet[date]] | None = None,
        always_open: bool = False,
    ) -> None:
        self.timezone = timezone
        self.always_open = always_open
        self._zone = _zone(timezone)
        self._hours = {day: sorted(spans) for day, spans in (hours or {}).items() if spans}
        self._holidays = frozenset(holidays)
        self._holidays_of = holidays_of
        self._years: dict[int, _Year] = {}
        if not always_open:
            _check(self._hours)

    @property
    def day(self) -> timedelta:
        """The length of a business day: the mean over the weekdays that have hours."""
        if self.always_open:
            return timedelta(days=1)
        spans = [_length(*span) for spans in self._hours.values() for span in spans]
        return sum(spans, _ZERO) / len(self._hours)

    def is_open(self, moment: datetime) -> bool:
        """Tell whether business time passes at ``moment``; an interval's end is closed."""
        if self.always_open:
            return True
        year = self._year(moment.astimezone(self._zone).year)
        last = bisect_right(year.starts, moment) - 1
        return last >= 0 and moment < year.ends[last]

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the business time from ``start`` to ``end``; zero where ``end`` is not later."""
        if end <= start:
            return _ZERO
        if self.always_open:
            return end.astimezone(UTC) - start.astimezone(UTC)
        first = start.astimezone(self._zone).year
        last = end.astimezone(self._zone).year
        years = sum((self._year(year).total for year in range(first, last)), _ZERO)
        return years + self._year(last).used(end) - self._year(first).used(start)

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Return the earliest moment at which ``duration`` of business time has passed.

        Raises ValueError for a negative duration, and for one that the calendar does not reach
        within 50 years.
        """
        if duration < _ZERO:
            raise ValueError(f"a duration cannot be negative: {duration}")
        start = start.astimezone(UTC)
        if self.always_open or not duration:
            return start + duration
        first = start.astimezone(self._zone).year
        used = self._year(first).used(start) + duration
        for year in range(first, first + _HORIZON_YEARS):
            table = self._year(year)
            if used <= table.total:
                return table.moment(used)
            used -= table.total
        raise ValueError(
            f"{duration} of business time after {start:%Y-%m-%d} ends more than"
            f" {_HORIZON_YEARS} years later: check the hours and the holidays"
        )

    def _year(self, year: int) -> _Year:
        table = self._years.get(year)
        if table is None:
            table = self._years[year] = self._make_year(year)
        return table

    def _make_year(self, year: int) -> _Year:
        holidays = self._holidays
        if self._holidays_of is not None:
            holidays |= self._holidays_of(year)
        starts: list[datetime] = []
        ends: list[datetime] = []
        until: list[timedelta] = []
        total = _ZERO
        for ordinal in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()):
            day = date.fromordinal(ordinal)
            if day in holidays:
                continue
            for opens, closes in self._hours.get(day.weekday(), ()):
                start, end = (
                    self._moment(day, opens),
                    self._moment(_closing_day(day, closes), closes),
                )
                if ends:
                    # Local times that a clock change skips would overlap what follows them.
                    start = max(start, ends[-1])
                if end > start:
                    total += end - start
                    starts.append(start)
                    ends.append(end)
                    until.append(total)
        return _Year(starts, ends, until)

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def _closing_day(day: date, closes: time) -> date:
    return day + timedelta(days=1) if closes == _MIDNIGHT else day


def _length(opens: time, closes: time) -> timedelta:
    some_day = date(2000, 1, 1)
    return datetime.combine(_closing_day(some_day, closes), closes) - datetime.combine(
        some_day, opens
    )


def _check(hours: Hours) -> None:
    if not hours:
        raise ValueError("there are no business hours on any day of the week")
    for day, spans in hours.items():
        if day not in range(7):
            raise ValueError(f"a weekday is 0 (Monday) to 6 (Sunday), not {day}")
        for opens, closes in spans:
            if _length(opens, closes) <= _ZERO:
                raise ValueError(f"business hours end before they start: {opens}-{closes}")
        for (_, closes), (opens, _) in pairwise(spans):
            if closes == _MIDNIGHT or opens < closes:
                raise ValueError(f"business hours overlap at {opens}")
