"""The event stream and the notifications."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse

from support_copilot.domain.errors import InvalidInput, NotFound
from support_copilot.issues.presentation import event_json, notification_json
from support_copilot.issues.routes.common import Changer, PathId, Reader, Watcher, answer
from support_copilot.issues.schemas import NotificationListOut
from support_copilot.issues.services import IssueServices
from support_copilot.web.fields import Id
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import documented

# Keeps proxies from closing a quiet stream, and finds a listener that is gone.
HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2_000


def event_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["events"], route_class=JsonRoute)

    @router.get(
        "/events",
        response_class=StreamingResponse,
        summary="Server-sent events as things happen; resumes by Last-Event-ID",
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events(
        _caller: Watcher, last_event_id: Annotated[str | None, Header(max_length=19)] = None
    ) -> Response:
        after = None
        if last_event_id is not None:
            if not (last_event_id.isascii() and last_event_id.isdigit()):
                raise InvalidInput("Last-Event-ID", "must be the id of an event of this stream")
            after = int(last_event_id)
        return StreamingResponse(
            _stream(services, after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @router.get(
        "/notifications",
        response_model=NotificationListOut,
        summary="Read the latest notifications, newest first",
    )
    async def notifications(
        _caller: Reader,
        after: Annotated[Id, Query(description="Only those after the one with this id.")] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        async with services.database.read() as uow:
            items = await uow.notifications.latest(limit, after)
        return answer({"items": [notification_json(item) for item in items]})

    @router.post(
        "/notifications/{notification_id}/read",
        status_code=204,
        summary="Mark a notification as read",
        responses=documented(404),
    )
    async def mark_read(notification_id: PathId, _caller: Changer) -> Response:
        async with services.database.write() as uow:
            if not await uow.notifications.mark_read(notification_id, services.clock.now()):
                raise NotFound(f"There is no notification {notification_id}.")
        return Response(status_code=204)

    return router


async def _stream(services: IssueServices, after: int | None) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MS
    listener = services.live_status.listen(after)
    following = asyncio.ensure_future(anext(listener))
    try:
        while True:
            done, _ = await asyncio.wait({following}, timeout=HEARTBEAT_SECONDS)
            if not done:
                yield b": still here\n\n"
                continue
            if following.exception() is not None:
                return  # the process stops; the client resumes elsewhere by Last-Event-ID
            event = following.result()
            following = asyncio.ensure_future(anext(listener))
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
                event.id,
                event.type.value.encode(),
                orjson.dumps(event_json(event)),
            )
    finally:
        following.cancel()
