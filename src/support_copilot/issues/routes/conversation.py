"""The conversation of an issue, its end and its summary."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from support_copilot.domain.errors import NotFound
from support_copilot.issues.presentation import message_json, summary_json
from support_copilot.issues.routes.common import Changer, PathId, Reader, answer, issue_or_404
from support_copilot.issues.schemas import (
    EndIn,
    EndOut,
    MessageIn,
    MessageListOut,
    MessageOut,
    SummaryOut,
    SummaryPendingOut,
)
from support_copilot.issues.services import IssueServices
from support_copilot.web.fields import Id
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import documented


def conversation_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(
        prefix="/v1/issues/{issue_id}", tags=["conversations"], route_class=JsonRoute
    )

    @router.post(
        "/messages",
        status_code=201,
        response_model=MessageOut,
        summary="Add a message of the customer or of support",
        responses=documented(404, 412),
    )
    async def add_message(issue_id: PathId, body: MessageIn, caller: Changer) -> Response:
        message = await services.desk.add_message(issue_id, body.message, body.sender_type, caller)
        return answer(message_json(message), 201, {"Location": f"/v1/issues/{issue_id}/messages"})

    @router.get(
        "/messages",
        response_model=MessageListOut,
        summary="Read the conversation, oldest first",
        responses=documented(404),
    )
    async def list_messages(
        issue_id: PathId,
        _caller: Reader,
        after: Annotated[Id, Query(description="Only messages after the one with this id.")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 200,
    ) -> Response:
        async with services.database.read() as uow:
            await issue_or_404(uow, issue_id)
            messages = await uow.conversations.of_issue(issue_id, after=after, limit=limit + 1)
        shown = messages[:limit]
        more = str(shown[-1].id) if len(messages) > limit else None
        return answer({"items": [message_json(item) for item in shown], "next_after": more})

    @router.post(
        "/end",
        status_code=202,
        response_model=EndOut,
        summary="End the conversation; its summary is made in the background",
        responses=documented(404, 412),
    )
    async def end_conversation(
        issue_id: PathId, caller: Changer, body: Annotated[EndIn | None, Body()] = None
    ) -> Response:
        end = body or EndIn()
        await services.desk.end(issue_id, caller, status=end.status, resolution=end.resolution)
        place = f"/v1/issues/{issue_id}/summary"
        return answer({"issue_id": str(issue_id), "summary": place}, 202, {"Location": place})

    @router.get(
        "/summary",
        response_model=SummaryOut,
        summary="Read the summary of the conversation",
        responses={
            202: {"model": SummaryPendingOut, "description": "It is being made; ask again."},
            **documented(404),
        },
    )
    async def get_summary(issue_id: PathId, _caller: Reader) -> Response:
        async with services.database.read() as uow:
            issue = await issue_or_404(uow, issue_id)
            summary = await uow.summaries.latest(issue_id)
        pending = issue.ended_at is not None and (
            summary is None or summary.created_at < issue.ended_at
        )
        if pending:
            return answer(
                {"issue_id": str(issue_id), "state": "computing"}, 202, {"Retry-After": "1"}
            )
        if summary is None:
            raise NotFound(
                "The conversation has no summary yet; end it with POST …/end to have one made."
            )
        return answer(summary_json(summary))

    return router
