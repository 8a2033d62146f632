"""How much of a request's time is left, for every step that could take long."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining(default: float = 15.0) -> float:
    """Return the seconds left, never below 0; ``default`` where no deadline is set."""
    ends_at = _ends_at.get()
    return default if ends_at is None else max(0.0, ends_at - time.monotonic())


@contextmanager
def of_request(seconds: float) -> Iterator[None]:
    """Set the deadline of a request that begins now, whatever the context had before.

    A server may start a pipelined request in the context of the one before it.
    """
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Set a deadline for the block; one that ends earlier stays."""
    token = _ends_at.set(time.monotonic() + min(seconds, remaining(seconds)))
    try:
        yield
    finally:
        _ends_at.reset(token)
