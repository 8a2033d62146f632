"""The messages exchanged about an issue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MESSAGE_MAX = 20_000


class Sender(StrEnum):
    CUSTOMER = "CUSTOMER"
    SUPPORT = "SUPPORT"


@dataclass(frozen=True, slots=True)
class Message:
    """One row of ``conversations``; ``author`` is the executive of a SUPPORT message."""

    id: int
    issue_id: int
    message: str
    sender_type: Sender
    created_at: datetime
    author: str | None = None
