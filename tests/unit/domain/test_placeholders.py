import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.placeholders import (
    ALLOWED,
    check,
    fill,
    first_name,
    open_slots,
    placeholders,
    values_for,
)

FULL = values_for(
    customer_name="Anna Weber",
    issue_number="SC-7",
    issue_title="No light",
    executive_name="Tom",
    company_name="Lumen",
)


def test_fills_every_allowed_placeholder():
    template = "; ".join(f"{{{name}}}" for name in ALLOWED)
    assert fill(template, FULL) == "Anna Weber; Anna; SC-7; No light; Tom; Lumen"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hi {customer.first_name},\nthanks", "Hi there,\nthanks"),
        ("Dear {customer.name},", "Dear customer,"),
        ("hello {customer.first_name}!", "Hello!"),
        ("Sehr geehrte/r {customer.name},", "Guten Tag,"),
        ("Bonjour {customer.first_name},", "Bonjour,"),
        ("{customer.first_name}, we are on it.", "We are on it."),
        ("We spoke to {customer.name}.", "We spoke to you."),
        ("Thanks {customer.first_name}!", "Thanks!"),
        ("Thank you, {customer.first_name}. Bye", "Thank you. Bye"),
        ("This is {customer.name}'s parcel", "This is your parcel"),
        ("about your issue {issue.number}.", "about your issue."),
        ("about ticket number {issue.number} today", "about ticket today"),
        ("Your order ({issue.number}) is late", "Your order is late"),
        ("We logged {issue.number}.", "We logged your issue."),
        ('About "{issue.title}":', "About your issue:"),
        ("Best regards,\n{executive.name}", "Best regards,\nYour support team"),
        ("Ask {executive.name} for help", "Ask our support team for help"),
        ("Thank you for contacting {company.name}.", "Thank you for contacting us."),
        ("Hi. {company.name} will help.", "Hi. We will help."),
        ("Best,\n{company.name} Support", "Best,\nYour Support"),
        ("It is {company.name}'s fault", "It is our fault"),
    ],
)
def test_missing_values_read_naturally(template, expected):
    assert fill(template, {}) == expected


def test_blank_value_is_missing():
    assert fill("Hi {customer.first_name},", {"customer.first_name": "  "}) == "Hi there,"


def test_one_name_missing_leaves_the_other():
    text = "Hi {customer.name},\nthanks {customer.first_name}."
    assert fill(text, {"customer.name": "Anna"}) == "Hi Anna,\nthanks."


def test_a_value_is_never_read_again():
    values = {"customer.first_name": "{company.name} {customer.name!r}", "issue.title": "{0.x}"}
    assert (
        fill("Hi {customer.first_name}, {issue.title}", values)
        == "Hi {company.name} {customer.name!r}, {0.x}"
    )


def test_a_value_cannot_add_lines():
    assert fill("Hi {customer.name}", {"customer.name": "A\r\nBcc: x"}) == "Hi A Bcc: x"


def test_unknown_placeholders_stay_and_are_reported():
    text = "{customer.nam} {customer.__class__} {issue.number}"
    assert fill(text, FULL) == "{customer.nam} {customer.__class__} SC-7"
    assert placeholders(text) == ("customer.nam", "customer.__class__", "issue.number")
    mistakes = check(text)
    assert len(mistakes) == 2
    assert "Did you mean {customer.name}?" in mistakes[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hi {{customer.name}}",
        "Hi ${customer.name}",
        "Hi { customer.name }",
        "Hi {customer name}",
        "Hi {customer.name",
        "Hi {}",
        "Hi {0}",
    ],
)
def test_mistakes_are_found(text):
    assert len(check(text)) == 1


@pytest.mark.parametrize("text", ["Hi {customer.name},", 'Send {"a": 1} to the API', "No braces"])
def test_sound_templates_have_no_mistakes(text):
    assert check(text) == []


def test_open_slots():
    assert open_slots("Order [order number], [date] [x](y) [date] [1]") == ("order number", "date")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Anna Weber", "Anna"),
        ("Dr. Anna Weber", "Anna"),
        ("Weber, Anna", "Anna"),
        ("Mr. Smith", ""),
        ("anna@example.org", ""),
        ("", ""),
        ("田中太郎", "田中太郎"),
    ],
)
def test_first_name(name, expected):
    assert first_name(name) == expected


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(ALLOWED), st.text(max_size=20)))
def test_text_without_placeholders_is_unchanged_and_nothing_raises(text, values):
    filled = fill(text, values)
    check(text)
    if not any(f"{{{name}}}" in text for name in ALLOWED):
        assert filled == text


@given(st.text(min_size=1, max_size=30).filter(lambda value: value.strip()))
def test_a_value_arrives_whole(value):
    assert fill("<{issue.title}>", {"issue.title": value}) == f"<{' '.join(value.split())}>"
