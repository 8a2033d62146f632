"""Sign-in, sign-out, who am I, and API keys."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from support_copilot.accounts.schemas import (
    ApiKeyList,
    ApiKeyOut,
    CreatedApiKey,
    Me,
    NewApiKey,
    SignedIn,
    SignedInUser,
    SignIn,
)
from support_copilot.accounts.service import AccountService
from support_copilot.domain.identity import PERMISSIONS, Identity, Permission, Role
from support_copilot.web import session_cookie
from support_copilot.web.fields import Id
from support_copilot.web.identity_header import identity, require
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import documented

router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["accounts"])


def _service(request: Request) -> AccountService:
    service: AccountService = request.app.state.accounts
    return service


Service = Annotated[AccountService, Depends(_service)]
Caller = Annotated[Identity, Depends(identity)]
Admin = Annotated[Identity, Depends(require(Permission.MANAGE_ACCOUNTS))]


@router.post("/auth/sign-in", summary="Sign in with user name and password")
async def sign_in(
    body: SignIn, request: Request, response: Response, accounts: Service
) -> SignedIn:
    """Set the session cookie, and return its token for callers that keep no cookies."""
    session, token, user = await accounts.sign_in(body.username, body.password)
    secure = request.url.scheme == "https"
    session_cookie.set_cookie(response, token, session.expires_at, secure=secure)
    return SignedIn(
        token=token,
        expires_at=session.expires_at,
        user=SignedInUser(username=user.username, name=user.name, role=user.role),
    )


@router.post("/auth/sign-out", status_code=204, summary="End the session")
async def sign_out(request: Request, accounts: Service, _caller: Caller) -> Response:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(session_cookie.NAME, "")
    await accounts.sign_out(token.strip())
    response = Response(status_code=204)
    session_cookie.clear_cookie(response, secure=request.url.scheme == "https")
    return response


@router.get("/auth/me", summary="Who is calling")
async def me(caller: Caller) -> Me:
    return Me(
        subject=caller.subject,
        role=caller.role,
        proof=caller.proof,
        permissions=sorted(PERMISSIONS[caller.role]),
    )


@router.get("/api-keys", summary="List the API keys")
async def list_api_keys(accounts: Service, _admin: Admin) -> ApiKeyList:
    return ApiKeyList(items=[ApiKeyOut(**asdict(key)) for key in await accounts.api_keys()])


@router.post("/api-keys", status_code=201, summary="Make an API key")
async def create_api_key(body: NewApiKey, accounts: Service, _admin: Admin) -> CreatedApiKey:
    """Return the key with its secret, which is shown only here."""
    expires_at = None
    if body.expires_in_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=body.expires_in_days)
    key, secret = await accounts.create_api_key(body.name, Role(body.role), expires_at)
    return CreatedApiKey(**asdict(key), secret=secret)


@router.delete(
    "/api-keys/{key_id}", status_code=204, summary="Revoke an API key", responses=documented(404)
)
async def revoke_api_key(key_id: Id, accounts: Service, _admin: Admin) -> Response:
    await accounts.revoke_api_key(key_id)
    return Response(status_code=204)
