"""Proposed replies, what became of them, and the templates they come from."""

from fastapi import APIRouter, Response

from support_copilot.domain import placeholders
from support_copilot.domain.errors import InvalidInput, NotFound
from support_copilot.domain.identity import Identity
from support_copilot.domain.issue import Issue
from support_copilot.domain.recommendation import Recommendation, Template
from support_copilot.issues.desk import customer_of
from support_copilot.issues.presentation import (
    Json,
    placeholder_values,
    recommendation_json,
    template_json,
)
from support_copilot.issues.proposed import proposals_json
from support_copilot.issues.routes.common import (
    Changer,
    PathId,
    Reader,
    TemplateManager,
    answer,
    issue_or_404,
)
from support_copilot.issues.schemas import (
    FeedbackIn,
    RecommendationListOut,
    RecommendationOut,
    TemplateIn,
    TemplateListOut,
    TemplateOut,
)
from support_copilot.issues.services import IssueServices
from support_copilot.ports import Clock, UnitOfWork
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import documented


def recommendation_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["recommendations"], route_class=JsonRoute)

    async def shown(
        uow: UnitOfWork, issue: Issue, items: list[Recommendation], caller: Identity
    ) -> list[Json]:
        customer = await customer_of(uow, issue)
        values = placeholder_values(issue, customer, services.company, caller.subject)
        return [recommendation_json(item, values) for item in items]

    @router.get(
        "/issues/{issue_id}/recommendations",
        response_model=RecommendationListOut,
        summary="Read the replies proposed for an issue, best first",
        responses=documented(404),
    )
    async def list_recommendations(issue_id: PathId, caller: Reader) -> Response:
        async def read(uow: UnitOfWork) -> Json:
            issue = await issue_or_404(uow, issue_id)
            customer = await customer_of(uow, issue)
            return await proposals_json(uow, issue, customer, services.company, caller.subject)

        return answer(await services.database.look(read))

    @router.post(
        "/issues/{issue_id}/recommendations",
        status_code=201,
        response_model=RecommendationListOut,
        summary="Propose replies now",
        responses=documented(404),
    )
    async def propose(issue_id: PathId, caller: Changer) -> Response:
        items = await services.proposals.generate(issue_id)
        async with services.database.read() as uow:
            issue = await issue_or_404(uow, issue_id)
            content = await shown(uow, issue, items, caller)
        place = f"/v1/issues/{issue_id}/recommendations"
        state = "ready" if items else "none"
        return answer({"state": state, "items": content}, 201, {"Location": place})

    @router.post(
        "/recommendations/{recommendation_id}/feedback",
        response_model=RecommendationOut,
        summary="Say what became of a proposed reply; a later verdict replaces an earlier one",
        responses=documented(404),
    )
    async def give_feedback(
        recommendation_id: PathId, body: FeedbackIn, caller: Changer
    ) -> Response:
        item = await services.desk.decide(
            recommendation_id,
            body.verdict,
            caller,
            final_text=body.final_text,
            reason=body.reason,
        )
        async with services.database.read() as uow:
            issue = await issue_or_404(uow, item.issue_id)
            return answer((await shown(uow, issue, [item], caller))[0])

    return router


def template_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(prefix="/v1/templates", tags=["templates"], route_class=JsonRoute)

    @router.get("", response_model=TemplateListOut, summary="List the team's templates")
    async def list_templates(_caller: Reader) -> Response:
        async with services.database.read() as uow:
            templates = await uow.templates.all()
        return answer({"items": [template_json(template) for template in templates]})

    @router.post("", status_code=201, response_model=TemplateOut, summary="Add a template")
    async def add_template(body: TemplateIn, _caller: TemplateManager) -> Response:
        template = _checked(services.ids.new(), body, services.clock)
        async with services.database.write() as uow:
            await uow.templates.add(template)
        place = {"Location": f"/v1/templates/{template.id}"}
        return answer(template_json(template), 201, place)

    @router.get(
        "/{template_id}",
        response_model=TemplateOut,
        summary="Read a template",
        responses=documented(404),
    )
    async def get_template(template_id: PathId, _caller: Reader) -> Response:
        async with services.database.read() as uow:
            return answer(template_json(await _existing(uow, template_id)))

    @router.put(
        "/{template_id}",
        response_model=TemplateOut,
        summary="Replace a template",
        responses=documented(404),
    )
    async def replace_template(
        template_id: PathId, body: TemplateIn, _caller: TemplateManager
    ) -> Response:
        async with services.database.write() as uow:
            before = await _existing(uow, template_id)
            template = _checked(template_id, body, services.clock, before)
            await uow.templates.save(template)
        return answer(template_json(template))

    @router.delete(
        "/{template_id}",
        status_code=204,
        summary="Remove a template",
        responses=documented(404),
    )
    async def remove_template(template_id: PathId, _caller: TemplateManager) -> Response:
        async with services.database.write() as uow:
            await _existing(uow, template_id)
            await uow.templates.remove(template_id)
        return Response(status_code=204)

    return router


async def _existing(uow: UnitOfWork, template_id: int) -> Template:
    template = await uow.templates.get(template_id)
    if template is None:
        raise NotFound(f"There is no template {template_id}.")
    return template


def _checked(
    template_id: int, body: TemplateIn, clock: Clock, before: Template | None = None
) -> Template:
    if mistakes := placeholders.check(body.text):
        raise InvalidInput("text", "; ".join(mistakes))
    return Template(
        id=template_id,
        title=body.title,
        text=body.text,
        category=body.category,
        used=before.used if before else 0,
        created_at=before.created_at if before else clock.now(),
    )
