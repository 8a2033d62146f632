"""The middleware stack, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from support_copilot.gateway.authentication import Authentication, Authenticator
from support_copilot.gateway.headers import Cors, SecurityHeaders
from support_copilot.gateway.limits import BodyLimit, Deadline
from support_copilot.gateway.openapi import Documented, merge_openapi
from support_copilot.gateway.rate_limit import RateLimit
from support_copilot.gateway.request_log import Problems, RequestLog
from support_copilot.gateway.routing import RoutingTable
from support_copilot.observability import metrics
from support_copilot.web.problem_details import problem
from support_copilot.web.request_id import RequestId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from support_copilot.ports import RateLimiter

DEADLINE_SECONDS = 15.0
MAX_BODY_BYTES = 1 << 20
BODY_SECONDS = 10.0
STREAMS = frozenset({"/v1/events"})
_PUBLIC_PATHS = frozenset({"/openapi.json", "/v1/auth/sign-in"})


def build_gateway(
    routes: Mapping[str, ASGIApp],
    authenticator: Authenticator,
    limiter: RateLimiter,
    identity_secret: bytes,
    *,
    version: str = "0",
    title: str = "Support Copilot",
    optional_auth: Collection[str] = (),
    origins: Collection[str] = (),
    deadline_seconds: float = DEADLINE_SECONDS,
    max_body_bytes: int = MAX_BODY_BYTES,
    body_seconds: float = BODY_SECONDS,
    streams: frozenset[str] = STREAMS,
    public_metrics: bool = True,
) -> ASGIApp:
    """Return the gateway over ``routes``: path prefix to application.

    ``optional_auth`` are prefixes of ``routes`` that anonymous callers may reach; ``origins`` are
    those whose scripts may call the API. The gateway answers ``/openapi.json`` and ``/metrics``
    itself. Lifespan events are acknowledged and not forwarded: whoever builds the applications
    opens and closes their resources.
    """
    public = _PUBLIC_PATHS | ({"/metrics"} if public_metrics else frozenset())
    allowed = frozenset(origins)

    def is_public(path: str) -> bool:
        return path in public or path.startswith("/health/")

    table = RoutingTable(
        {
            **routes,
            "/openapi.json": _OpenApi(title, version, routes, is_public),
            "/metrics": _metrics,
        }
    )

    def is_optional(path: str) -> bool:
        prefix = table.match(path)
        # An unknown path is a 404 for everybody.
        return prefix is None or prefix in optional_auth

    app: ASGIApp = table
    app = RateLimit(app, limiter)
    app = Authentication(
        app,
        authenticator=authenticator,
        identity_secret=identity_secret,
        is_public=is_public,
        is_optional=is_optional,
        origins=allowed,
    )
    app = BodyLimit(app, max_body_bytes, body_seconds)
    app = Deadline(app, deadline_seconds, streams)
    app = Problems(app)
    app = Cors(app, allowed)
    app = SecurityHeaders(app)
    app = RequestLog(app)
    app = RequestId(app)
    return _HttpOnly(app)


class _HttpOnly:
    """Acknowledges lifespan events, declines WebSockets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1000})


class _OpenApi:
    """Answers the merged document, made at the first request."""

    def __init__(
        self,
        title: str,
        version: str,
        routes: Mapping[str, ASGIApp],
        is_public: Callable[[str], bool],
    ) -> None:
        self._title = title
        self._version = version
        self._apps: Collection[object] = {id(app): app for app in routes.values()}.values()
        self._is_public = is_public
        self._body: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._body is None:
            documents = [app.openapi() for app in self._apps if isinstance(app, Documented)]
            merged = merge_openapi(self._title, self._version, documents, self._is_public)
            self._body = orjson.dumps(merged)
        await _answer(scope, self._body, "application/json")(scope, receive, send)


async def _metrics(scope: Scope, receive: Receive, send: Send) -> None:
    body, media_type = metrics.exposition()
    await _answer(scope, body, media_type)(scope, receive, send)


def _answer(scope: Scope, body: bytes, media_type: str) -> Response:
    if scope["method"] == "GET":
        return Response(body, media_type=media_type)
    return problem(
        405,
        "method-not-allowed",
        "Method Not Allowed",
        "This path can only be read: use GET.",
        headers={"Allow": "GET, HEAD"},
    )
