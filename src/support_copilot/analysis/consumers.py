"""What analysis does in the background, one handler a queue, each idempotent."""

from __future__ import annotations

from collections.abc import Mapping

from support_copilot.analysis.proposals import IssueProposals
from support_copilot.domain.errors import NotFound
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.issue import format_number
from support_copilot.domain.similarity import IndexEntry
from support_copilot.domain.summary import Summary
from support_copilot.ports import Analysis, Clock, Database, Handler, Ids, UnitOfWork
from support_copilot.queues import (
    CONVERSATION_SUMMARIZATION,
    ISSUE_ANALYSIS,
    RECOMMENDATION_GENERATION,
    QueueMessage,
)


class AnalysisConsumers:
    """An issue that was erased before its message came is nobody's error: nothing is left to do."""

    def __init__(
        self,
        database: Database,
        analysis: Analysis,
        proposals: IssueProposals,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._analysis = analysis
        self._proposals = proposals
        self._clock = clock
        self._ids = ids

    def handlers(self) -> Mapping[str, Handler]:
        return {
            ISSUE_ANALYSIS.name: self.index_issue,
            RECOMMENDATION_GENERATION.name: self.propose,
            CONVERSATION_SUMMARIZATION.name: self.summarise,
        }

    async def index_issue(self, message: QueueMessage) -> None:
        issue_id = int(message.body["issue_id"])
        issue = await self._database.look(lambda uow: uow.issues.get(issue_id))
        if issue is None:
            return
        entries = await self._analysis.prepare([(issue.id, issue.title, issue.description)])

        async def store(uow: UnitOfWork) -> list[IndexEntry]:
            await uow.processed.claim(message.id, ISSUE_ANALYSIS.name)
            return await uow.index_entries.put(entries)

        await self._analysis.index(await self._database.transact(store))

    async def propose(self, message: QueueMessage) -> None:
        try:
            await self._proposals.generate(int(message.body["issue_id"]), message_id=message.id)
        except NotFound:
            return

    async def summarise(self, message: QueueMessage) -> None:
        async with self._database.read() as uow:
            issue = await uow.issues.get(int(message.body["issue_id"]))
            if issue is None:
                return
            messages = await uow.conversations.of_issue(issue.id)
        content = await self._analysis.summarise(messages, status=issue.status)
        now = self._clock.now()
        async with self._database.write() as uow:
            if not await uow.processed.claim(message.id, CONVERSATION_SUMMARIZATION.name):
                return
            if await uow.issues.get(issue.id) is None:
                return
            await uow.summaries.add(
                Summary(
                    id=self._ids.new(),
                    issue_id=issue.id,
                    content=content,
                    message_count=len(messages),
                    created_at=now,
                )
            )
            await uow.events.append(
                Event(
                    EventType.SUMMARY_READY, issue.id, now, {"number": format_number(issue.number)}
                )
            )
