"""Which application answers a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support_copilot.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTE_LABEL = "support_copilot.route_label"
"""Scope key of a one-item list: the route template that was taken, for metrics and logs."""


class RoutingTable:
    """The longest path prefix wins; prefixes end at a slash or at the end of the path.

    The prefix ``/`` takes only paths whose first segment no other prefix begins with, so that an
    unknown path of the API is answered by a problem and not by a page.
    """

    def __init__(self, routes: Mapping[str, ASGIApp]) -> None:
        self._routes = dict(sorted(routes.items(), key=lambda route: -len(route[0])))
        self._claimed = {prefix.split("/")[1] for prefix in routes}

    def match(self, path: str) -> str | None:
        """Return the prefix that takes a path, None where none does."""
        for prefix in self._routes:
            if prefix == "/":
                first = path.split("/", 2)[1] if path.startswith("/") else ""
                if not first or first not in self._claimed:
                    return prefix
            elif path == prefix or path.startswith(prefix + "/"):
                return prefix
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its application. Raises NotFound where there is none."""
        prefix = self.match(scope["path"])
        if prefix is None:
            raise NotFound("There is nothing at this path; /openapi.json lists what there is.")
        inner = dict(scope)
        if scope["method"] == "HEAD":
            inner["method"], send = "GET", _without_body(send)
        label: list[str] = scope[ROUTE_LABEL]
        label[0] = prefix
        try:
            await self._routes[prefix](inner, receive, send)
        finally:
            # Applications of this process leave the route they chose in the scope.
            template = getattr(inner.get("route"), "path", None)
            if isinstance(template, str) and template.startswith(prefix):
                label[0] = template


def _without_body(send: Send) -> Send:
    async def head_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head_only
