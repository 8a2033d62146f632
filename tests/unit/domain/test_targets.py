from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from support_copilot.domain.issue import Severity
from support_copilot.domain.targets import Target, Targets, TargetsError, parse_duration

DEFAULT = (files("support_copilot.defaults") / "targets.toml").read_text("utf-8")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_the_shipped_targets():
    targets = Targets.parse(DEFAULT)
    assert targets.target(Severity.HIGH) == Target(hours(1), hours(8))
    assert targets.target(Severity.NORMAL) == Target(hours(4), hours(24))
    assert targets.target(Severity.LOW) == Target(hours(8), hours(40))
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert targets.calendar_of(Severity.HIGH).is_open(saturday)
    assert not targets.calendar_of(Severity.NORMAL).is_open(saturday)


def test_a_day_is_as_long_as_the_business_day_or_24_hours_around_the_clock():
    text = DEFAULT.replace('"09:00-17:00"', '"08:00-12:00", "13:00-24:00"')
    targets = Targets.parse(text.replace('"8 h"', '"1 day"'))
    assert targets.target(Severity.LOW).resolution == hours(75)
    assert targets.target(Severity.HIGH).resolution == hours(24)


def test_holidays_by_date_and_by_country():
    text = DEFAULT.replace("holidays = []", 'holidays = [2026-12-24]\ncountry = "DE"')
    targets = Targets.parse(text, lambda country, _, year: {date(year, 12, 25)})
    start = datetime(2026, 12, 23, 16, tzinfo=UTC)
    assert targets.calendar.add(start, hours(2)) == datetime(2026, 12, 28, 10, tzinfo=UTC)


def test_every_mistake_is_listed():
    text = """
        colour = "red"
        [calendar]
        time_zone = "Europe/Berlin"
        holidays = ["Christmas"]
        subdivision = "BY"
        [calendar.hours]
        monday = ["9-5"]
        tuesday = "09:00-17:00"
        wednesday = ["09:00-25:00"]
        funday = []
        [targets.HIGH]
        first_response = "soon"
        resolution = "0 h"
        around_the_clock = "yes"
        [targets.NORMAL]
        first_response = "2 days"
        resolution = "1 day"
        [targets.URGENT]
        """
    with pytest.raises(TargetsError) as caught:
        Targets.parse(text)
    expected = (
        "colour", "calendar.holidays", "calendar.subdivision", "calendar.hours.monday",
        "calendar.hours.tuesday", "calendar.hours.wednesday", "calendar.hours.funday",
        "targets.HIGH.first_response", "targets.HIGH.resolution", "targets.HIGH.around_the_clock",
        "targets.NORMAL.resolution", "targets.LOW", "targets.URGENT",
    )  # fmt: skip
    assert len(caught.value.mistakes) == len(expected)
    for place in expected:
        assert any(mistake.startswith(f"{place} ") for mistake in caught.value.mistakes), place
        assert place in str(caught.value)


def unknown(country, subdivision, year):
    raise KeyError(country)


@pytest.mark.parametrize(
    ("text", "holiday_dates", "says"),
    [
        ("[calendar", None, "not TOML"),
        ("", None, "calendar is missing"),
        (DEFAULT.replace('"UTC"', '"Mars/Olympus"'), None, "Mars/Olympus"),
        (DEFAULT.replace('"UTC"', "1"), None, "time_zone"),
        (DEFAULT.replace('"09:00-17:00"', ""), None, "no business hours"),
        (DEFAULT.replace("holidays = []", 'country = "DE"'), None, "country"),
        (DEFAULT.replace("holidays = []", 'country = "XX"'), unknown, "XX"),
        (DEFAULT.replace("holidays = []", "country = 49"), unknown, "code in quotes"),
    ],
)
def test_a_file_that_cannot_be_used(text, holiday_dates, says):
    with pytest.raises(TargetsError, match=says):
        Targets.parse(text, holiday_dates)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30 min", 30),
        ("90min", 90),
        ("1 h 30 min", 90),
        ("2 hours", 120),
        ("1 day", 480),
        ("3 business days", 1440),
        ("1d 1h", 540),
    ],
)
def test_durations(text, minutes):
    assert parse_duration(text, hours(8)) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "0 h", "h", "4", "4 weeks", "-1 h", "4 h!", "9" * 30 + " h"])
def test_what_is_no_duration(text):
    assert parse_duration(text) is None
