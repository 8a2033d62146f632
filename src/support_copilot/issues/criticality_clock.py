"""Re-judges issues when their criticality is due, never by scanning the open ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from support_copilot.domain.criticality import assess
from support_copilot.domain.errors import Unavailable, VersionMismatch
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.identifiers import shard_of
from support_copilot.domain.issue import Issue
from support_copilot.domain.targets import Targets
from support_copilot.ports import Clock, Database, Ids, UnitOfWork
from support_copilot.queues import NOTIFICATION, QueueMessage

_log = structlog.get_logger(__name__)


class CriticalityClock:
    """Takes up to ``batch`` due issues at a time; each commits with its event and notification.

    One transaction an issue, so that no intake waits for a whole batch.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        targets: Callable[[], Targets],
        interval_seconds: float = 5,
        batch: int = 200,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._targets = targets
        self._interval_seconds = interval_seconds
        self._batch = batch

    async def run(self) -> None:
        """Tick until cancelled; a database that does not answer is asked again later."""
        while True:
            try:
                done = await self.tick()
            except Unavailable as error:
                _log.warning("criticality_clock_waits", detail=error.detail)
                done = 0
            if done < self._batch:
                await asyncio.sleep(self._interval_seconds)

    async def tick(self) -> int:
        """Re-judge what is due now; return how many issues were saved."""
        async with self._database.read() as uow:
            due = await uow.issues.due(self._clock.now(), self._batch)
        return sum([await self._rejudge(issue) for issue in due])

    async def _rejudge(self, issue: Issue) -> bool:
        try:
            async with self._database.write() as uow:
                await self._save(uow, issue)
        except VersionMismatch:
            # Whoever changed it has judged it; if it is due still, the next tick finds it.
            return False
        return True

    async def _save(self, uow: UnitOfWork, issue: Issue) -> None:
        now = self._clock.now()
        history = await uow.customers.history(issue.customer_id, now, without=issue.id)
        before = issue.critical_reasons
        new_codes = assess(issue, history, self._targets(), now).apply_to(issue)
        await uow.issues.save(issue, expected_version=issue.version, edited=False)
        if issue.critical_reasons != before:
            codes = [reason["code"] for reason in issue.critical_reasons]
            kind = EventType.ISSUE_CRITICAL if new_codes else EventType.ISSUE_CHANGED
            data = {"critical": issue.critical, "codes": codes}
            await uow.events.append(Event(kind, issue.id, now, data))
        if new_codes:
            message = QueueMessage(
                id=self._ids.new(shard_of(issue.id)),
                queue=NOTIFICATION.name,
                body={"issue_id": str(issue.id), "kind": "critical"},
                created_at=now,
                key=issue.id,
            )
            await uow.outbox.add([message])
