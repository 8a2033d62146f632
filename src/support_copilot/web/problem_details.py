"""The HTTP shape of every error: problem details after RFC 9457.

A problem's ``type`` is a relative reference, ``code`` its last part; ``detail`` says what to do;
``errors`` lists ``{"field", "message"}`` for refused values. Refused values are never repeated.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from support_copilot.domain import errors as domain
from support_copilot.web import request_id
from support_copilot.web.validation_messages import field_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"
BEARER_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="support-copilot"'}

#: The most specific class decides: subclasses stand before their bases.
_DOMAIN_PROBLEMS: tuple[tuple[type[domain.CopilotError], int, str], ...] = (
    (domain.InvalidInput, 422, "A value cannot be accepted"),
    (domain.NotFound, 404, "Not found"),
    (domain.VersionMismatch, 412, "Changed in the meantime"),
    (domain.KeyReused, 422, "Idempotency key used for another request"),
    (domain.Conflict, 409, "Conflict"),
    (domain.NotSignedIn, 401, "Not signed in"),
    (domain.NotAllowed, 403, "Not allowed"),
    (domain.TooManyRequests, 429, "Too many requests"),
    (domain.TooLarge, 413, "Body too large"),
    (domain.DeadlineExceeded, 504, "Out of time"),
    (domain.Unavailable, 503, "Temporarily unavailable"),
    (domain.CopilotError, 400, "The request failed"),
)

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

_HTTP_DETAILS = {
    404: "There is nothing at this path; /openapi.json lists what there is.",
    405: "This path does not accept the method; the Allow header lists those it does.",
    415: "Send the body as JSON with the header Content-Type: application/json.",
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: object,
) -> Response:
    """Return a problem response; ``extra`` are further members of the document."""
    document: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if (current := request_id.current()) is not None:
        document["instance"] = f"/requests/{current}"
        document["request_id"] = current
    if errors:
        document["errors"] = list(errors)
    document.update(extra)
    return Response(
        orjson.dumps(document, default=str),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def problem_of(error: domain.CopilotError) -> Response:
    """Translate an expected error; 401, 429 and 503 carry the headers HTTP asks for."""
    status, title = next(
        (status, title) for kind, status, title in _DOMAIN_PROBLEMS if isinstance(error, kind)
    )
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers |= BEARER_CHALLENGE
    if isinstance(error, domain.TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers["Connection"] = "close"
    reserved = {"status", "code", "title", "detail", "errors", "headers"}
    extra = {name: value for name, value in error.extra.items() if name not in reserved}
    errors = error.errors if isinstance(error, domain.InvalidInput) else None
    return problem(status, error.code, title, error.detail, errors=errors, headers=headers, **extra)


def internal_problem() -> Response:
    """Return what the caller sees of an unexpected exception: nothing but the request id."""
    return problem(
        500,
        "internal-error",
        "Unexpected error",
        "Something went wrong on our side. Try again; if it stays, report the request_id.",
    )


def problem_asgi(response: Response) -> ASGIApp:
    """Return an ASGI application that answers with ``response``, for middleware and routing.

    ``await problem_asgi(problem_of(error))(scope, receive, send)``
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, send)

    return answer


def install(app: FastAPI) -> None:
    """Register handlers so that every error of ``app`` leaves as a problem."""
    app.add_exception_handler(domain.CopilotError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_domain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, domain.CopilotError)
    return problem_of(error)


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = field_errors(error.errors())
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return problem(
        422,
        domain.InvalidInput.code,
        "A value cannot be accepted",
        f"{first['field']}: {first['message']}{more}",
        errors=errors,
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status_code=status, headers=error.headers)
    code = getattr(error, "code", status.phrase.lower().replace(" ", "-"))
    detail = str(error.detail)
    if detail == status.phrase:
        detail = _HTTP_DETAILS.get(status, detail)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return problem(status, code, status.phrase, detail, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return what any route takes at this path; Starlette names the first route's alone."""
    routes: list[BaseRoute] = request.app.routes
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    ]


async def _on_unexpected(_request: Request, _error: Exception) -> Response:
    # Starlette raises the exception again after this answer: the server or the gateway logs it.
    return internal_problem()


# ---------------------------------------------------------------- documentation

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "code": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_EXAMPLES = {
    400: ("malformed-json", "Bad Request", "The body is not JSON: Expecting value at line 1."),
    401: ("not-signed-in", "Not signed in", "Send an API key as Authorization: Bearer KEY."),
    403: ("not-allowed", "Not allowed", "The role executive may not do this."),
    404: ("not-found", "Not found", "There is no issue 42."),
    405: ("method-not-allowed", "Method Not Allowed", _HTTP_DETAILS[405]),
    409: ("conflict", "Conflict", "A request with this Idempotency-Key is being handled."),
    412: ("version-mismatch", "Changed in the meantime", "Read the issue again and retry."),
    413: ("too-large", "Body too large", "Send at most 1048576 bytes."),
    415: ("unsupported-media-type", "Unsupported Media Type", _HTTP_DETAILS[415]),
    422: ("invalid-input", "A value cannot be accepted", "title: is required"),
    429: ("too-many-requests", "Too many requests", "Wait 12 seconds before trying again."),
    503: ("unavailable", "Temporarily unavailable", "The database does not answer; try again."),
    504: ("deadline-exceeded", "Out of time", "The request took longer than 15 seconds."),
}


def _documented(status: int) -> dict[str, Any]:
    code, title, detail = _EXAMPLES[status]
    example = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "0f5a7c1e9b3d2468ace01357",
    }
    return {
        "description": title,
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }


OPENAPI_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _documented(status) for status in _EXAMPLES
}
"""Every documented problem by status, for ``responses=`` of a route."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documented problems of these statuses, for ``responses=`` of a route."""
    return {status: OPENAPI_RESPONSES[status] for status in statuses}
