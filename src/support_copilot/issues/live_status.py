"""The event stream of one process: what was committed, to every listener, without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from support_copilot.domain.events import Event
from support_copilot.ports import Database

BATCH = 200
# Events of other processes on the same database are seen after at most this long.
POLL_SECONDS = 1.0


class DatabaseLiveStatus:
    """Reads the event log; ``wake`` after a commit makes listeners look at once."""

    def __init__(self, database: Database, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._news = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """End every listener: a stop of the process does not wait for those who watch."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        # Each event object is used up by one commit, so that no listener misses the next.
        self._news.set()
        self._news = asyncio.Event()

    async def listen(self, after: int | None) -> AsyncIterator[Event]:
        async with self._database.read() as uow:
            position = await uow.events.last_id() if after is None else after
        while not self._closed:
            news = self._news
            async with self._database.read() as uow:
                events = await uow.events.after(position, BATCH)
            for event in events:
                yield event
                position = event.id
            if len(events) < BATCH:
                try:
                    async with asyncio.timeout(self._poll_seconds):
                        await news.wait()
                except TimeoutError:
                    continue
