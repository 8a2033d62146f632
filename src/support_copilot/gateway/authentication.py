"""Who is calling: a bearer token (API key or session) or the cookie of a signed-in browser."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser

from support_copilot.domain.errors import CopilotError, NotAllowed, NotSignedIn
from support_copilot.domain.identity import Identity
from support_copilot.web import identity_header, session_cookie

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

IDENTITY = "support_copilot.identity"
"""Scope key of the caller's Identity; absent for anonymous requests."""

Authenticator = Callable[[str], Awaitable[Identity]]
"""Returns whose token this is, or raises NotSignedIn."""

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class RecentlyVerified:
    """Remembers answers of an authenticator, refusals too, for at most ``seconds``.

    So long a revoked key still works; a second saves a busy caller nearly all look-ups.
    """

    def __init__(
        self, authenticator: Authenticator, seconds: float = 1.0, max_entries: int = 1024
    ) -> None:
        self._authenticator = authenticator
        self._seconds = seconds
        self._max_entries = max_entries
        self._known: OrderedDict[str, tuple[float, Identity | None]] = OrderedDict()

    async def __call__(self, token: str) -> Identity:
        entry = self._known.get(token)
        now = time.monotonic()
        if entry is None or entry[0] <= now:
            entry = (now + self._seconds, await self._ask(token))
            self._known[token] = entry
            self._known.move_to_end(token)
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
        if entry[1] is None:
            raise NotSignedIn("The API key or session is not valid, has expired or was revoked.")
        return entry[1]

    async def _ask(self, token: str) -> Identity | None:
        try:
            return await self._authenticator(token)
        except NotSignedIn:
            return None


class Authentication:
    """Puts the caller into the scope and, signed, into the header for services.

    ``is_public(path)`` lets everybody pass, ``is_optional(path)`` lets anonymous callers pass;
    raises NotSignedIn elsewhere. A browser's cookie counts for unsafe methods only from pages of
    the same origin, or of ``origins``: NotAllowed otherwise.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        identity_secret: bytes,
        is_public: Callable[[str], bool],
        is_optional: Callable[[str], bool],
        origins: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._authenticator = RecentlyVerified(authenticator)
        self._secret = identity_secret
        self._is_public = is_public
        self._is_optional = is_optional
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._refuse_foreign_pages(scope["method"], headers)
        caller = None if self._is_public(scope["path"]) else await self._caller(scope, headers)
        forwarded = MutableHeaders(raw=list(scope["headers"]))
        del forwarded[identity_header.HEADER]
        inner = {**scope, "headers": forwarded.raw}
        if caller is not None:
            signed = identity_header.sign(caller, self._secret, datetime.now(UTC))
            forwarded[identity_header.HEADER] = signed
            inner[IDENTITY] = caller
        await self._app(inner, receive, send)

    async def _caller(self, scope: Scope, headers: Headers) -> Identity | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise NotSignedIn("Send the header as Authorization: Bearer KEY.")
            return await self._authenticator(token.strip())
        token = cookie_parser(headers.get("cookie", "")).get(session_cookie.NAME, "")
        refusal: CopilotError = NotSignedIn(
            "Send an API key as Authorization: Bearer KEY, or sign in."
        )
        if token:
            if scope["method"] not in _SAFE_METHODS and not self._from_here(headers):
                raise NotAllowed("Only pages of this site may change anything with its cookie.")
            try:
                return await self._authenticator(token)
            except NotSignedIn as error:
                refusal = error
        if self._is_optional(scope["path"]):
            return None
        raise refusal

    def _refuse_foreign_pages(self, method: str, headers: Headers) -> None:
        """Raise NotAllowed where a page of elsewhere signs its visitor in or out (login CSRF)."""
        says_where = "sec-fetch-site" in headers or "origin" in headers
        by_browser = says_where and "authorization" not in headers
        if method not in _SAFE_METHODS and by_browser and not self._from_here(headers):
            raise NotAllowed("Only pages of this site may send this without an API key.")

    def _from_here(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None and origin in self._origins:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is not None and urlsplit(origin).netloc == headers.get("host")
