"""Strict reading of JSON bodies.

Python's own parser is used, not orjson: it alone reports duplicate names and lets the field with
a lone surrogate be named. Responses are written by orjson or pydantic.
"""

from __future__ import annotations

import json
import math
from email.message import Message
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from fastapi import Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from support_copilot.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MAX_DEPTH = 32


class JsonResponse(JSONResponse):
    """A response whose content orjson writes: datetimes, dataclasses and enums included."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class MalformedJson(HTTPException):
    """The bytes are not JSON as RFC 8259 and I-JSON have it; answered with 400."""

    code = "malformed-json"

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"The body is not valid JSON: {reason}.")


def read_json(body: bytes) -> Any:
    """Parse a body.

    Raises MalformedJson for what is no JSON, broken UTF-8, a name given twice, NaN, infinity,
    and nesting beyond 32 levels; InvalidInput, naming the field, for text that is no Unicode
    (a lone surrogate) and numbers no database holds.
    """
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedJson(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise MalformedJson("a number has too many digits") from None
    _check(value, "", 1)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedJson("an object gives the same name twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is not a JSON number")


def _too_deep() -> MalformedJson:
    return MalformedJson(f"it is nested more than {MAX_DEPTH} levels deep")


def _check(value: Any, path: str, depth: int) -> None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidInput(path or "body", "contains half of a surrogate pair; send Unicode")
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise _too_deep()
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            if isinstance(name, str):
                _check(name, path, depth)
            _check(item, f"{path}.{name}" if path else str(name), depth + 1)
    elif (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and not -(1 << 63) <= value < 1 << 63
    ):
        raise InvalidInput((path or "body")[:200], "is a number out of range")


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type header announces JSON in UTF-8."""
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset("utf-8")
    kind = message.get_content_type()
    return charset in {"utf-8", "us-ascii"} and (
        kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    )


class _ParsedRequest(Request):
    """A request whose JSON is already read."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


class JsonRoute(APIRoute):
    """Reads a JSON body strictly; 415 for other media types. Routes with forms are untouched."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None or isinstance(self.body_field.field_info, Form):
            return handle

        async def read_then_handle(request: Request) -> Response:
            strict = _ParsedRequest(request.scope, request.receive)
            body = await strict.body()
            if body:
                if not is_json(request.headers.get("content-type", "")):
                    raise HTTPException(415)
                strict.parsed = read_json(body)
            return await handle(strict)

        return read_then_handle
