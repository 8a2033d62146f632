"""Work on single things that arrive at about the same time, done together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

WAIT_SECONDS = 0.02
AT_ONCE = 64


class Together:
    """Collects ids for a moment and gives them to ``work`` at once.

    Where that fails each is tried alone, so that one that cannot be done spoils no other.
    """

    def __init__(self, work: Callable[[Sequence[int]], Awaitable[None]]) -> None:
        self._work = work
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, one: int) -> None:
        """Return when the work on ``one`` is done; raises what it raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        await asyncio.sleep(WAIT_SECONDS)
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                await self._work([one for one, _ in batch])
            except Exception:  # noqa: BLE001 - each is tried alone, and hears its own error
                for one, done in batch:
                    await self._alone(one, done)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)
        self._task = None

    async def _alone(self, one: int, done: asyncio.Future[None]) -> None:
        try:
            await self._work([one])
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(None)
