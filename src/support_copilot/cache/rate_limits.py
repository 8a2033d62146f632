"""Request budgets over the ``limits`` library."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter

from support_copilot.ports import RateLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BUDGETS: Mapping[str, int] = {"default": 600, "intake": 600, "sign-in": 10, "ai": 120}
"""Requests a minute and client."""

_UNLIMITED = RateLimit(allowed=True, limit=0, remaining=0, reset_seconds=0)


class WindowedRateLimiter:
    """Adapter of ``ports.RateLimiter``: fixed windows that start with a client's first request.

    A budget of 0 is unlimited: its ``RateLimit`` has the limit 0.
    """

    def __init__(
        self,
        budgets: Mapping[str, int] = DEFAULT_BUDGETS,
        *,
        window_seconds: int = 60,
        storage: Storage | None = None,
    ) -> None:
        self._windows: dict[str, RateLimitItem | None] = {
            name: RateLimitItemPerSecond(amount, window_seconds, namespace=name) if amount else None
            for name, amount in budgets.items()
        }
        self._limiter = FixedWindowRateLimiter(storage or MemoryStorage())

    async def hit(self, budget: str, client: str) -> RateLimit:
        window = self._windows[budget]
        if window is None:
            return _UNLIMITED
        allowed = await self._limiter.hit(window, client)
        resets_at, remaining = await self._limiter.get_window_stats(window, client)
        return RateLimit(
            allowed=allowed,
            limit=window.amount,
            remaining=max(0, remaining),
            reset_seconds=max(1, math.ceil(resets_at - time.time())),
        )
