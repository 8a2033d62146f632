"""The four queues: what travels on them and how failures are retried."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter; after ``max_attempts`` the message is dead."""

    max_attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 60.0

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after failed attempt number ``attempt`` (from 1)."""
        ceiling = min(self.cap_seconds, self.base_seconds * 2 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreading load, not secrets


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """``handler_seconds`` bounds one handling; ``payload`` names the fields of the body.

    ``concurrency`` is how many messages a worker handles at a time.
    """

    name: str
    payload: tuple[str, ...]
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    handler_seconds: float = 30.0
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message: ``id`` makes its effect idempotent, ``key`` keeps order per issue."""

    id: int
    queue: str
    body: dict[str, Any]
    created_at: datetime
    key: int = 0
    schema_version: int = SCHEMA_VERSION
    trace: dict[str, str] = field(default_factory=dict)


ISSUE_ANALYSIS = QueueSpec("issue_analysis", ("issue_id",), concurrency=32)
RECOMMENDATION_GENERATION = QueueSpec("recommendation_generation", ("issue_id",), concurrency=2)
CONVERSATION_SUMMARIZATION = QueueSpec("conversation_summarization", ("issue_id",), concurrency=2)
NOTIFICATION = QueueSpec("notification", ("issue_id", "kind"))

QUEUES = {
    spec.name: spec
    for spec in (
        ISSUE_ANALYSIS,
        RECOMMENDATION_GENERATION,
        CONVERSATION_SUMMARIZATION,
        NOTIFICATION,
    )
}
