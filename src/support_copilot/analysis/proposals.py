"""Replies proposed for a stored issue: from the team's templates and what resolved its like."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from support_copilot.domain.conversation import Sender
from support_copilot.domain.errors import NotFound
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.issue import Issue, format_number
from support_copilot.domain.recommendation import (
    PastReply,
    Proposal,
    Recommendation,
    Template,
)
from support_copilot.ports import Analysis, Clock, Database, Ids, UnitOfWork

PROPOSED = 3
# More than the executive sees: of the similar issues only those resolved hold a reply.
SIMILAR_READ = 10
CONSUMER = "recommendation_generation"


class IssueProposals:
    """Reads what a proposal may come from, asks the analysis, stores what it answers."""

    def __init__(self, database: Database, analysis: Analysis, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._analysis = analysis
        self._clock = clock
        self._ids = ids

    async def generate(
        self, issue_id: int, *, message_id: int | None = None
    ) -> list[Recommendation]:
        """Propose replies and store them.

        ``message_id`` claims a queue message with the effect: given again, nothing is stored
        and the answer is empty. Such a caller lets intakes go first. Raises NotFound.
        """
        if message_id is None:
            return await self._generate(issue_id, None)
        async with self._analysis.background():
            return await self._generate(issue_id, message_id)

    async def _generate(self, issue_id: int, message_id: int | None) -> list[Recommendation]:
        issue, text = await self._database.look(partial(_asked, issue_id))
        hits = await self._analysis.similar(issue.title, text, limit=SIMILAR_READ, without=issue_id)
        templates, replies = await self._database.look(
            partial(_sources, [hit.issue_id for hit in hits])
        )
        scores = {hit.issue_id: hit.score for hit in hits}
        proposals = await self._analysis.propose(
            f"{issue.title}\n{text}",
            templates=templates,
            replies=[_scored(reply, scores) for reply in replies],
            limit=PROPOSED,
        )
        return await self._store(issue, proposals, message_id)

    async def _store(
        self, issue: Issue, proposals: list[Proposal], message_id: int | None
    ) -> list[Recommendation]:
        now = self._clock.now()
        recommendations = [
            Recommendation(
                id=self._ids.new(),
                issue_id=issue.id,
                template_text=proposal.template_text,
                confidence_score=proposal.confidence,
                created_at=now,
                rank=rank,
                sources=[source.as_dict() for source in proposal.sources],
                model_version=proposal.model_version,
            )
            for rank, proposal in enumerate(proposals)
        ]
        ready = Event(
            EventType.RECOMMENDATION_READY,
            issue.id,
            now,
            {"number": format_number(issue.number), "count": len(recommendations)},
        )

        async def store(uow: UnitOfWork) -> list[Recommendation]:
            if message_id is not None and not await uow.processed.claim(message_id, CONSUMER):
                return []
            if await uow.issues.get(issue.id) is None:
                return []
            await uow.recommendations.add(recommendations)
            await uow.issues.mark(issue.id, recommended_at=now)
            await uow.events.append(ready)
            return recommendations

        return await self._database.transact(store)


async def _asked(issue_id: int, uow: UnitOfWork) -> tuple[Issue, str]:
    """Return the issue and what its customer last said.

    That is the description, or what was said after the last reply. Raises NotFound.
    """
    issue = await uow.issues.get(issue_id)
    if issue is None:
        raise NotFound(f"There is no issue {issue_id}.")
    tail: list[str] = []
    for message in reversed(await uow.conversations.of_issue(issue_id)):
        if message.sender_type is Sender.SUPPORT:
            break
        tail.append(message.message)
    return issue, "\n".join(reversed(tail)) or issue.description


async def _sources(issue_ids: list[int], uow: UnitOfWork) -> tuple[list[Template], list[PastReply]]:
    return await uow.templates.all(), await uow.conversations.resolving_replies(issue_ids)


def _scored(reply: PastReply, scores: dict[int, float]) -> PastReply:
    return replace(reply, similarity=scores[reply.issue_id])
