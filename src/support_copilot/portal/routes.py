"""The pages and forms of the portal."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx2
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from support_copilot.domain.errors import NotFound, NotSignedIn
from support_copilot.domain.identifiers import MAX_ID
from support_copilot.domain.identity import Identity, Session, User
from support_copilot.portal import pages
from support_copilot.portal.api import Api, Json, Refused
from support_copilot.portal.rendering import render
from support_copilot.web import session_cookie
from support_copilot.web.identity_header import identity, optional_identity

SignIn = Callable[[str, str], Awaitable[tuple[Session, str, User]]]
"""Takes user name and password; raises NotSignedIn where they do not belong together."""

RaiseIssue = Callable[[Mapping[str, Any], str], Awaitable[tuple[int, Json]]]
"""Takes an issue in as the API has it; see ``public_intake.PublicIntake``."""

_PASSWORD_MAX = 1024
_NOTICES = {
    "sent": "Your reply is in the conversation.",
    "unrecorded": "Your reply is in the conversation; what became of the proposal is not recorded.",
    "rated": "The severity is set; the Copilot learns from it.",
    "changed": "The issue was changed.",
    "ended": "The conversation has ended; its summary is being written.",
    "rejected": "Noted: the proposal was not used.",
    "proposed": "The Copilot looked again.",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the portal is given: the API's client, sign-in, and the intake of the public form."""

    client: httpx2.AsyncClient
    sign_in: SignIn
    raise_issue: RaiseIssue


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, with the API in their name."""

    name: str
    api: Api


router = APIRouter(include_in_schema=False)


async def visitor(request: Request, caller: Annotated[Identity, Depends(identity)]) -> Visitor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(session_cookie.NAME, "")
    return Visitor(caller.subject, Api(_parts(request).client, token.strip()))


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.portal
    return parts


SignedIn = Annotated[Visitor, Depends(visitor)]
Anybody = Annotated[Identity | None, Depends(optional_identity)]


@router.get("/")
async def inbox(
    who: SignedIn, view: str = "", sort: str = "", q: str = "", cursor: str = ""
) -> Response:
    shown = await pages.inbox(
        who.api, view=view, sort=sort, text=q.strip(), cursor=cursor, user=who.name
    )
    return _page("inbox.html", user=who.name, **shown)


async def issue_page(
    who: Visitor,
    issue_id: str,
    *,
    proposal: str = "",
    error: str | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    shown = await pages.issue(who.api, _id(issue_id), proposal)
    shown |= {"notice": None, "error": error, "user": who.name, **values}
    return _page("issue.html", status, **shown)


@router.get("/issues/{issue_id}")
async def issue(who: SignedIn, issue_id: str, proposal: str = "", done: str = "") -> Response:
    return await issue_page(who, issue_id, proposal=proposal, notice=_NOTICES.get(done))


async def change(
    who: Visitor, issue_id: str, act: Callable[[], Awaitable[object]], done: str
) -> Response:
    """Do something to an issue and show it; refused, show it with the reason."""
    try:
        await act()
    except Refused as refusal:
        if refusal.status not in {409, 412, 422}:
            raise
        return await issue_page(who, issue_id, error=refusal.detail, status=refusal.status)
    return _see(f"/issues/{issue_id}?done={done}")


@router.post("/issues/{issue_id}/reply")
async def reply(request: Request, who: SignedIn, issue_id: str) -> Response:
    form = await _form(request)
    text = form.get("message", "")
    try:
        await who.api.post(
            f"/v1/issues/{_id(issue_id)}/messages",
            {"message": text, "sender_type": "SUPPORT"},
        )
    except Refused as refusal:
        if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        proposal = form.get("proposal", "")
        return await issue_page(
            who, issue_id, proposal=proposal, error=refusal.detail, status=422, reply=text
        )
    done = "sent"
    if form.get("proposal", "").isdigit():
        done = await _record(who.api, form, text)
    return _see(f"/issues/{issue_id}?done={done}#end-of-conversation")


@router.post("/issues/{issue_id}/severity")
async def severity(request: Request, who: SignedIn, issue_id: str) -> Response:
    form = await _form(request)
    body = {"severity": form.get("severity", ""), "reason": form.get("reason", "")}
    path = f"/v1/issues/{_id(issue_id)}"
    return await change(
        who, issue_id, lambda: who.api.patch(path, body, form.get("version", "")), "rated"
    )


@router.post("/issues/{issue_id}/details")
async def details(request: Request, who: SignedIn, issue_id: str) -> Response:
    form = await _form(request)
    body = {"assignee": form.get("assignee", "").strip(), "status": form.get("status", "")}
    if "take" in form:
        body = {"assignee": who.name}
    path = f"/v1/issues/{_id(issue_id)}"
    return await change(
        who, issue_id, lambda: who.api.patch(path, body, form.get("version", "")), "changed"
    )


@router.post("/issues/{issue_id}/end")
async def end(request: Request, who: SignedIn, issue_id: str) -> Response:
    form = await _form(request)
    body = {"status": "RESOLVED"}
    if form.get("resolution", "").strip():
        body["resolution"] = form["resolution"]
    path = f"/v1/issues/{_id(issue_id)}/end"
    return await change(who, issue_id, lambda: who.api.post(path, body), "ended")


@router.post("/issues/{issue_id}/proposals")
async def propose(who: SignedIn, issue_id: str) -> Response:
    path = f"/v1/issues/{_id(issue_id)}/recommendations"
    return await change(who, issue_id, lambda: who.api.post(path), "proposed")


@router.post("/issues/{issue_id}/proposals/{proposal_id}/reject")
async def reject(request: Request, who: SignedIn, issue_id: str, proposal_id: str) -> Response:
    form = await _form(request)
    body = {"verdict": "rejected", "reason": form.get("reason", "")}
    path = f"/v1/recommendations/{_id(proposal_id)}/feedback"
    return await change(who, issue_id, lambda: who.api.post(path, body), "rejected")


@router.get("/customers/{customer_id}")
async def customer(who: SignedIn, customer_id: str) -> Response:
    shown = await pages.customer(who.api, _id(customer_id))
    return _page("customer.html", user=who.name, **shown)


@router.get("/sign-in")
async def sign_in_form(caller: Anybody, next: str = "/") -> Response:  # noqa: A002 - its name
    if caller is not None:
        return _see(_local(next))
    return _page("sign_in.html", next=_local(next), username="", error=None)


@router.post("/sign-in")
async def sign_in_submit(request: Request) -> Response:
    form = await _form(request)
    username = form.get("username", "").strip()
    password = form.get("password", "")[:_PASSWORD_MAX]
    wanted = _local(form.get("next", "/"))
    try:
        session, token, _user = await _parts(request).sign_in(username, password)
    except NotSignedIn as refusal:
        values = {"next": wanted, "username": username, "error": refusal.detail}
        return _page("sign_in.html", 401, **values)
    response = _see(wanted)
    secure = request.url.scheme == "https"
    session_cookie.set_cookie(response, token, session.expires_at, secure=secure)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, who: SignedIn) -> Response:
    await who.api.post("/v1/auth/sign-out")
    response = _see("/sign-in")
    session_cookie.clear_cookie(response, secure=request.url.scheme == "https")
    return response


@router.get("/raise")
async def raise_form(caller: Anybody) -> Response:
    user = caller.subject if caller else None
    return _page("raise.html", user=user, form={}, errors={}, form_id=secrets.token_hex(16))


@router.post("/raise")
async def raise_submit(request: Request, caller: Anybody) -> Response:
    form = await _form(request)
    user = caller.subject if caller else None
    status, body = await _parts(request).raise_issue(
        {
            "customer": {"email": form.get("email", "").strip(), "name": form.get("name", "")},
            "title": form.get("title", ""),
            "description": form.get("description", ""),
            "channel": "portal",
        },
        form.get("form_id", ""),
    )
    if status == HTTPStatus.CREATED:
        email = body["customer"]["email"]
        return _page("raised.html", 201, user=user, number=body["number"], email=email)
    if status != HTTPStatus.UNPROCESSABLE_ENTITY:
        raise Refused(status, body)
    errors = {item["field"].rpartition(".")[2]: item["message"] for item in body.get("errors", [])}
    form_id = form.get("form_id", "")
    return _page("raise.html", 422, user=user, form=form, errors=errors, form_id=form_id)


async def _record(api: Api, form: Mapping[str, str], text: str) -> str:
    """Record what became of the proposal a reply was made from; return the notice to show."""
    body = {"verdict": "accepted"}
    if pages.mark(text) != form.get("mark"):
        body = {"verdict": "edited", "final_text": text}
    try:
        await api.post(f"/v1/recommendations/{form['proposal']}/feedback", body)
    except Refused:
        return "unrecorded"
    return "sent"


async def _form(request: Request) -> dict[str, str]:
    """Return the text fields; browsers send every line end as CRLF, whatever was typed."""
    async with request.form() as form:
        return {
            name: value.replace("\r\n", "\n")
            for name, value in form.items()
            if isinstance(value, str)
        }


def _page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(template, **values), status, {"Cache-Control": "no-store"})


def _see(place: str) -> Response:
    return RedirectResponse(place, 303, headers={"Cache-Control": "no-store"})


def _id(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID:
        return int(text)
    raise NotFound("There is nothing with this id.")


def _local(place: str) -> str:
    """Return a path of this site; anything else is the inbox, never another site."""
    parts = urlsplit(place.replace("\\", "/"))
    if parts.scheme or parts.netloc or not place.startswith("/") or place.startswith("//"):
        return "/"
    return place if place.isprintable() and place.isascii() else "/"
