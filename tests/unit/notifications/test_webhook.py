import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2
import pytest

from support_copilot.domain.errors import Unavailable
from support_copilot.notifications.webhook import WebhookChannel
from support_copilot.ports import Notification

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOTIFICATION = Notification(5, "critical", 7, "SC-42 is critical: Tür klemmt", "High.", NOW)


class FixedClock:
    def now(self) -> datetime:
        return NOW


@asynccontextmanager
async def receiver(answer: bytes | None):
    """An HTTP server that gives one answer (None: never) and keeps ``(headers, body)``."""
    received, handlers = [], []

    async def serve(reader, writer) -> None:
        handlers.append(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = dict(line.lower().split(": ", 1) for line in head if line)
        received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, httpx2.AsyncClient(trust_env=False) as client:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/hook"
        yield WebhookChannel(client, url, SECRET, FixedClock(), timeout_seconds=0.5), received
    await asyncio.gather(*handlers)


def answer(status: str) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\nLocation: /other\r\n\r\n"
    )
    return head.encode()


async def test_the_receiver_can_verify_what_it_gets():
    async with receiver(answer("204 No Content")) as (channel, received):
        await channel.send(NOTIFICATION)
    ((headers, body),) = received
    assert headers["webhook-id"] == "5"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    # The reader above lower-cases headers.
    assert headers["webhook-signature"] == f"v1,{expected}".lower()
    assert json.loads(body) == {
        "type": "issue.critical",
        "timestamp": "2026-03-02T09:00:00+00:00",
        "data": {"issue_id": "7", "title": "SC-42 is critical: Tür klemmt", "text": "High."},
    }


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer("500 Internal Server Error"), "answered 500"),
        (answer("410 Gone"), "answered 410"),
        (answer("302 Found"), "answered 302"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
        (None, "Timeout"),
    ],
)
async def test_anything_but_success_is_to_be_tried_again(reply, says):
    async with receiver(reply) as (channel, received):
        with pytest.raises(Unavailable, match=says):
            await channel.send(NOTIFICATION)
    assert len(received) == 1


async def test_nobody_listening_is_to_be_tried_again():
    async with receiver(None) as (channel, _):
        pass
    async with httpx2.AsyncClient(trust_env=False) as client:
        channel._client = client
        with pytest.raises(Unavailable, match="ConnectError"):
            await channel.send(NOTIFICATION)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64!", "whsec_ü"])
async def test_a_weak_or_broken_secret_is_refused(secret):
    async with httpx2.AsyncClient() as client:
        with pytest.raises(ValueError, match="whsec_"):
            WebhookChannel(client, "https://example.org/hook", secret, FixedClock())


@pytest.mark.parametrize("url", ["", "example.org/hook", "file:///etc/passwd", "ftp://example.org"])
async def test_an_address_that_is_not_http_is_refused(url):
    async with httpx2.AsyncClient() as client:
        with pytest.raises(ValueError, match="address"):
            WebhookChannel(client, url, SECRET, FixedClock())
