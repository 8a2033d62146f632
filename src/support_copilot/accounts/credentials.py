"""Secrets that callers present: how they look, how they are made, what is stored of them."""

from __future__ import annotations

import hashlib
import re
import secrets
import string

_BASE62 = string.digits + string.ascii_letters
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 43  # 62**43 > 2**256: the strength of 32 random bytes
_API_KEY = re.compile(rf"sc_[0-9A-Za-z]{{{_PREFIX_LENGTH}}}_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")
_SESSION = re.compile(rf"scs_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def new_api_key() -> tuple[str, str]:
    """Return a key ``sc_<prefix>_<secret>`` and its prefix, by which people recognise it."""
    prefix = _random(_PREFIX_LENGTH)
    return f"sc_{prefix}_{_random(_SECRET_LENGTH)}", prefix


def new_session_token() -> str:
    return f"scs_{_random(_SECRET_LENGTH)}"


def is_api_key(token: str) -> bool:
    return _API_KEY.fullmatch(token) is not None


def is_session_token(token: str) -> bool:
    return _SESSION.fullmatch(token) is not None


def fingerprint(token: str) -> str:
    """Return the SHA-256 that is stored: a random token of 256 bits needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
