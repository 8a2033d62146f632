"""The product's own HTTP API, as the portal uses it: what is allowed there is allowed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx2
from starlette.types import ASGIApp

from support_copilot.domain.errors import Unavailable
from support_copilot.web import request_id

Json = dict[str, Any]
Params = list[tuple[str, str | int | float | bool | None]]


def in_process(app: ASGIApp) -> httpx2.AsyncClient:
    """Return a client of an application of this process; no socket is opened."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://support-copilot", trust_env=False
    )


class Refused(Exception):
    """The API answered with a problem: its status and its document, as RFC 9457 has it."""

    def __init__(self, status: int, document: Json) -> None:
        super().__init__(document.get("detail", ""))
        self.status = status
        self.document = document

    @property
    def detail(self) -> str:
        return str(self.document.get("detail") or "The request was refused.")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json


class Api:
    """Calls the API in the name of one visitor, by the token of their session."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        # One client serves all visitors: a cookie it kept would be another visitor's.
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, params: Params | None = None) -> Answer:
        """Return the answer; raise Refused for a problem, Unavailable where nothing answers."""
        return await self._send("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        return await self._send("POST", path, body)

    async def patch(self, path: str, body: Mapping[str, Any], version: str) -> Answer:
        """``version`` is the one the visitor saw; Refused with 412 if it is no longer the last."""
        return await self._send("PATCH", path, body, headers={"If-Match": f'"{version}"'})

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {**self._headers, **(headers or {})}
        if (current := request_id.current()) is not None:
            sent[request_id.HEADER] = current
        try:
            response = await self._client.request(
                method, path, params=params, json=body, headers=sent
            )
        except httpx2.TransportError as error:
            raise Unavailable("The desk does not answer just now; try again.") from error
        content = response.json() if response.content else {}
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise Refused(response.status_code, content)
        return Answer(response.status_code, content)
