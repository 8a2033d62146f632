"""Notifications by e-mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal

from support_copilot.domain.errors import Unavailable
from support_copilot.ports import Notification

Security = Literal["tls", "starttls", "none"]


class EmailChannel:
    """Sends plain text through an SMTP server, one connection a notification.

    ``security`` is TLS from the start (RFC 8314), STARTTLS, or none. The Message-ID is the same
    on every attempt, so that a mail server can drop a repetition.
    """

    name = "email"

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        recipients: Sequence[str],
        *,
        security: Security = "starttls",
        username: str | None = None,
        password: str = "",
        timeout_seconds: float = 10,
    ) -> None:
        if not recipients:
            raise ValueError("e-mail notifications need at least one recipient")
        self._host = host
        self._port = port
        self._sender = sender
        self._recipients = list(recipients)
        self._security = security
        self._username = username
        self._password = password
        self._timeout_seconds = timeout_seconds

    async def send(self, notification: Notification) -> None:
        """Hand the message to the server. Raises Unavailable where it is not accepted."""
        message = self._message(notification)
        try:
            await asyncio.to_thread(self._deliver, message)
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(
                f"the mail server {self._host} did not take a notification: {error}"
            ) from error

    def _deliver(self, message: EmailMessage) -> None:
        with self._connect() as server:
            if self._security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self._username is not None:
                server.login(self._username, self._password)
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        if self._security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_seconds, context=context
            )
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout_seconds)

    def _message(self, notification: Notification) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = _one_line(notification.title)
        message["Date"] = format_datetime(notification.created_at)
        domain = parseaddr(self._sender)[1].rpartition("@")[2]
        message["Message-ID"] = f"<notification-{notification.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(f"{notification.title}\n\n{notification.text}\n")
        return message


def _one_line(text: str) -> str:
    """Return text that cannot end a header: customers write the titles."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
