"""One id a request, from the caller or made here, on every log line and in every problem."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_SEEN = "support_copilot.request_id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current() -> str | None:
    """Return the id of the request in hand, None outside of requests."""
    return _current.get()


class RequestId:
    """Accepts a sane ``X-Request-ID`` or makes one, hands it on, and echoes it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not the context variable: a pipelined request inherits that of the one before it.
        if scope["type"] != "http" or _SEEN in scope:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(12)
        headers = MutableHeaders(raw=list(scope["headers"]))
        headers[HEADER] = request_id

        async def echo(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = _current.set(request_id)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._app({**scope, "headers": headers.raw, _SEEN: True}, receive, echo)
        finally:
            _current.reset(token)
