"""Who may use the desk: makes users, keys and sessions, and recognises them again."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from pwdlib import PasswordHash

from support_copilot.accounts import credentials
from support_copilot.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from support_copilot.domain.identity import ApiKey, Identity, Role, Session, User

if TYPE_CHECKING:
    from support_copilot.ports import Clock, Database, Ids

MIN_PASSWORD = 12
FIRST_ADMIN = "admin"
FIRST_PASSWORD_FILE = "initial-admin-password"  # noqa: S105 - a name, not a password
SESSION_LIFETIME = timedelta(hours=12)
_TOUCH_AFTER = timedelta(hours=1)
_PASSWORDS_AT_ONCE = 2  # each verification takes 64 MiB and a core for a tenth of a second


class AccountService:
    """``passwords`` hashes with argon2id unless a test passes something faster."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        passwords: PasswordHash | None = None,
        session_lifetime: timedelta = SESSION_LIFETIME,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._passwords = passwords or PasswordHash.recommended()
        self._session_lifetime = session_lifetime
        self._hashing = asyncio.Semaphore(_PASSWORDS_AT_ONCE)
        self._dummy_hash: str | None = None

    async def create_user(self, username: str, name: str, role: Role, password: str) -> User:
        """Store a person. Raises InvalidInput for a short password, Conflict for a taken name."""
        _check_password(password)
        user = User(
            id=self._ids.new(),
            username=username,
            name=name,
            role=role,
            password_hash=await self._hash(password),
            created_at=self._clock.now(),
        )
        async with self._database.write() as work:
            if await work.accounts.user(username) is not None:
                raise Conflict(f"The user name {username} is taken.")
            await work.accounts.add_user(user)
        return user

    async def set_password(self, username: str, password: str) -> None:
        """Replace a password and sign the user out everywhere.

        Raises InvalidInput for a short password, NotFound where there is no such user.
        """
        _check_password(password)
        hashed = await self._hash(password)
        async with self._database.write() as work:
            if not await work.accounts.set_password(username, hashed):
                raise NotFound(f"There is no user {username}.")

    async def users(self) -> list[User]:
        async with self._database.read() as work:
            return await work.accounts.users()

    async def create_api_key(
        self, name: str, role: Role, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Return the key and its secret, which cannot be read again.

        Raises InvalidInput for the role of portal visitors and for an expiry that has passed.
        """
        now = self._clock.now()
        if role is Role.CUSTOMER:
            raise InvalidInput("role", "must be executive, lead, admin or integration")
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("expires_at", "must be in the future")
        secret, prefix = credentials.new_api_key()
        key = ApiKey(
            id=self._ids.new(),
            name=name,
            role=role,
            prefix=prefix,
            secret_hash=credentials.fingerprint(secret),
            created_at=now,
            expires_at=expires_at,
        )
        async with self._database.write() as work:
            await work.accounts.add_api_key(key)
        return key, secret

    async def api_keys(self) -> list[ApiKey]:
        async with self._database.read() as work:
            return await work.accounts.api_keys()

    async def revoke_api_key(self, key_id: int) -> None:
        """End a key for good. Raises NotFound where there is no active key of this id."""
        async with self._database.write() as work:
            if not await work.accounts.revoke_api_key(key_id, self._clock.now()):
                raise NotFound(f"There is no active API key {key_id}.")

    async def sign_in(self, username: str, password: str) -> tuple[Session, str, User]:
        """Return the session, its token and the user.

        Raises NotSignedIn, the same and after the same work whatever was wrong.
        """
        async with self._database.read() as work:
            user = await work.accounts.user(username)
        # An unknown name costs a verification too, or the time would tell which names exist.
        dummy = await self._dummy()
        right = await self._verify(password, user.password_hash if user is not None else dummy)
        if user is None or user.disabled or not right:
            raise NotSignedIn("The user name or the password is wrong.")
        token = credentials.new_session_token()
        now = self._clock.now()
        session = Session(
            token_hash=credentials.fingerprint(token),
            username=user.username,
            role=user.role,
            created_at=now,
            expires_at=now + self._session_lifetime,
        )
        async with self._database.write() as work:
            await work.accounts.add_session(session)
        return session, token, user

    async def sign_out(self, token: str) -> None:
        """End the session of a token; an unknown token is no error."""
        if credentials.is_session_token(token):
            async with self._database.write() as work:
                await work.accounts.end_session(credentials.fingerprint(token))

    async def authenticate_token(self, token: str) -> Identity:
        """Return whose API key or session token this is.

        Raises NotSignedIn where it is malformed, unknown, expired or revoked.
        """
        if credentials.is_api_key(token):
            return await self._identity_of_key(token)
        if credentials.is_session_token(token):
            return await self._identity_of_session(token)
        return _refuse()

    async def _identity_of_key(self, token: str) -> Identity:
        wanted, now = credentials.fingerprint(token), self._clock.now()
        async with self._database.read() as work:
            key = await work.accounts.api_key(wanted)
        if key is None or not hmac.compare_digest(key.secret_hash, wanted):
            _refuse()
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            _refuse()
        if key.last_used_at is None or now - key.last_used_at > _TOUCH_AFTER:
            # When a key was last used is a convenience: it must not fail the request.
            with contextlib.suppress(Unavailable):
                async with self._database.write() as work:
                    await work.accounts.touch_api_key(key.id, now)
        return Identity(subject=f"key:{key.prefix}", role=key.role, proof="api-key")

    async def _identity_of_session(self, token: str) -> Identity:
        wanted = credentials.fingerprint(token)
        async with self._database.read() as work:
            session = await work.accounts.session(wanted)
            user = await work.accounts.user(session.username) if session is not None else None
        if session is None or not hmac.compare_digest(session.token_hash, wanted):
            _refuse()
        if session.expires_at <= self._clock.now() or user is None or user.disabled:
            _refuse()
        return Identity(subject=user.username, role=user.role, proof="session")

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.hash, password)

    async def _verify(self, password: str, expected: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.verify, password, expected)

    async def _dummy(self) -> str:
        if self._dummy_hash is None:
            self._dummy_hash = await self._hash(credentials.new_session_token())
        return self._dummy_hash


def _check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD:
        raise InvalidInput("password", f"must have at least {MIN_PASSWORD} characters")


def _refuse() -> NoReturn:
    raise NotSignedIn("The API key or session is not valid, has expired or was revoked.")
