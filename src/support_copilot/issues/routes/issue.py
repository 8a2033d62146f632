"""Issues: intake, lists, changes, what is similar."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from support_copilot.domain.customer import Customer, normalise_email
from support_copilot.domain.errors import InvalidInput
from support_copilot.domain.identifiers import MAX_ID
from support_copilot.domain.identity import Identity
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.issues.desk import IssueChange, customer_of
from support_copilot.issues.intake import SIMILAR_SHOWN, NewIssue
from support_copilot.issues.presentation import (
    Json,
    customer_json,
    history_json,
    issue_json,
    listed_issue_json,
    message_json,
    summary_json,
)
from support_copilot.issues.proposed import proposals_json
from support_copilot.issues.routes.common import (
    Changer,
    Creator,
    Eraser,
    IfMatch,
    PathId,
    Reader,
    answer,
    etag,
    issue_or_404,
    wanted_version,
)
from support_copilot.issues.schemas import (
    IssueDetailOut,
    IssueIn,
    IssueListOut,
    IssuePatch,
    SimilarListOut,
    TriagedIssueOut,
)
from support_copilot.issues.services import IssueServices
from support_copilot.ports import IssueFilter, Page, UnitOfWork
from support_copilot.web.fields import Time
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.judgements import similar_json
from support_copilot.web.problem_details import documented

Part = Literal["messages", "recommendations", "summary", "history"]
MESSAGES_INCLUDED = 500

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request; the same key again gives the first answer.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]


def issue_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(prefix="/v1/issues", tags=["issues"], route_class=JsonRoute)

    @router.post(
        "",
        status_code=201,
        response_model=TriagedIssueOut,
        summary="Take an issue in: validated, stored, rated, set beside history and its like",
        responses=documented(409),
    )
    async def create_issue(
        body: IssueIn, caller: Creator, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = None if idempotency_key is None else f"{caller.subject}:{idempotency_key}"
        given = await services.intake.accept(
            NewIssue(
                email=body.customer.email,
                name=body.customer.name,
                title=body.title,
                description=body.description,
                channel=body.channel,
                external_id=body.external_id,
            ),
            key=key,
        )
        headers = {"Location": f"/v1/issues/{given.issue_id}"}
        if given.replayed:
            headers["Idempotency-Replayed"] = "true"
        else:
            headers["ETag"] = '"1"'
        return answer(given.body, 201, headers)

    @router.get("", response_model=IssueListOut, summary="List issues, by attention first")
    async def list_issues(
        _caller: Reader,
        status: Annotated[list[Status] | None, Query()] = None,
        severity: Annotated[list[Severity] | None, Query()] = None,
        critical: bool | None = None,
        customer: Annotated[
            str | None,
            Query(
                max_length=254,
                description="An id or an e-mail address.",
                json_schema_extra={"pattern": r"^(?:[0-9]{1,19}|[\s\S]*@[\s\S]*)$"},
            ),
        ] = None,
        assignee: Annotated[
            str | None, Query(max_length=100, description='A user name; "" for nobody.')
        ] = None,
        created_from: Time | None = None,
        created_to: Time | None = None,
        text: Annotated[
            str | None,
            Query(max_length=200, description="Words of the issue, its number, or an address."),
        ] = None,
        sort: Literal["attention", "newest", "oldest"] = "attention",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
    ) -> Response:
        async def read(uow: UnitOfWork) -> Page:
            customer_id = None
            if customer is not None:
                customer_id = await _customer_id(uow, customer)
                if customer_id is None:
                    return Page([], None)
            return await uow.issues.page(
                IssueFilter(
                    statuses=tuple(status or ()),
                    severities=tuple(severity or ()),
                    critical=critical,
                    customer_id=customer_id,
                    assignee=assignee or None,
                    unassigned=assignee == "",
                    created_from=created_from,
                    created_to=created_to,
                    text=text,
                    sort=sort,
                    limit=limit,
                    cursor=cursor,
                )
            )

        page = await services.database.look(read)
        items = [
            listed_issue_json(item.issue) | {"customer": customer_json(item.customer)}
            for item in page.items
        ]
        return answer({"items": items, "next_cursor": page.next_cursor})

    @router.get(
        "/{issue_id}",
        response_model=IssueDetailOut,
        summary="Read an issue",
        responses=documented(404),
    )
    async def get_issue(
        issue_id: PathId,
        caller: Reader,
        include: Annotated[
            list[Part] | None, Query(description="Parts to read with it, in one request.")
        ] = None,
    ) -> Response:
        async def read(uow: UnitOfWork) -> tuple[Issue, Json]:
            issue = await issue_or_404(uow, issue_id)
            customer = await customer_of(uow, issue)
            shown = issue_json(issue) | {"customer": customer_json(customer)}
            for part in set(include or ()):
                shown[part] = await _part(services, uow, part, issue, customer, caller)
            return issue, shown

        issue, shown = await services.database.look(read)
        return answer(shown, headers=etag(issue))

    @router.patch(
        "/{issue_id}",
        response_model=IssueDetailOut,
        summary="Change status, severity, assignee or resolution",
        responses=documented(404, 412),
    )
    async def change_issue(
        issue_id: PathId, body: IssuePatch, caller: Changer, if_match: IfMatch = None
    ) -> Response:
        if not body.model_fields_set - {"reason"}:
            raise InvalidInput("body", "names nothing to change; send status, severity, …")
        issue = await services.desk.change(
            issue_id,
            IssueChange(body.status, body.severity, body.reason, body.assignee, body.resolution),
            caller,
            version=wanted_version(if_match),
        )
        async with services.database.read() as uow:
            customer = await customer_of(uow, issue)
        return answer(
            issue_json(issue) | {"customer": customer_json(customer)}, headers=etag(issue)
        )

    @router.delete(
        "/{issue_id}",
        status_code=204,
        summary="Erase an issue and everything about it",
        responses=documented(404),
    )
    async def erase_issue(issue_id: PathId, _caller: Eraser) -> Response:
        await services.desk.erase(issue_id)
        return Response(status_code=204)

    @router.get(
        "/{issue_id}/similar",
        response_model=SimilarListOut,
        summary="Past issues most like this one",
        responses=documented(404),
    )
    async def similar_issues(
        issue_id: PathId,
        _caller: Reader,
        limit: Annotated[int, Query(ge=1, le=50)] = SIMILAR_SHOWN,
    ) -> Response:
        async with services.database.read() as uow:
            issue = await issue_or_404(uow, issue_id)
        hits = await services.analysis.similar(
            issue.title, issue.description, limit=limit, without=issue_id
        )
        async with services.database.read() as uow:
            similar = await uow.issues.similar(hits)
        degraded = [] if all(model.loaded for model in services.analysis.models()) else ["similar"]
        return answer({"items": [similar_json(item) for item in similar], "degraded": degraded})

    return router


async def _part(
    services: IssueServices,
    uow: UnitOfWork,
    part: Part,
    issue: Issue,
    customer: Customer,
    caller: Identity,
) -> Any:
    match part:
        case "messages":
            messages = await uow.conversations.of_issue(issue.id, limit=MESSAGES_INCLUDED)
            return [message_json(message) for message in messages]
        case "recommendations":
            return await proposals_json(uow, issue, customer, services.company, caller.subject)
        case "summary":
            summary = await uow.summaries.latest(issue.id)
            return None if summary is None else summary_json(summary)
        case "history":
            history = await uow.customers.history(customer.id, services.clock.now())
            return history_json(history)


async def _customer_id(uow: UnitOfWork, customer: str) -> int | None:
    if customer.isascii() and customer.isdigit() and len(customer) <= 19:
        return min(int(customer), MAX_ID)  # larger numbers are nobody's
    if "@" not in customer:
        raise InvalidInput("customer", "must be a customer's id or e-mail address")
    found = await uow.customers.by_email(normalise_email(customer))
    return found.id if found else None
