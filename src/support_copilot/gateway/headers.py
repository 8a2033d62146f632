"""Response headers that bind browsers: security policy and cross-origin access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from support_copilot.domain.errors import NotAllowed
from support_copilot.web.problem_details import problem_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Under "no-referrer" browsers would send "Origin: null" with the portal's own forms, and the
# same-origin check could not let them pass.
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
}
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, "
    "x-request-id"
)
_EXPOSED = (
    "etag, location, retry-after, x-request-id, ratelimit-limit, ratelimit-remaining, "
    "ratelimit-reset"
)


class SecurityHeaders:
    """Adds what an application did not set itself; answers of the API are not to be cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, add)


class Cors:
    """Lets scripts of named origins read answers (WHATWG Fetch); none by default.

    Credentials are not shared: such scripts send a bearer token.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if origin not in self._origins:
            refusal = problem_of(NotAllowed("This origin is not among the allowed ones."))
            await (refusal if preflight else self._app)(scope, receive, send)
            return

        async def share(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer["access-control-allow-origin"] = origin
                answer["access-control-expose-headers"] = _EXPOSED
                answer.add_vary_header("origin")
            await send(message)

        if preflight:
            granted = Response(
                status_code=204,
                headers={
                    "access-control-allow-methods": _METHODS,
                    "access-control-allow-headers": _REQUEST_HEADERS,
                    "access-control-max-age": "600",
                },
            )
            await granted(scope, receive, share)
        else:
            await self._app(scope, receive, share)
