from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.criticality import assess
from support_copilot.domain.customer import CustomerHistory, IssueBrief
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.domain.targets import Targets

TARGETS = Targets.parse((files("support_copilot.defaults") / "targets.toml").read_text("utf-8"))
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOBODY = CustomerHistory()


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def issue(**changes) -> Issue:
    made = Issue(
        id=1, number=1, customer_id=1, title="No sound", description="The speaker is silent.",
        severity=Severity.NORMAL, status=Status.OPEN, created_at=MONDAY, updated_at=MONDAY,
    )  # fmt: skip
    return replace(made, **changes)


def codes(judged) -> list[str]:
    return [reason.code.value for reason in judged.reasons]


def test_a_new_normal_issue_is_not_critical_and_says_when_to_look_again():
    judged = assess(issue(), NOBODY, TARGETS, MONDAY)
    assert not judged.critical
    assert judged.reasons == ()
    assert judged.first_response_due_at == MONDAY + hours(4)
    assert judged.resolution_due_at == datetime(2026, 3, 4, 17, tzinfo=UTC)
    assert judged.due_at == MONDAY + hours(3)


def test_a_high_issue_is_critical_as_long_as_it_is_open():
    judged = assess(issue(severity=Severity.HIGH), NOBODY, TARGETS, MONDAY)
    assert judged.critical
    assert codes(judged) == ["severity-high"]
    assert judged.due_at == MONDAY + timedelta(minutes=45)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (hours(2.99), []),
        (hours(3), ["first-response-near"]),
        (hours(4), ["first-response-missed"]),
        # Tuesday evening: 16 of 24 business hours are used; Wednesday 11:00: 18.
        (timedelta(days=1, hours=10), ["first-response-missed"]),
        (timedelta(days=2, hours=2), ["first-response-missed", "resolution-near"]),
        (timedelta(days=2, hours=8), ["first-response-missed", "resolution-missed"]),
        (timedelta(days=900), ["first-response-missed", "resolution-missed"]),
    ],
)
def test_waiting_is_measured_in_business_time(after, expected):
    assert codes(assess(issue(), NOBODY, TARGETS, MONDAY + after)) == expected


def test_an_answer_stops_the_first_response_target_only():
    answered = issue(first_responded_at=MONDAY + hours(1))
    judged = assess(answered, NOBODY, TARGETS, MONDAY + hours(5))
    assert not judged.critical
    assert judged.due_at == datetime(2026, 3, 4, 11, tzinfo=UTC)


def test_reasons_name_the_moments_and_the_target():
    judged = assess(issue(), NOBODY, TARGETS, MONDAY + hours(4))
    (reason,) = judged.reasons
    assert reason.text == (
        "No answer since 2026-03-02 09:00 UTC; the first-response target for NORMAL,"
        " 4 h of business time, passed on 2026-03-02 13:00 UTC."
    )
    assert reason.since == MONDAY + hours(4)


def test_a_target_around_the_clock_is_not_called_business_time():
    judged = assess(issue(severity=Severity.HIGH), NOBODY, TARGETS, MONDAY + hours(0.8))
    assert codes(judged) == ["severity-high", "first-response-near"]
    assert judged.reasons[1].text == (
        "No answer since 2026-03-02 09:00 UTC; the first-response target for HIGH, 1 h,"
        " passes on 2026-03-02 10:00 UTC."
    )


@pytest.mark.parametrize(("times", "expected"), [(1, []), (2, ["reopened"]), (5, ["reopened"])])
def test_repeated_reopening(times, expected):
    assert codes(assess(issue(reopened_count=times), NOBODY, TARGETS, MONDAY)) == expected


def test_a_third_open_issue_is_a_run_since_it_came():
    earlier = MONDAY - timedelta(days=60)
    brief = IssueBrief(2, 2, "Slow", Status.OPEN, Severity.LOW, False, earlier)
    history = CustomerHistory(
        by_status={Status.OPEN: 1, Status.IN_PROGRESS: 1, Status.CLOSED: 9},
        open_issues=[brief, replace(brief, id=3)],
    )
    judged = assess(issue(), history, TARGETS, MONDAY)
    assert codes(judged) == ["customer-run"]
    assert judged.reasons[0].since == MONDAY
    one_open = CustomerHistory(by_status={Status.OPEN: 1, Status.CLOSED: 9})
    assert not assess(issue(), one_open, TARGETS, MONDAY).critical


def test_a_third_issue_within_a_week_is_a_run_that_is_looked_at_again():
    history = CustomerHistory(by_status={Status.CLOSED: 2}, issues_last_7_days=2)
    answered = issue(first_responded_at=MONDAY)
    judged = assess(answered, history, TARGETS, MONDAY)
    assert codes(judged) == ["customer-run"]
    assert judged.due_at == MONDAY + timedelta(days=1)
    late = assess(answered, history, TARGETS, MONDAY + timedelta(days=7))
    assert "customer-run" not in codes(late)


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_a_finished_issue_is_never_critical(status):
    finished = issue(severity=Severity.HIGH, status=status, reopened_count=9)
    history = CustomerHistory(by_status={Status.OPEN: 9}, issues_last_7_days=9)
    judged = assess(finished, history, TARGETS, MONDAY + timedelta(days=30))
    assert not judged.critical
    assert judged.reasons == ()
    assert judged.due_at is None


def test_applying_tells_which_reasons_are_new():
    changed = issue()
    assert assess(changed, NOBODY, TARGETS, MONDAY).apply_to(changed) == set()
    near = assess(changed, NOBODY, TARGETS, MONDAY + hours(3))
    assert near.apply_to(changed) == {"first-response-near"}
    assert changed.critical
    assert changed.criticality_due_at == MONDAY + hours(4)
    assert changed.critical_reasons[0]["since"] == "2026-03-02T12:00:00+00:00"
    assert near.apply_to(changed) == set()
    missed = assess(changed, NOBODY, TARGETS, MONDAY + hours(4))
    assert missed.apply_to(changed) == {"first-response-missed"}


facts = st.builds(
    issue,
    severity=st.sampled_from(Severity),
    status=st.sampled_from(Status),
    reopened_count=st.integers(0, 3),
    first_responded_at=st.sampled_from([None, MONDAY + hours(1)]),
)
histories = st.builds(
    CustomerHistory,
    by_status=st.dictionaries(st.sampled_from(Status), st.integers(0, 3)),
    issues_last_7_days=st.integers(0, 4),
)
elapsed = st.timedeltas(timedelta(0), timedelta(days=15))


@given(facts, histories, elapsed, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_it_is_due(one, history, after, share):
    now = MONDAY + after
    judged = assess(one, history, TARGETS, now)
    until = judged.due_at or now + timedelta(days=400)
    assert until > now
    again = assess(one, history, TARGETS, now + (until - now) * share)
    if now + (until - now) * share < until:
        assert again.critical == judged.critical
        assert codes(again) == codes(judged)


@given(facts, elapsed)
def test_the_clock_is_asked_a_few_times_in_an_issues_life(one, after):
    now, asked = MONDAY + after, 0
    while (due_at := assess(one, NOBODY, TARGETS, now).due_at) is not None:
        now, asked = due_at, asked + 1
    assert asked <= 4
