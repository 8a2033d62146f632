import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest

from support_copilot.domain.errors import Unavailable
from support_copilot.notifications.email import EmailChannel
from support_copilot.ports import Notification

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOTIFICATION = Notification(5, "critical", 7, "SC-42 is critical: Tür klemmt", "It is HIGH.", NOW)


class MailServer:
    """As much of RFC 5321 as a client needs; keeps envelopes and parsed messages."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.recipients: list[str] = []
        self.messages = []
        self.handlers = []

    async def serve(self, reader, writer) -> None:
        self.handlers.append(asyncio.current_task())
        writer.write(b"220 mail.example.org\r\n")
        while line := await reader.readline():
            verb = line.split()[0].upper().decode()
            if verb == self.refuse:
                writer.write(b"554 5.7.1 not today\r\n")
            elif verb == "RCPT":
                self.recipients.append(line.decode().partition("<")[2].partition(">")[0])
                writer.write(b"250 OK\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(message_from_bytes(data[:-3], policy=default))
                writer.write(b"250 OK\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 OK\r\n")
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def running(server: MailServer, **options):
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield EmailChannel(
            "127.0.0.1",
            port,
            "Desk <desk@example.org>",
            ["lead@example.org", "night@example.org"],
            **({"security": "none", "timeout_seconds": 5} | options),
        )
    await asyncio.gather(*server.handlers)


async def test_the_mail_that_arrives():
    server = MailServer()
    async with running(server) as channel:
        await channel.send(NOTIFICATION)
    (mail,) = server.messages
    assert server.recipients == ["lead@example.org", "night@example.org"]
    assert mail["Subject"] == "SC-42 is critical: Tür klemmt"
    assert mail["From"] == "Desk <desk@example.org>"
    assert mail["Message-ID"] == "<notification-5@example.org>"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "It is HIGH." in mail.get_content()


async def test_a_title_cannot_add_headers_or_end_the_message():
    title = "Hello\r\nBcc: all@example.org\x00\u2028\r\n.\r\nQUIT"
    server = MailServer()
    async with running(server) as channel:
        await channel.send(replace(NOTIFICATION, title=title, text=".\r\n.\r\nend"))
    (mail,) = server.messages
    assert mail["Subject"] == "Hello Bcc: all@example.org . QUIT"
    assert mail["Bcc"] is None
    assert server.recipients == ["lead@example.org", "night@example.org"]
    assert mail.get_content().rstrip().endswith("end")


@pytest.mark.parametrize("refuse", ["MAIL", "RCPT", "DATA"])
async def test_a_mail_that_is_refused_is_to_be_tried_again(refuse):
    server = MailServer(refuse)
    async with running(server) as channel:
        with pytest.raises(Unavailable, match="not today"):
            await channel.send(NOTIFICATION)
    assert server.messages == []


async def test_a_server_without_starttls_gets_nothing_in_the_clear():
    server = MailServer()
    async with running(server, security="starttls") as channel:
        with pytest.raises(Unavailable, match="STARTTLS"):
            await channel.send(NOTIFICATION)
    assert server.messages == []


async def test_nobody_listening_is_to_be_tried_again():
    async with running(MailServer()) as channel:
        pass
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await channel.send(NOTIFICATION)


def test_at_least_one_recipient_is_needed():
    with pytest.raises(ValueError, match="recipient"):
        EmailChannel("127.0.0.1", 25, "desk@example.org", [])
