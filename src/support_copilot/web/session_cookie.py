"""The cookie of a signed-in browser: written at sign-in, read by the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

NAME = "sc_session"


def set_cookie(response: Response, token: str, expires_at: datetime, *, secure: bool) -> None:
    """Store the session's token where scripts cannot read it; ``secure`` under https."""
    response.set_cookie(
        NAME, token, expires=expires_at, path="/", secure=secure, httponly=True, samesite="lax"
    )


def clear_cookie(response: Response, *, secure: bool) -> None:
    response.delete_cookie(NAME, path="/", secure=secure, httponly=True, samesite="lax")
