from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.identifiers import MAX_ID
from support_copilot.messaging.codec import (
    UnknownSchemaVersion,
    UnreadableMessage,
    decode,
    encode,
)
from support_copilot.queues import QueueMessage

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
messages = st.builds(
    QueueMessage,
    id=st.integers(1, MAX_ID),
    queue=text,
    body=st.dictionaries(text, values, max_size=4),
    created_at=moments,
    key=st.integers(0, MAX_ID),
    trace=st.dictionaries(text, text, max_size=3),
)
SAMPLE = QueueMessage(
    id=MAX_ID, queue="notification", body={"issue_id": 5}, created_at=datetime.now(UTC), key=5
)


@given(messages)
def test_what_is_encoded_decodes_to_the_same(message):
    assert decode(encode(message)) == message


def test_identifiers_are_strings_and_moments_iso_8601():
    fields = json.loads(encode(SAMPLE))
    assert fields["id"] == str(MAX_ID)
    assert fields["key"] == "5"
    assert datetime.fromisoformat(fields["created_at"]) == SAMPLE.created_at
    assert fields["schema_version"] == 1


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_schema_version_is_named(version):
    fields = {"schema_version": version, "whatever": "the future brings"}
    with pytest.raises(UnknownSchemaVersion, match=rf"schema version {version!r} is not known"):
        decode(json.dumps(fields).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"{}", b"\xff\xfe", b'"text"', b"null"])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(UnreadableMessage, match="not a message"):
        decode(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "seven"),
        ("id", None),
        ("body", "text"),
        ("body", [1]),
        ("trace", 5),
        ("created_at", "yesterday"),
        ("created_at", 5),
        ("created_at", "2025-01-01T00:00:00"),
        ("key", None),
    ],
)
def test_a_wrong_or_missing_field_is_refused(field, value):
    fields = json.loads(encode(SAMPLE))
    with pytest.raises(UnreadableMessage):
        decode(json.dumps(fields | {field: value}).encode())
    del fields[field]
    with pytest.raises(UnreadableMessage):
        decode(json.dumps(fields).encode())
