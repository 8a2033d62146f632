"""The portal: the desk's pages and the public form."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

import httpx2
from fastapi import FastAPI, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from support_copilot import __version__
from support_copilot.domain.errors import NotSignedIn
from support_copilot.portal.api import Refused
from support_copilot.portal.rendering import render
from support_copilot.portal.routes import Parts, RaiseIssue, SignIn, router
from support_copilot.web.app_factory import create_app
from support_copilot.web.json_body import JsonResponse
from support_copilot.web.problem_details import MEDIA_TYPE


def create_portal_app(
    client: httpx2.AsyncClient,
    *,
    sign_in: SignIn,
    raise_issue: RaiseIssue,
    identity_secret: bytes,
    version: str = __version__,
) -> FastAPI:
    """Return the application of ``/``, which anonymous visitors may reach.

    ``client`` speaks to the gateway, embedded in this process (``api.in_process``), distributed
    by its base URL; the portal forwards each visitor's session to it. Its errors leave as
    problems: put ``problem_pages.ProblemPages`` around the gateway.
    """
    app = create_app("Portal", version, identity_secret)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(NotSignedIn, _on_not_signed_in)
    app.state.portal = Parts(client, sign_in, raise_issue)
    app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("support_copilot.portal", "static")]))
    return app


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    if error.status == HTTPStatus.UNAUTHORIZED:
        return _to_sign_in(request)
    return JsonResponse(error.document, error.status, media_type=MEDIA_TYPE)


async def _on_not_signed_in(request: Request, _error: Exception) -> Response:
    if request.method == "POST":
        # Nothing has read the body: what was written is given back, not lost.
        async with request.form() as form:
            message = form.get("message")
        if isinstance(message, str) and message.strip():
            page = render("session_ended.html", message=message)
            return HTMLResponse(page, 401, {"Cache-Control": "no-store"})
    return _to_sign_in(request)


def _to_sign_in(request: Request) -> Response:
    place = "/sign-in"
    if request.method == "GET":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        place += f"?{urlencode({'next': wanted})}" if wanted != "/" else ""
    return RedirectResponse(place, 303, headers={"Cache-Control": "no-store"})
