"""Stops asking what does not answer, and asks again after a while.

After Nygard, Release It! (2007): closed until calls fail in a row, then open, then half-open for
one probe.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from support_copilot.domain.errors import Unavailable

FAILURES = 5
OPEN_SECONDS = 30.0


class CircuitBreaker:
    """Guards calls to one dependency; ``name`` is what the refusal tells people."""

    def __init__(
        self,
        name: str,
        *,
        failures: int = FAILURES,
        open_seconds: float = OPEN_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limit = failures
        self._open_seconds = open_seconds
        self._monotonic = monotonic
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> str:
        """Return ``closed``, ``open`` or ``half-open``."""
        if self._opened_at is None:
            return "closed"
        return "open" if self._monotonic() < self._opened_at + self._open_seconds else "half-open"

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Run a call; raises Unavailable at once while open, and beside a probe.

        Any exception of the block counts as a failure, a cancellation does not.
        """
        state = self.state
        if state == "open" or (state == "half-open" and self._probing):
            raise Unavailable(f"{self._name} did not answer {self._limit} times in a row.")
        self._probing = state == "half-open"
        try:
            yield
        except Exception:
            self._failures += 1
            if state == "half-open" or self._failures >= self._limit:
                self._opened_at = self._monotonic()
            raise
        else:
            self._failures = 0
            self._opened_at = None
        finally:
            if state == "half-open":
                self._probing = False
