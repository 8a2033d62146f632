"""Who is calling, and what a role may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    CUSTOMER = "customer"
    EXECUTIVE = "executive"
    LEAD = "lead"
    ADMIN = "admin"
    INTEGRATION = "integration"


class Permission(StrEnum):
    CREATE_ISSUES = "issues:create"
    READ_ISSUES = "issues:read"
    CHANGE_ISSUES = "issues:change"
    ERASE_ISSUES = "issues:erase"
    READ_CUSTOMERS = "customers:read"
    USE_ANALYSIS = "analysis:use"
    READ_EVENTS = "events:read"
    MANAGE_TEMPLATES = "templates:manage"
    MANAGE_ACCOUNTS = "accounts:manage"
    MANAGE_QUEUES = "queues:manage"


_DESK = frozenset(
    {
        Permission.CREATE_ISSUES,
        Permission.READ_ISSUES,
        Permission.CHANGE_ISSUES,
        Permission.READ_CUSTOMERS,
        Permission.USE_ANALYSIS,
        Permission.READ_EVENTS,
    }
)
_LEAD = _DESK | {
    Permission.MANAGE_TEMPLATES,
    Permission.MANAGE_QUEUES,
    Permission.ERASE_ISSUES,
}

#: The one table of what each role may do. A customer acts through signed links, never a key.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CUSTOMER: frozenset(),
    Role.EXECUTIVE: _DESK,
    Role.INTEGRATION: _DESK,
    Role.LEAD: _LEAD,
    Role.ADMIN: _LEAD | {Permission.MANAGE_ACCOUNTS},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller: ``subject`` is a user name or ``key:<prefix>``, ``proof`` how it was proved."""

    subject: str
    role: Role
    proof: str = "api-key"

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in; ``password_hash`` is an argon2id string."""

    id: int
    username: str
    name: str
    role: Role
    password_hash: str
    created_at: datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an integration; only its SHA-256 is stored, ``prefix`` is shown to recognise it."""

    id: int
    name: str
    role: Role
    prefix: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser; only the SHA-256 of its token is stored."""

    token_hash: str
    username: str
    role: Role
    created_at: datetime
    expires_at: datetime
