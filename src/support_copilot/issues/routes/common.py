"""Shared by the routes: who may, entity tags, answers."""

import re
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Path, Response

from support_copilot.domain.errors import NotFound, VersionMismatch
from support_copilot.domain.identity import Identity, Permission
from support_copilot.domain.issue import Issue
from support_copilot.ports import UnitOfWork
from support_copilot.web.fields import Id
from support_copilot.web.identity_header import require

Creator = Annotated[Identity, Depends(require(Permission.CREATE_ISSUES))]
Reader = Annotated[Identity, Depends(require(Permission.READ_ISSUES))]
Changer = Annotated[Identity, Depends(require(Permission.CHANGE_ISSUES))]
Eraser = Annotated[Identity, Depends(require(Permission.ERASE_ISSUES))]
CustomerReader = Annotated[Identity, Depends(require(Permission.READ_CUSTOMERS))]
TemplateManager = Annotated[Identity, Depends(require(Permission.MANAGE_TEMPLATES))]
Watcher = Annotated[Identity, Depends(require(Permission.READ_EVENTS))]

PathId = Annotated[Id, Path(description="An id as the API gave it.")]
IfMatch = Annotated[
    str | None,
    Header(
        description="The ETag that was read; 412 if the issue was changed since.",
        examples=['"3"'],
    ),
]

_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return Response(body, status, headers=headers, media_type="application/json")


def etag(issue: Issue) -> dict[str, str]:
    return {"ETag": f'"{issue.version}"'}


def wanted_version(if_match: str | None) -> int | None:
    """Return the version of an If-Match header (RFC 9110, 13.1.1), None for any."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.fullmatch(if_match.strip())
    if tag is None:
        raise VersionMismatch(
            'The If-Match header is not an ETag of this issue: send it as read, such as "3".'
        )
    return int(tag.group(1))


async def issue_or_404(uow: UnitOfWork, issue_id: int) -> Issue:
    issue = await uow.issues.get(issue_id)
    if issue is None:
        raise NotFound(f"There is no issue {issue_id}.")
    return issue
