"""Column types that behave the same on SQLite and MySQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB, LONGTEXT, VARCHAR
from sqlalchemy.engine import Dialect
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

#: ``BIGINT`` on MySQL. On SQLite every integer has 64 bits, and only the spelling ``INTEGER
#: PRIMARY KEY`` makes the id the row's own address instead of a second index.
BigId = BigInteger().with_variant(Integer(), "sqlite")

#: MySQL's plain TEXT ends at 64 KiB, in bytes.
LongText = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
#: What full-text search reads compares words without regard to case and accents; all other text
#: is compared byte by byte.
_SEARCHED = "utf8mb4_unicode_ci"
SearchedText = Text().with_variant(LONGTEXT(collation=_SEARCHED), "mysql", "mariadb")


def searched_string(length: int) -> String:
    return String(length).with_variant(VARCHAR(length, collation=_SEARCHED), "mysql", "mariadb")


Blob = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


class Moment(TypeDecorator[datetime]):
    """A timezone-aware moment, stored as UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Json(TypeDecorator[Any]):
    """A JSON value as text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(
            LONGTEXT() if dialect.name in {"mysql", "mariadb"} else Text()
        )

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)
