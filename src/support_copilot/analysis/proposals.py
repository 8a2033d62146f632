"""Replies proposed for a stored issue: from the team's templates and what resolved its like."""

from __future__ import annotations

from dataclasses import replace

from support_copilot.domain.conversation import Sender
from support_copilot.domain.errors import NotFound
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.issue import Issue, format_number
from support_copilot.domain.recommendation import PastReply, Proposal, Recommendation
from support_copilot.ports import Analysis, Clock, Database, Ids, UnitOfWork

PROPOSED = 3
# More than the executive sees: of the similar issues only those resolved hold a reply.
SIMILAR_READ = 20
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
        and the answer is empty. Raises NotFound.
        """
        async with self._database.read() as uow:
            issue = await uow.issues.get(issue_id)
            if issue is None:
                raise NotFound(f"There is no issue {issue_id}.")
            text = await _what_is_asked(uow, issue)
        hits = await self._analysis.similar(issue.title, text, limit=SIMILAR_READ, without=issue_id)
        async with self._database.read() as uow:
            templates = await uow.templates.all()
            replies = await uow.conversations.resolving_replies([hit.issue_id for hit in hits])
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
        async with self._database.write() as uow:
            if message_id is not None and not await uow.processed.claim(message_id, CONSUMER):
                return []
            if await uow.issues.get(issue.id) is None:
                return []
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
            await uow.recommendations.add(recommendations)
            await uow.issues.mark(issue.id, recommended_at=now)
            await uow.events.append(
                Event(
                    EventType.RECOMMENDATION_READY,
                    issue.id,
                    now,
                    {"number": format_number(issue.number), "count": len(recommendations)},
                )
            )
        return recommendations


async def _what_is_asked(uow: UnitOfWork, issue: Issue) -> str:
    """Return what the customer last said: the description, or a later message after a reply."""
    messages = await uow.conversations.of_issue(issue.id)
    tail: list[str] = []
    for message in reversed(messages):
        if message.sender_type is Sender.SUPPORT:
            break
        tail.append(message.message)
    return "\n".join(reversed(tail)) or issue.description


def _scored(reply: PastReply, scores: dict[int, float]) -> PastReply:
    return replace(reply, similarity=scores[reply.issue_id])
