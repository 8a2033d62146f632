import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.conversation import Sender
from support_copilot.domain.imported import ImportedIssue, Refusal
from support_copilot.domain.issue import Channel, Severity, Status
from support_copilot.interop.conversion import Converter
from support_copilot.interop.mapping import Mapping, MappingError
from support_copilot.interop.reading import Row
from support_copilot.interop.values import parse_moment

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HALLOWEEN = datetime(2017, 10, 31, 22, 50, 15, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


def convert(row, *assignments, **options) -> ImportedIssue | Refusal | None:
    return Converter(Mapping.build(assignments, **options), StoppedClock()).convert(Row(7, row))


TICKET = {"id": 5, "subject": "No signal", "body": "Since noon.", "email": "ada.l@example.com"}


def test_a_ticket_is_understood_without_any_mapping() -> None:
    issue = convert(
        {
            "Ticket ID": "42",
            "Subject": "No signal",
            "Content": "Since noon.",
            "Requester Email": "ada.lovelace@example.com",
            "Created At": "2017-10-31T22:50:15Z",
            "State": "Pending",
            "Priority": "Urgent",
            "Assigned To": "mira",
            "Channel": "Twitter",
        }
    )
    assert isinstance(issue, ImportedIssue)
    assert (issue.external_id, issue.title, issue.description) == ("42", "No signal", "Since noon.")
    assert (issue.email, issue.name) == ("ada.lovelace@example.com", "Ada Lovelace")
    assert (issue.status, issue.severity) == (Status.IN_PROGRESS, Severity.HIGH)
    assert (issue.assignee, issue.channel) == ("mira", Channel.SOCIAL)
    assert issue.created_at == HALLOWEEN


def test_nested_objects_are_reached_with_dots() -> None:
    issue = convert({"id": 1, "title": "x", "customer": {"email": "a@b.de", "name": "Ada"}})
    assert (issue.email, issue.name) == ("a@b.de", "Ada")
    issue = convert({"id": 1, "title": "x", "who": {"at": "a@b.de"}}, "email=who.at")
    assert issue.email == "a@b.de"


def test_overrides_win_over_well_known_names_and_constants_over_all() -> None:
    row = TICKET | {"betreff": "Kein Netz", "status": "open"}
    assert convert(row, "title=betreff").title == "Kein Netz"
    assert convert(row, "status==closed").status is Status.CLOSED


def test_a_mapping_file_says_what_other_words_mean() -> None:
    mapping = """
        date_format = "%m/%d/%Y %H:%M"
        source = "old"
        [columns]
        title = "betreff"
        [status]
        "erledigt" = "RESOLVED"
        [severity]
        "1" = "high"
        [where]
        kind = "ticket"
    """
    row = TICKET | {
        "betreff": "x",
        "status": "Erledigt",
        "priority": 1,
        "created": "10/31/2017 22:50",
        "kind": "Ticket",
    }
    issue = convert(row, toml=mapping)
    assert (issue.external_id, issue.status, issue.severity) == (
        "old:5",
        Status.RESOLVED,
        Severity.HIGH,
    )
    assert issue.created_at == HALLOWEEN.replace(second=0)
    assert convert(row | {"kind": "note"}, toml=mapping) is None


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        (TICKET | {"created": "10/31/2017"}, "created_at", "date_format"),
        (TICKET | {"status": "whatever"}, "status", "[status]"),
        (TICKET | {"priority": 4}, "severity", "[severity]"),
        (TICKET | {"email": "ada@@example"}, "email", "ada@@example"),
        ({"id": 5}, "description", "neither"),
        (TICKET | {"messages": "not json"}, "messages", "list"),
        (TICKET | {"messages": [{"role": "martian", "text": "x"}]}, "messages", "martian"),
        (TICKET | {"messages": ["x"]}, "messages", "object"),
    ],
)
def test_a_refusal_names_line_field_and_remedy(row, field, says) -> None:
    refusal = convert(row)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.field, refusal.external_id) == (7, field, "5")
    assert says in refusal.message


def test_a_conversation_begins_with_the_customers_first_words() -> None:
    issue = convert(
        {
            "id": "c",
            "turns_json": '[{"role": "agent", "text": "Hello!"},'
            ' {"role": "customer", "text": "My phone is dead."},'
            ' {"role": "agent", "text": "Charge it."}]',
        }
    )
    assert issue.description == issue.title == "My phone is dead."
    assert [(m.sender, m.text) for m in issue.messages] == [
        (Sender.SUPPORT, "Hello!"),
        (Sender.SUPPORT, "Charge it."),
    ]


def test_an_answer_is_a_support_message_and_resolves() -> None:
    issue = convert({"instruction": "How do I cancel?", "response": "Press cancel."})
    assert issue.status is Status.RESOLVED
    assert issue.resolution == "Press cancel."
    assert [m.sender for m in issue.messages] == [Sender.SUPPORT]


def test_missing_parts_are_made_up_stably_and_recognisably() -> None:
    by_author = convert({"tweet_id": 1, "author_id": "115712", "text": "word " * 40})
    again = convert({"tweet_id": 2, "author_id": "115712", "text": "other"})
    nobody = convert({"id": "A 1", "text": "x"})
    other = convert({"id": "a-1", "text": "x"})
    assert by_author.email == again.email == "115712@import.invalid"
    assert nobody.email.startswith("record-a-1")
    assert nobody.email.endswith("@import.invalid")
    assert nobody.email != other.email
    assert len(by_author.title) <= 80
    assert by_author.title.endswith("word…")
    assert by_author.created_at == NOW
    row = {"text": "the same row", "extra": 1}
    assert convert(row).external_id == convert(dict(row)).external_id
    assert convert(row).external_id != convert(row | {"extra": 2}).external_id


def test_a_title_too_long_is_cut_and_kept_whole_in_the_description() -> None:
    issue = convert(TICKET | {"subject": "y" * 600})
    assert len(issue.title) == 500
    assert issue.description == "y" * 600 + "\n\nSince noon."


def test_control_characters_are_taken_out_and_counted() -> None:
    converter = Converter(Mapping.build(), StoppedClock())
    issue = converter.convert(Row(1, TICKET | {"body": "a\x00b\x07c\td\n"}))
    assert issue.description == "abc\td\n"
    assert converter.removed == 2


def test_mistakes_in_mappings_are_answered_with_the_likeliest_word() -> None:
    with pytest.raises(MappingError, match="did you mean 'title'"):
        Mapping.build(["titel=x"])
    with pytest.raises(MappingError, match="did you mean 'subject'"):
        Mapping.build(["title=subjet"]).check([TICKET])
    with pytest.raises(MappingError, match="NAME=VALUE"):
        Mapping.build(["title"])
    with pytest.raises(MappingError, match="unknown key 'colums'"):
        Mapping.build(toml="[colums]\n")
    with pytest.raises(MappingError, match="RESOLVED"):
        Mapping.build(toml='[status]\n"x" = "GONE"')
    with pytest.raises(MappingError, match="not TOML"):
        Mapping.build(toml="[")


@pytest.mark.parametrize(
    "value",
    [
        "2017-10-31T22:50:15Z",
        "2017-10-31 22:50:15 +0000",
        "2017-10-31 23:50:15+01:00",
        "Tue Oct 31 22:50:15 +0000 2017",
        "Tue, 31 Oct 2017 22:50:15 GMT",
        "31.10.2017 22:50:15",
        1509490215,
        1509490215000,
        "1509490215",
        1509490215.0,
        HALLOWEEN,
        HALLOWEEN.astimezone(timezone(timedelta(hours=2))),
        HALLOWEEN.replace(tzinfo=None),
    ],
)
def test_moments_of_many_makes(value) -> None:
    assert parse_moment(value) == HALLOWEEN


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.lists(st.integers()))
def test_any_value_is_a_moment_or_a_refusal(value) -> None:
    with contextlib.suppress(ValueError):
        assert parse_moment(value).tzinfo is UTC


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["id", "title", "body", "email", "messages", "status", "created", "name"]),
        ANYTHING,
    )
)
def test_no_row_breaks_the_conversion(row) -> None:
    found = convert(row)
    assert isinstance(found, ImportedIssue | Refusal)
    if isinstance(found, ImportedIssue):
        assert found.title
        assert found.description
