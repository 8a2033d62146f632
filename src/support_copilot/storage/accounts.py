"""Users, API keys and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from support_copilot.domain.identity import ApiKey, Role, Session, User
from support_copilot.storage.engine import Connection
from support_copilot.storage.tables import api_keys, sessions, users

_USER = ("id", "username", "name", "role", "password_hash", "created_at", "disabled")
_KEY = (
    "id",
    "name",
    "role",
    "prefix",
    "secret_hash",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
)
_SESSION = ("token_hash", "username", "role", "created_at", "expires_at")


def _fields(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names} | {"role": Role(row.role)}


def _values(record: User | ApiKey | Session, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names} | {"role": record.role.value}


class SqlAccounts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def user(self, username: str) -> User | None:
        rows = await self._connection.rows(sa.select(users).where(users.c.username == username))
        return User(**_fields(rows[0], _USER)) if rows else None

    async def users(self) -> list[User]:
        rows = await self._connection.rows(sa.select(users).order_by(users.c.id))
        return [User(**_fields(row, _USER)) for row in rows]

    async def add_user(self, user: User) -> None:
        await self._connection.run(users.insert(), _values(user, _USER))

    async def set_password(self, username: str, password_hash: str) -> bool:
        changed = await self._connection.run(
            users.update().where(users.c.username == username), {"password_hash": password_hash}
        )
        await self._connection.run(sessions.delete().where(sessions.c.username == username))
        return bool(changed)

    async def api_key(self, secret_hash: str) -> ApiKey | None:
        rows = await self._connection.rows(
            sa.select(api_keys).where(api_keys.c.secret_hash == secret_hash)
        )
        return ApiKey(**_fields(rows[0], _KEY)) if rows else None

    async def api_keys(self) -> list[ApiKey]:
        rows = await self._connection.rows(sa.select(api_keys).order_by(api_keys.c.id))
        return [ApiKey(**_fields(row, _KEY)) for row in rows]

    async def add_api_key(self, key: ApiKey) -> None:
        await self._connection.run(api_keys.insert(), _values(key, _KEY))

    async def revoke_api_key(self, key_id: int, now: datetime) -> bool:
        return bool(
            await self._connection.run(
                api_keys.update().where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)),
                {"revoked_at": now},
            )
        )

    async def touch_api_key(self, key_id: int, now: datetime) -> None:
        await self._connection.run(
            api_keys.update().where(api_keys.c.id == key_id), {"last_used_at": now}
        )

    async def session(self, token_hash: str) -> Session | None:
        rows = await self._connection.rows(
            sa.select(sessions).where(sessions.c.token_hash == token_hash)
        )
        return Session(**_fields(rows[0], _SESSION)) if rows else None

    async def add_session(self, session: Session) -> None:
        await self._connection.run(sessions.insert(), _values(session, _SESSION))

    async def end_session(self, token_hash: str) -> None:
        await self._connection.run(sessions.delete().where(sessions.c.token_hash == token_hash))

    async def prune_sessions(self, now: datetime) -> int:
        return await self._connection.run(sessions.delete().where(sessions.c.expires_at <= now))
