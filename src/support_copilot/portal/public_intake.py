"""How an issue comes in from a visitor whom nobody knows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson

from support_copilot.domain.identity import Identity, Role
from support_copilot.ports import Clock
from support_copilot.web import identity_header

VISITOR = Identity("portal", Role.INTEGRATION, "public-form")


class PublicIntake:
    """Hands issues of the public form to the issue service, signed as the portal's own.

    ``client`` speaks to the issue service itself: the gateway takes no signed identities.
    """

    def __init__(self, client: httpx2.AsyncClient, identity_secret: bytes, clock: Clock) -> None:
        self._client = client
        self._secret = identity_secret
        self._clock = clock

    async def __call__(self, issue: Mapping[str, Any], form: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of the intake.

        ``form`` names the form that was filled in: the same text sent twice from it is one issue.
        """
        key = hashlib.sha256(form.encode() + b"\0" + orjson.dumps(issue)).hexdigest()
        signed = identity_header.sign(VISITOR, self._secret, self._clock.now())
        response = await self._client.post(
            "/v1/issues",
            json=issue,
            headers={identity_header.HEADER: signed, "Idempotency-Key": key},
        )
        return response.status_code, response.json()
