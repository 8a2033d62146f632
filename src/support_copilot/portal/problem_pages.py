"""Problems become pages where a browser asked for a page."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from support_copilot.portal.rendering import render
from support_copilot.web.problem_details import MEDIA_TYPE

_OF_PROGRAMS = ("/v1/", "/health/", "/metrics", "/openapi.json")

_TITLES = {
    403: "You may not do this",
    404: "There is nothing here",
    405: "That is not possible here",
    413: "That was too much at once",
    422: "Something is not right yet",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "The desk does not answer just now",
    504: "That took too long",
}


class ProblemPages:
    """Stands outermost, so that what the gateway refuses is a page too.

    The API's own paths keep their problem documents whoever asks.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wants_page = (
            scope["type"] == "http"
            and not scope["path"].startswith(_OF_PROGRAMS)
            and "text/html" in Headers(scope=scope).get("accept", "")
        )
        if not wants_page:
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def replace(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await _send_page(start, body, send)

        await self._app(scope, receive, replace)


def page_of(document: dict[str, Any]) -> str:
    """Return the page of a problem document."""
    status = document["status"]
    return render(
        "problem.html",
        status=status,
        heading=_TITLES.get(status, "That did not work"),
        detail=document["detail"] if status != 404 else None,
        request_id=document.get("request_id"),
    )


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith(MEDIA_TYPE)


async def _send_page(start: Message, body: bytes, send: Send) -> None:
    if body:  # an answer to HEAD has none
        body = page_of(orjson.loads(body)).encode()
        headers = MutableHeaders(scope=start)
        headers["content-type"] = "text/html; charset=utf-8"
        headers["content-length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": body})
