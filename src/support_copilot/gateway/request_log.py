"""One log line and one count a request; the last resort for unexpected errors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from support_copilot.domain.errors import CopilotError
from support_copilot.gateway.routing import ROUTE_LABEL
from support_copilot.observability import metrics
from support_copilot.web.problem_details import internal_problem, problem_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_log = structlog.stdlib.get_logger("support_copilot.request")


class RequestLog:
    """Logs method, route template, status and time; never paths, queries or bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0
        label = ["unmatched"]

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app({**scope, ROUTE_LABEL: label}, receive, watch)
        finally:
            seconds = time.perf_counter() - started
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            metrics.HTTP_REQUESTS.labels(method, label[0], status).inc()
            metrics.HTTP_REQUEST_SECONDS.labels(label[0]).observe(seconds)
            _log.info(
                "request", method=method, route=label[0], status=status, seconds=round(seconds, 4)
            )


class Problems:
    """Answers errors of the stages within as problems, unexpected ones with a trace in the log.

    Where an application has begun its answer, the connection is cut by the server instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except CopilotError as error:
            answer = problem_of(error)
        except Exception:  # noqa: BLE001 - the caller gets an answer, the log the trace
            _log.exception("unexpected error")
            answer = internal_problem()
        else:
            return
        if not started:
            await answer(scope, receive, send)
