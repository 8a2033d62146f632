"""Customers and their past."""

from fastapi import APIRouter, Response

from support_copilot.domain.customer import Customer
from support_copilot.domain.errors import NotFound
from support_copilot.issues.presentation import customer_json, history_json
from support_copilot.issues.routes.common import CustomerReader, PathId, answer
from support_copilot.issues.schemas import CustomerWithHistoryOut, HistoryOut
from support_copilot.issues.services import IssueServices
from support_copilot.ports import UnitOfWork
from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import documented


def customer_routes(services: IssueServices) -> APIRouter:
    router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=JsonRoute)

    @router.get(
        "/{customer_id}",
        response_model=CustomerWithHistoryOut,
        summary="Read a customer",
        responses=documented(404),
    )
    async def get_customer(customer_id: PathId, _caller: CustomerReader) -> Response:
        async with services.database.read() as uow:
            customer = await _existing(uow, customer_id)
            history = await uow.customers.history(customer_id, services.clock.now())
        return answer(customer_json(customer) | {"history": history_json(history)})

    @router.get(
        "/{customer_id}/history",
        response_model=HistoryOut,
        summary="Read the figures of a customer's past",
        responses=documented(404),
    )
    async def get_history(customer_id: PathId, _caller: CustomerReader) -> Response:
        async with services.database.read() as uow:
            await _existing(uow, customer_id)
            history = await uow.customers.history(customer_id, services.clock.now())
        return answer(history_json(history))

    return router


async def _existing(uow: UnitOfWork, customer_id: int) -> Customer:
    customer = await uow.customers.get(customer_id)
    if customer is None:
        raise NotFound(f"There is no customer {customer_id}.")
    return customer
