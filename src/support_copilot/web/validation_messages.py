"""Turn pydantic's errors into a field and a sentence that says what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_ERRORS = 20
_LONGEST_NAME = 64
_PLACES = {"body", "query", "path", "header", "cookie"}
_UNPRINTABLE = re.compile(r"[^\w .\-\[\]$@/]")

_MESSAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not a known field; remove it",
    "string_type": lambda _: "must be a string",
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "string_pattern_mismatch": lambda c: f"must match the pattern {c['pattern']}",
    "too_long": lambda c: f"must have at most {c['max_length']} items",
    "too_short": lambda c: f"must have at least {c['min_length']} items",
    "enum": lambda c: f"must be {c['expected']}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "greater_than": lambda c: f"must be greater than {c['gt']}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']}",
    "less_than": lambda c: f"must be less than {c['lt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']}",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be an object",
    "model_attributes_type": lambda _: "must be an object",
    "datetime_type": lambda _: "must be a time such as 2026-01-31T09:30:00Z",
    "datetime_parsing": lambda _: "must be a time such as 2026-01-31T09:30:00Z",
    "datetime_from_date_parsing": lambda _: "must be a time such as 2026-01-31T09:30:00Z",
    "timezone_aware": lambda _: "must name its time zone, such as 2026-01-31T09:30:00Z",
}


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Return at most 20 ``{"field", "message"}``.

    A field is a dotted path such as ``customer.email``, or ``body`` for the body as a whole.
    """
    return [
        {"field": _field(error["loc"]), "message": _message(error)}
        for error in errors[:_MOST_ERRORS]
    ]


def _field(location: Sequence[str | int]) -> str:
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in _PLACES:
        parts = parts[1:]
    # Names of unknown fields are the caller's: short and harmless before they are repeated.
    return ".".join(_UNPRINTABLE.sub("?", part)[:_LONGEST_NAME] for part in parts) or "body"


def _message(error: dict[str, Any]) -> str:
    if error["loc"] == ("body",) and error["type"] == "missing":
        return "is required; send a JSON object"
    render = _MESSAGES.get(error["type"])
    if render is not None:
        return render(error.get("ctx", {}))
    message = str(error["msg"]).removeprefix("Value error, ")
    return message.replace("Input should be", "must be", 1)
