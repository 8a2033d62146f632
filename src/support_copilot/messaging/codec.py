"""Messages as bytes, for brokers that carry bytes. The embedded queue stores columns instead.

The form is one JSON object; identifiers are strings, because readers in other languages lose
digits of a 63-bit number; ``created_at`` is ISO 8601 with its offset.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from support_copilot.queues import SCHEMA_VERSION, QueueMessage


class UnreadableMessage(ValueError):
    """The bytes are no message of ours; trying again will not help, so bury them."""


class UnknownSchemaVersion(UnreadableMessage):
    """The message was written by a version of the product this one does not know."""

    def __init__(self, version: object) -> None:
        super().__init__(
            f"schema version {version!r} is not known here (known: {SCHEMA_VERSION}): "
            "upgrade this worker, then retry the dead letter"
        )
        self.version = version


def encode(message: QueueMessage) -> bytes:
    """Return the message as JSON in UTF-8.

    Raises TypeError where the body holds what JSON cannot.
    """
    return orjson.dumps(
        {
            "id": str(message.id),
            "queue": message.queue,
            "key": str(message.key),
            "schema_version": message.schema_version,
            "created_at": message.created_at.isoformat(),
            "trace": message.trace,
            "body": message.body,
        }
    )


def decode(data: bytes) -> QueueMessage:
    """Return the message that ``encode`` wrote.

    Raises UnknownSchemaVersion for a version other than ours, before any other field is looked
    at, and UnreadableMessage for bytes that are no message.
    """
    try:
        fields: Any = orjson.loads(data)
        version = fields["schema_version"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableMessage(f"not a message: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise UnknownSchemaVersion(version)
    try:
        message = QueueMessage(
            id=int(fields["id"]),
            queue=str(fields["queue"]),
            body=dict(fields["body"]),
            created_at=datetime.fromisoformat(fields["created_at"]),
            key=int(fields["key"]),
            schema_version=version,
            trace=dict(fields["trace"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableMessage(f"a field is missing or wrong: {error!r}") from error
    if message.created_at.tzinfo is None:
        raise UnreadableMessage("created_at has no time zone")
    return message
