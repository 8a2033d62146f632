"""63-bit, time-ordered identifiers made by the application.

Layout, high to low: 41 bits of milliseconds since 2024-01-01 (enough until 2093), 8 bits of
shard, 5 bits of node, 9 bits of sequence (512 a millisecond a node). After Twitter's Snowflake.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

EPOCH_MS = 1_704_067_200_000
_SHARD_BITS, _NODE_BITS, _SEQUENCE_BITS = 8, 5, 9
_TIME_SHIFT = _SHARD_BITS + _NODE_BITS + _SEQUENCE_BITS
MAX_ID = (1 << 63) - 1


class IdGenerator:
    """Makes ids that never repeat and never go back, whatever the wall clock does."""

    def __init__(
        self, node: int = 0, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        if not 0 <= node < 1 << _NODE_BITS:
            raise ValueError(f"node must be 0..{(1 << _NODE_BITS) - 1}, not {node}")
        self._node = node
        self._clock_ms = clock_ms
        self._last_ms = 0
        self._sequence = 0
        self._lock = threading.Lock()

    def new(self, shard: int = 0) -> int:
        if not 0 <= shard < 1 << _SHARD_BITS:
            raise ValueError(f"shard must be 0..{(1 << _SHARD_BITS) - 1}, not {shard}")
        with self._lock:
            now = max(self._clock_ms() - EPOCH_MS, self._last_ms)
            self._sequence = self._sequence + 1 if now == self._last_ms else 0
            if self._sequence >> _SEQUENCE_BITS:
                # The millisecond is used up: borrow the next one instead of waiting.
                now, self._sequence = now + 1, 0
            self._last_ms = now
            return (
                now << _TIME_SHIFT
                | shard << (_NODE_BITS + _SEQUENCE_BITS)
                | self._node << _SEQUENCE_BITS
                | self._sequence
            )


def shard_of(identifier: int) -> int:
    return identifier >> (_NODE_BITS + _SEQUENCE_BITS) & ((1 << _SHARD_BITS) - 1)


def created_at(identifier: int) -> datetime:
    return datetime.fromtimestamp(((identifier >> _TIME_SHIFT) + EPOCH_MS) / 1000, UTC)


def first_id_at(moment: datetime) -> int:
    """Return the smallest id that could have been made at ``moment``."""
    return max(0, int(moment.timestamp() * 1000) - EPOCH_MS) << _TIME_SHIFT
