"""Moves messages from the outbox to the broker, so that a commit and its messages are one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from support_copilot.ports import Clock, Database, Queue, UnitOfWork

log = structlog.get_logger(__name__)

RETRY_BASE_SECONDS = 0.2
RETRY_CAP_SECONDS = 15.0
PAUSE_SECONDS = 0.04
LINGER_SECONDS = 0.5


class OutboxRelay:
    """Publishes what was committed, in order, at least once.

    Several relays may run: a message published twice has its effect once, because consumers
    claim its id.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        clock: Clock,
        *,
        batch: int = 200,
        poll_seconds: float = 0.5,
        observe_pending: Callable[[int], None] = lambda _pending: None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock
        self._batch = batch
        self._poll_seconds = poll_seconds
        self._observe_pending = observe_pending
        self._news = asyncio.Event()
        self._oldest: datetime | None = None

    def wake(self) -> None:
        """Say that something was committed; cheap, and safe to call too often."""
        self._news.set()

    @property
    def lag_seconds(self) -> float:
        """The age of the oldest message that was pending at the last look; 0.0 for none."""
        if self._oldest is None:
            return 0.0
        return max(0.0, (self._clock.now() - self._oldest).total_seconds())

    async def run(self) -> None:
        """Relay until cancelled; a broker or database that fails is tried again, ever slower."""
        failures = 0
        while True:
            self._news.clear()
            try:
                await self.drain()
            except Exception as error:
                delay = min(RETRY_CAP_SECONDS, RETRY_BASE_SECONDS * 2**failures)
                failures = min(failures + 1, 16)
                log.warning(
                    "relay.failed",
                    error=f"{type(error).__name__}: {error}",
                    lag_seconds=round(self.lag_seconds, 3),
                    delay_seconds=delay,
                    exc_info=failures == 1,
                )
                await asyncio.sleep(delay)
            else:
                failures = 0
                await self._hear_news()

    async def drain(self) -> int:
        """Publish all that is pending and return how many; raises what the broker raises."""
        published = 0
        while True:
            pending = await self._database.look(lambda uow: uow.outbox.pending(self._batch))
            self._observe_pending(len(pending))
            self._oldest = min((message.created_at for message in pending), default=None)
            if not pending:
                return published
            await self._queue.publish(pending)
            sent = [message.id for message in pending]
            await self._database.transact(partial(_remove, sent))
            published += len(pending)

    async def _hear_news(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._news.wait()
        except TimeoutError:
            return
        # Under load one transaction carries what many commits left; alone, nobody waits for long.
        latest = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < latest:
            self._news.clear()
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                return


async def _remove(message_ids: list[int], uow: UnitOfWork) -> None:
    await uow.outbox.remove(message_ids)
