"""How the gateway tells a service who is calling: one signed header, valid for a minute.

``base64url(payload).base64url(HMAC-SHA256(secret, payload))``; the payload is JSON with subject,
role, proof and the expiry in Unix seconds. The gateway strips the header from outside requests.
"""

import base64
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import orjson
from fastapi import Request

from support_copilot.domain.errors import NotAllowed, NotSignedIn
from support_copilot.domain.identity import Identity, Permission, Role

HEADER = "x-copilot-identity"
LIFETIME_SECONDS = 60


def _mac(payload: bytes, secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(secret, payload, "sha256"))


def sign(identity: Identity, secret: bytes, now: datetime) -> str:
    """Return the header's value, valid for 60 seconds from ``now``."""
    claims = [
        identity.subject,
        identity.role.value,
        identity.proof,
        int(now.timestamp()) + LIFETIME_SECONDS,
    ]
    payload = base64.urlsafe_b64encode(orjson.dumps(claims))
    return (payload + b"." + _mac(payload, secret)).decode()


def verify(value: str, secret: bytes, now: datetime) -> Identity:
    """Return the identity. Raises NotSignedIn for a header that is forged or expired."""
    payload, _, mac = value.encode("latin-1", "replace").partition(b".")
    if not hmac.compare_digest(mac, _mac(payload, secret)):
        raise NotSignedIn("The identity of the request is not signed by the gateway.")
    subject, role, proof, expires = orjson.loads(base64.urlsafe_b64decode(payload))
    if now.timestamp() >= expires:
        raise NotSignedIn("The identity of the request has expired; send it again.")
    return Identity(subject=subject, role=Role(role), proof=proof)


async def optional_identity(request: Request) -> Identity | None:
    """FastAPI dependency: who is calling, None for nobody."""
    value = request.headers.get(HEADER)
    if value is None:
        return None
    return verify(value, request.app.state.identity_secret, datetime.now(UTC))


async def identity(request: Request) -> Identity:
    """FastAPI dependency: who is calling. Raises NotSignedIn for nobody."""
    caller = await optional_identity(request)
    if caller is None:
        raise NotSignedIn("Send an API key as Authorization: Bearer KEY, or sign in.")
    return caller


def require(permission: Permission) -> Callable[[Request], Awaitable[Identity]]:
    """Return a FastAPI dependency: the caller, who has ``permission``.

    Raises NotSignedIn or NotAllowed. The secret is ``request.app.state.identity_secret``.
    """

    async def allowed(request: Request) -> Identity:
        caller = await identity(request)
        if not caller.may(permission):
            raise NotAllowed(
                f"The role {caller.role} may not do this; it needs the permission {permission}.",
                permission=permission.value,
            )
        return caller

    return allowed
