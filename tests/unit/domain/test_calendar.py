from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.calendar import BusinessCalendar

OFFICE = {day: [(time(9), time(17))] for day in range(5)}
ALL_DAY = {day: [(time(), time())] for day in range(7)}
BERLIN = ZoneInfo("Europe/Berlin")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def office() -> BusinessCalendar:
    return BusinessCalendar("UTC", OFFICE, frozenset({date(2026, 5, 1)}))


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-03-02 10:00", 4, "2026-03-02 14:00"),
        ("2026-03-02 10:00", 7, "2026-03-02 17:00"),
        ("2026-03-02 16:00", 2, "2026-03-03 10:00"),
        ("2026-03-02 03:00", 1, "2026-03-02 10:00"),
        ("2026-03-02 19:00", 1, "2026-03-03 10:00"),
        ("2026-03-06 16:00", 2, "2026-03-09 10:00"),
        ("2026-03-07 12:00", 1, "2026-03-09 10:00"),
        ("2026-04-30 16:00", 2, "2026-05-04 10:00"),
        ("2026-12-31 16:00", 2, "2027-01-01 10:00"),
        ("2026-03-07 12:00", 0, "2026-03-07 12:00"),
    ],
)
def test_add_counts_only_open_hours(office, start, duration, end):
    assert office.add(utc(start), hours(duration)) == utc(end)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02 10:00", "2026-03-02 12:30", 2.5),
        ("2026-03-06 16:00", "2026-03-09 10:00", 2),
        ("2026-03-07 00:00", "2026-03-08 23:00", 0),
        ("2026-04-27 00:00", "2026-05-04 00:00", 32),
        ("2026-03-03 10:00", "2026-03-02 10:00", 0),
        # 2016-2025 hold 2609 days from Monday to Friday, and the calendar knows no holiday there.
        ("2016-01-01 00:00", "2026-01-01 00:00", 2609 * 8),
    ],
)
def test_between_counts_only_open_hours(office, start, end, expected):
    assert office.between(utc(start), utc(end)) == hours(expected)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02 08:59", False),
        ("2026-03-02 09:00", True),
        ("2026-03-02 16:59", True),
        ("2026-03-02 17:00", False),
        ("2026-03-07 12:00", False),
        ("2026-05-01 12:00", False),
    ],
)
def test_open_hours(office, moment, is_open):
    assert office.is_open(utc(moment)) is is_open


def test_hours_are_local_before_and_after_the_clocks_change():
    calendar = BusinessCalendar("Europe/Berlin", OFFICE)
    friday = datetime(2026, 3, 27, 16, tzinfo=BERLIN)
    assert calendar.add(friday, hours(2)) == datetime(2026, 3, 30, 10, tzinfo=BERLIN)
    assert calendar.is_open(utc("2026-03-27 08:00"))
    assert calendar.is_open(utc("2026-03-30 07:00"))
    assert not calendar.is_open(utc("2026-03-27 07:00"))


@pytest.mark.parametrize(("day", "length"), [(29, 23), (28, 24)])
def test_a_day_on_which_the_clocks_go_forward_is_an_hour_shorter(day, length):
    all_day = BusinessCalendar("Europe/Berlin", ALL_DAY)
    start = datetime(2026, 3, day, tzinfo=BERLIN)
    end = datetime(2026, 3, day + 1, tzinfo=BERLIN)
    assert all_day.between(start, end) == hours(length)


def test_hours_within_the_skipped_and_the_repeated_hour_never_overlap():
    night = {day: [(time(1), time(2, 30)), (time(2, 30), time(4))] for day in range(7)}
    calendar = BusinessCalendar("Europe/Berlin", night)
    for day, length in ((date(2026, 3, 29), 2), (date(2026, 10, 25), 4), (date(2026, 10, 26), 3)):
        start = datetime.combine(day, time(), BERLIN)
        end = datetime.combine(day + timedelta(days=1), time(), BERLIN)
        assert calendar.between(start, end) == hours(length)


def test_holidays_of_a_year_are_asked_once():
    asked = []

    def holidays_of(year):
        asked.append(year)
        return {date(year, 12, 25)}

    calendar = BusinessCalendar("UTC", OFFICE, holidays_of=holidays_of)
    for _ in range(3):
        assert calendar.add(utc("2026-12-24 16:00"), hours(2)) == utc("2026-12-28 10:00")
    assert asked == [2026]


def test_around_the_clock():
    calendar = BusinessCalendar(always_open=True)
    saturday = utc("2026-03-07 23:00")
    assert calendar.is_open(saturday)
    assert calendar.add(saturday, hours(2)) == utc("2026-03-08 01:00")
    assert calendar.between(saturday, utc("2026-03-08 01:00")) == hours(2)


@pytest.mark.parametrize(
    ("timezone", "spans", "says"),
    [
        ("UTC", {}, "no business hours"),
        ("UTC", {0: []}, "no business hours"),
        ("UTC", {0: [(time(17), time(9))]}, "end before they start"),
        ("UTC", {0: [(time(9), time(12)), (time(11), time(17))]}, "overlap"),
        ("UTC", {7: [(time(9), time(12))]}, "weekday"),
        ("Europe/Atlantis", OFFICE, "Atlantis"),
        ("../etc/passwd", OFFICE, "time zone"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(timezone, spans, says):
    with pytest.raises(ValueError, match=says):
        BusinessCalendar(timezone, spans)


def test_a_calendar_of_holidays_alone_gives_up():
    every_day = [date(2026, 1, 1) + timedelta(days=day) for day in range(400)]
    calendar = BusinessCalendar("UTC", {0: [(time(9), time(17))]}, frozenset(every_day))
    assert calendar.add(utc("2026-01-01 09:00"), hours(1)) == utc("2027-02-08 10:00")
    closed = BusinessCalendar(
        "UTC",
        OFFICE,
        holidays_of=lambda year: {date(year, 1, 1) + timedelta(n) for n in range(366)},
    )
    with pytest.raises(ValueError, match="50 years"):
        closed.add(utc("2026-01-01 09:00"), hours(1))


def test_negative_durations_are_refused(office):
    with pytest.raises(ValueError, match="negative"):
        office.add(utc("2026-01-01 09:00"), hours(-1))


CALENDARS = [
    BusinessCalendar("UTC", OFFICE),
    BusinessCalendar("Europe/Berlin", OFFICE, frozenset({date(2026, 5, 1)})),
    BusinessCalendar("America/New_York", {6: [(time(0, 30), time(2, 30)), (time(13), time())]}),
    BusinessCalendar("America/Santiago", ALL_DAY),
    BusinessCalendar("Australia/Lord_Howe", {6: [(time(1), time(2, 10))]}),
    BusinessCalendar(always_open=True),
]
calendars = st.sampled_from(CALENDARS)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
durations = st.timedeltas(timedelta(0), timedelta(days=60))


@given(calendars, moments, durations)
def test_between_inverts_add(calendar, start, duration):
    assert calendar.between(start, calendar.add(start, duration)) == duration


@given(calendars, moments, moments)
def test_add_inverts_between_up_to_closed_time(calendar, one, other):
    start, end = sorted((one, other))
    used = calendar.between(start, end)
    reached = calendar.add(start, used)
    assert reached <= end
    assert calendar.between(reached, end) == timedelta(0)


@given(calendars, moments, moments, durations, durations)
def test_more_is_never_earlier(calendar, one, other, short, long):
    start, later = sorted((one, other))
    short, long = sorted((short, long))
    assert calendar.add(start, short) <= calendar.add(start, long)
    if short:
        assert calendar.add(start, short) <= calendar.add(later, short)
    assert calendar.between(start, later) <= later - start
