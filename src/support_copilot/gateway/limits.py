"""Bounds of one request: the time it may take and the size of its body."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from support_copilot.domain.errors import CopilotError, DeadlineExceeded, TooLarge
from support_copilot.web import deadline
from support_copilot.web.problem_details import problem, problem_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Deadline:
    """Cancels the application after ``seconds``, but for the paths of endless streams."""

    def __init__(self, app: ASGIApp, seconds: float, streams: frozenset[str]) -> None:
        self._app = app
        self._seconds = seconds
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in self._streams:
            await self._app(scope, receive, send)
            return
        timer = asyncio.timeout(self._seconds)
        try:
            with deadline.of_request(self._seconds):
                async with timer:
                    await self._app(scope, receive, send)
        except TimeoutError:
            if not timer.expired():
                raise
            raise DeadlineExceeded(
                f"The request took longer than {self._seconds:g} seconds; try again, or ask for "
                "less at once."
            ) from None


class _Refused(CopilotError):
    """Stops the application's reading; the answer is already decided."""


class BodyLimit:
    """Refuses bodies over ``max_bytes`` (413) and those that arrive too slowly (408).

    The announced length decides before anything is read; otherwise bytes are counted as the
    application reads them, and its answer is replaced.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, read_seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._read_seconds = read_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._max_bytes:
            await self._too_large()(scope, receive, send)
            return
        started = complete = False
        received = 0
        until = time.monotonic() + self._read_seconds
        refusal: Response | None = None

        async def bounded() -> Message:
            nonlocal received, complete, refusal
            if complete:
                return await receive()
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                refusal = self._too_slow()
                raise _Refused("The body arrives too slowly.") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._max_bytes:
                refusal = self._too_large()
                raise _Refused("The body is too large.")
            return message

        async def replaceable(message: Message) -> None:
            nonlocal started
            if refusal is None or started:
                started = True
                await send(message)

        try:
            await self._app(scope, bounded, replaceable)
        except _Refused:
            if started:
                raise
        if refusal is not None and not started:
            await refusal(scope, receive, send)

    def _too_large(self) -> Response:
        return problem_of(TooLarge(f"The body is too large; send at most {self._max_bytes} bytes."))

    def _too_slow(self) -> Response:
        return problem(
            408,
            "request-timeout",
            "Request Timeout",
            f"The body did not arrive within {self._read_seconds:g} seconds; send it again.",
            headers={"Connection": "close"},
        )
