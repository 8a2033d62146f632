"""Opaque keyset cursors: where a page ended, tied to the query it belongs to."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from support_copilot.domain.errors import InvalidInput

_MAX_LENGTH = 1024
_DIGEST = 6


def _digest(payload: bytes, query: str) -> bytes:
    return hashlib.sha256(query.encode() + b"\0" + payload).digest()[:_DIGEST]


def encode_cursor(position: dict[str, Any], query: str = "") -> str:
    """Return a cursor for ``position`` (JSON values) in the results of ``query``."""
    payload = orjson.dumps(position)
    return base64.urlsafe_b64encode(_digest(payload, query) + payload).decode().rstrip("=")


def decode_cursor(cursor: str, query: str = "") -> dict[str, Any]:
    """Return the position of a cursor.

    Raises InvalidInput for a damaged cursor and for one of another query. The digest finds
    mistakes, it does not stop forgery: check the types of what comes back, grant nothing by it.
    """
    try:
        padded = cursor[:_MAX_LENGTH] + "=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    digest, payload = raw[:_DIGEST], raw[_DIGEST:]
    if not payload or digest != _digest(payload, query):
        raise InvalidInput(
            "cursor", "is not a cursor of this query; start again without it or with its filters"
        )
    position: dict[str, Any] = orjson.loads(payload)
    return position
