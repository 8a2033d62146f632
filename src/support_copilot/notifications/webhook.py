"""Notifications by HTTP, signed after the Standard Webhooks specification 1.0."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac

import httpx2
import orjson

from support_copilot.domain.errors import Unavailable
from support_copilot.ports import Clock, Notification

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that the specification gives to secrets
_SECRET_BYTES = range(24, 65)


class WebhookChannel:
    """Posts ``{"type", "timestamp", "data"}``; ``webhook-id`` is the same on every attempt.

    ``secret`` is ``whsec_`` and 24 to 64 bytes in base64. Raises ValueError for anything else,
    and for an address that is not HTTP. The client belongs to the caller, who closes it.
    """

    name = "webhook"

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        secret: str,
        clock: Clock,
        timeout_seconds: float = 10,
    ) -> None:
        self._client = client
        self._url = httpx2.URL(url)
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("the webhook's address must start with https:// or http://")
        self._key = _key(secret)
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def send(self, notification: Notification) -> None:
        """Post once. Raises Unavailable unless the answer is 2xx within the timeout."""
        body = _body(notification)
        headers = {"content-type": "application/json", **self._signed(notification.id, body)}
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                # The answer's body is of no interest: unread, it cannot fill the memory.
                self._client.stream(
                    "POST", self._url, content=body, headers=headers, follow_redirects=False
                ) as response,
            ):
                if not response.is_success:
                    raise self._unavailable(f"answered {response.status_code}")
        except (httpx2.HTTPError, TimeoutError) as error:
            raise self._unavailable(type(error).__name__) from error

    def _signed(self, notification_id: int, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock.now().timestamp())
        signed = f"{notification_id}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        return {
            "webhook-id": str(notification_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{signature}",
        }

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(f"the webhook at {self._url.host} did not take a notification: {why}")


def _body(notification: Notification) -> bytes:
    return orjson.dumps(
        {
            "type": f"issue.{notification.kind}",
            "timestamp": notification.created_at.isoformat(),
            "data": {
                "issue_id": str(notification.issue_id),
                "title": notification.title,
                "text": notification.text,
            },
        }
    )


def _key(secret: str) -> bytes:
    help_text = "the webhook's secret must be whsec_ and 24 to 64 bytes in base64"
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(help_text) from error
    if len(key) not in _SECRET_BYTES:
        raise ValueError(help_text)
    return key
