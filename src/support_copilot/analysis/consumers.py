"""What analysis does in the background, one handler a queue, each idempotent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from support_copilot.analysis.index_keeper import IndexKeeper
from support_copilot.analysis.proposals import IssueProposals
from support_copilot.analysis.together import Together
from support_copilot.domain.errors import NotFound
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.issue import format_number
from support_copilot.domain.summary import Summary
from support_copilot.ports import Analysis, Clock, Database, Handler, Ids
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
        index_keeper: IndexKeeper,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._analysis = analysis
        self._proposals = proposals
        self._index_keeper = index_keeper
        self._clock = clock
        self._ids = ids
        self._indexing = Together(self._index)

    def handlers(self) -> Mapping[str, Handler]:
        return {
            ISSUE_ANALYSIS.name: self.index_issue,
            RECOMMENDATION_GENERATION.name: self.propose,
            CONVERSATION_SUMMARIZATION.name: self.summarise,
        }

    async def index_issue(self, message: QueueMessage) -> None:
        """Index together what arrives together; putting an entry twice is putting it once."""
        await self._indexing.add(int(message.body["issue_id"]))

    async def _index(self, issue_ids: Sequence[int]) -> None:
        issues = await self._database.look(lambda uow: uow.issues.get_many(issue_ids))
        entries = await self._analysis.prepare(
            [(issue.id, issue.title, issue.description) for issue in issues]
        )
        await self._database.transact(lambda uow: uow.index_entries.put(entries))
        await self._index_keeper.catch_up()

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
