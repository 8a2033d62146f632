"""The one way a service's FastAPI application is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from support_copilot.web.json_body import JsonRoute
from support_copilot.web.problem_details import PROBLEM_SCHEMA, documented, install
from support_copilot.web.request_id import RequestId

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.types import ASGIApp

_OF_EVERY_ROUTE = (400, 401, 403, 413, 415, 422, 429, 503, 504)
_OF_BODIES = {"400", "415"}
_METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}


class _App(FastAPI):
    """Documents its problems; the documentation pages are off: they load from outside."""

    def build_middleware_stack(self) -> ASGIApp:
        # Outermost, so that the answer to an unexpected error names its request too.
        return RequestId(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = PROBLEM_SCHEMA
            for item in document.get("paths", {}).values():
                for method in _METHODS & item.keys():
                    _drop_impossible(item[method])
            self.openapi_schema = document
        return self.openapi_schema


def _drop_impossible(operation: dict[str, Any]) -> None:
    impossible = set() if "requestBody" in operation else set(_OF_BODIES)
    if "requestBody" not in operation and not operation.get("parameters"):
        impossible.add("422")
    for status in impossible:
        operation["responses"].pop(status, None)


def create_app(
    title: str,
    version: str,
    identity_secret: bytes,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    description: str = "",
) -> FastAPI:
    """Return an application with problems, request ids and strict JSON installed.

    Routers included in it need ``route_class=JsonRoute`` to read JSON strictly.
    """
    app = _App(
        title=title,
        version=version,
        description=description,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=documented(*_OF_EVERY_ROUTE),
    )
    app.router.route_class = JsonRoute
    app.state.identity_secret = identity_secret
    install(app)
    return app
