"""Types of request and response fields that refuse what no store keeps faithfully.

Text is kept verbatim: no trimming, no newline conversion, no Unicode normalisation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from support_copilot.domain.identifiers import MAX_ID

MAX_EMAIL = 254  # RFC 5321, as corrected by erratum 1690
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

# Desks inside a company have customers at intranet.local and the like.
SPECIAL_USE_DOMAIN_NAMES.clear()


@dataclass(frozen=True, slots=True)
class Text:
    r"""Annotation of a string: ``Annotated[str, Text(500)]``.

    At most ``max_length`` characters, no control characters but tab and line ends; not blank
    unless ``blank`` is true.
    """

    max_length: int
    blank: bool = False

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._validate, core_schema.str_schema(strict=True, max_length=self.max_length)
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", "maxLength": self.max_length}
        any_text = f"[^{_CONTROLS}]*"
        if self.blank:
            return schema | {"pattern": f"^{any_text}$"}
        return schema | {"minLength": 1, "pattern": rf"^{any_text}[^{_CONTROLS}\s]{any_text}$"}

    def _validate(self, value: str) -> str:
        if found := _CONTROL.search(value):
            raise PydanticCustomError(
                "control_character",
                "contains the control character U+{code} at position {position}; remove it",
                {"code": f"{ord(found.group()):04X}", "position": found.start()},
            )
        if not self.blank and not value.strip():
            raise PydanticCustomError("blank", "must not be blank")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """Annotation of a whole number in a JSON body: ``Annotated[int, Whole(1, 100)]``.

    As JSON Schema has it: 5 and 5.0 are whole numbers; true and "5" are none.
    """

    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: int(value) if isinstance(value, float) and value.is_integer() else value,
            core_schema.int_schema(strict=True, ge=self.minimum, le=self.maximum),
        )


def _email(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be a string")
    if len(value) > MAX_EMAIL:
        raise PydanticCustomError("email", "must have at most 254 characters")
    try:
        return validate_email(value, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        raise PydanticCustomError(
            "email", "must be an e-mail address such as ada@example.com"
        ) from None


def _id(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        return min(int(value), MAX_ID)  # larger numbers are nobody's
    raise PydanticCustomError("id", "must be an id: a string of 1 to 19 digits")


def _time(value: Any) -> datetime:
    if isinstance(value, str) and _TIME.fullmatch(value):
        # A leap second has no place in Python's clock: it is the second before it.
        text = value[:17] + value[17:19].replace("60", "59") + value[19:].upper()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return _in_utc(moment)
    raise PydanticCustomError("time", "must be a time with its zone, such as 2026-01-31T09:30:00Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


_ID_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,19}$", "examples": ["361236745190146049"]}

Email = Annotated[
    str,
    PlainValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL}),
]
"""An address as RFC 5321 has it, its domain in lower case; not asked of the DNS."""

Time = Annotated[
    datetime,
    PlainValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T09:30:00Z"]}),
]
"""A moment that comes in, as RFC 3339 has it; in UTC."""

Id = Annotated[int, PlainValidator(_id), WithJsonSchema(_ID_SCHEMA)]
"""An id that comes in: a string of digits, an int in Python."""

IdText = Annotated[int, PlainSerializer(str, return_type=str), WithJsonSchema(_ID_SCHEMA)]
"""An id that goes out: an int in Python, a string in JSON."""
