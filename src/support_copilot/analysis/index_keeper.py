"""Keeps the similarity index of this process equal to what the database holds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from support_copilot.domain.errors import CopilotError
from support_copilot.domain.identifiers import first_id_at
from support_copilot.ports import Analysis, Clock, Database

log = structlog.get_logger(__name__)

LOAD_BATCH = 5_000
REPAIR_BATCH = 64
# Entries of other processes, an import's for example, are searchable after at most this long.
CATCH_UP_SECONDS = 0.5
REPAIR_SECONDS = 30.0
# What the queue will index by itself is left to it.
LEFT_TO_THE_QUEUE = timedelta(minutes=5)


class IndexKeeper:
    """Loads stored entries at start, follows new ones, and mends what lacks a current entry."""

    def __init__(self, database: Database, analysis: Analysis, clock: Clock) -> None:
        self._database = database
        self._analysis = analysis
        self._clock = clock
        self._sequence = 0
        self._whole_up_to = 0
        self._reading = asyncio.Lock()

    async def catch_up(self) -> int:
        """Index what was stored since the last call; return how many entries that were."""
        total = 0
        async with self._reading:
            while True:
                entries = await self._database.look(
                    lambda uow: uow.index_entries.after(self._sequence, LOAD_BATCH)
                )
                if not entries:
                    return total
                await self._analysis.index(entries)
                self._sequence = entries[-1].sequence
                total += len(entries)

    async def repair(self) -> int:
        """Make entries for issues that have none of this encoder and analyser."""
        before = first_id_at(self._clock.now() - LEFT_TO_THE_QUEUE)
        issues = await self._database.look(
            lambda uow: uow.index_entries.missing(
                self._analysis.fingerprint, REPAIR_BATCH, after=self._whole_up_to, before=before
            )
        )
        if not issues:
            self._whole_up_to = before - 1
            return 0
        entries = await self._analysis.prepare(
            [(issue.id, issue.title, issue.description) for issue in issues]
        )
        stored = await self._database.transact(lambda uow: uow.index_entries.put(entries))
        await self.catch_up()
        return len(stored)

    async def run(self) -> None:
        """Follow for ever; a database that does not answer is asked again."""
        next_repair = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.catch_up()
                if loop.time() >= next_repair:
                    mended = await self.repair()
                    if mended:
                        log.info("index.repaired", issues=mended)
                    next_repair = loop.time() + (0 if mended else REPAIR_SECONDS)
            except CopilotError as error:
                log.warning("index.keeper_waits", error=type(error).__name__)
            await asyncio.sleep(CATCH_UP_SECONDS)
