"""Budgets of requests a client, by what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from support_copilot.domain.errors import TooManyRequests
from support_copilot.gateway.authentication import IDENTITY
from support_copilot.web.problem_details import problem_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from support_copilot.domain.identity import Identity
    from support_copilot.ports import RateLimiter

_SIGN_IN_PATHS = {"/v1/auth/sign-in", "/sign-in"}
_UNCOUNTED = ("/health/", "/static/")
_UNCOUNTED_PATHS = {"/metrics", "/openapi.json"}


def budget_of(method: str, path: str) -> str | None:
    """Return the budget a request counts against, None for none."""
    if path in _UNCOUNTED_PATHS or path.startswith(_UNCOUNTED):
        return None
    if method == "POST":
        if path in _SIGN_IN_PATHS:
            return "sign-in"
        if path == "/v1/issues":
            return "intake"
        if path.startswith("/v1/analysis/") or path.endswith("/recommendations"):
            return "ai"
    return "default"


class RateLimit:
    """Counts by identity, or by address where nobody is signed in; 429 beyond the budget.

    Answers carry ``RateLimit-Limit``, ``-Remaining`` and ``-Reset`` (seconds), after the IETF
    draft draft-ietf-httpapi-ratelimit-headers.
    """

    def __init__(self, app: ASGIApp, limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        budget = budget_of(scope["method"], scope["path"])
        if budget is None:
            await self._app(scope, receive, send)
            return
        state = await self._limiter.hit(budget, _client(scope, budget))
        if state.limit == 0:
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["ratelimit-limit"] = str(state.limit)
                headers["ratelimit-remaining"] = str(state.remaining)
                headers["ratelimit-reset"] = str(state.reset_seconds)
            await send(message)

        if state.allowed:
            await self._app(scope, receive, tell)
            return
        refusal = TooManyRequests(
            f"At most {state.limit} requests a minute; wait {state.reset_seconds} seconds.",
            state.reset_seconds,
        )
        await problem_of(refusal)(scope, receive, tell)


def _client(scope: Scope, budget: str) -> str:
    caller: Identity | None = scope.get(IDENTITY)
    if caller is not None and budget != "sign-in":
        return caller.subject
    address = scope.get("client")
    return f"address:{address[0]}" if address else "address:unknown"
