"""Lists of issues by keyset: a page costs the same wherever it lies."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Row

from support_copilot.domain.customer import Customer, normalise_email
from support_copilot.domain.errors import InvalidInput
from support_copilot.ports import IssueFilter, IssueListItem, Page
from support_copilot.storage.engine import Connection
from support_copilot.storage.issue_rows import (
    ISSUE_COLUMNS,
    LIST_COLUMNS,
    to_issue,
    to_listed_issue,
)
from support_copilot.storage.tables import customers, issues
from support_copilot.web.pagination import decode_cursor, encode_cursor

SORTS = ("attention", "newest", "oldest")
_NUMBER = re.compile(r"^\s*#?(?:[A-Za-z]{1,8}-)?(\d{1,9})\s*$")
_WORD = re.compile(r"\w+")
_MYSQL_SHORTEST_WORD = 3  # innodb_ft_min_token_size


# The last columns of a page, in the order of Customer's own fields after its id.
_CUSTOMER = ("email", "name", "created_at", "total_issues", "last_contact_at")


async def fetch_page(connection: Connection, wanted: IssueFilter) -> Page:
    statement = page_statement(wanted, connection.dialect)
    rows = await connection.rows(statement)
    more = len(rows) > wanted.limit
    rows = rows[: wanted.limit]
    to = to_issue if wanted.whole else to_listed_issue
    return Page(
        items=[IssueListItem(to(row), _customer(row)) for row in rows],
        next_cursor=_cursor(wanted, rows[-1]) if more else None,
    )


def page_statement(wanted: IssueFilter, dialect: str) -> sa.Select[Any]:
    """Build the query of one page, one row longer than asked to know whether there are more."""
    if wanted.sort not in SORTS:
        raise InvalidInput("sort", f"must be one of {', '.join(SORTS)}")
    statement = (
        sa.select(
            *(ISSUE_COLUMNS if wanted.whole else LIST_COLUMNS),
            issues.c.attention,
            *(customers.c[name].label(f"customer_{name}") for name in _CUSTOMER),
        )
        .join(customers, customers.c.id == issues.c.customer_id)
        .where(*_conditions(wanted, dialect))
        .limit(wanted.limit + 1)
        # The page is found in an index of issues; MySQL would start from few customers and sort.
        .prefix_with("STRAIGHT_JOIN", dialect="mysql")
        .prefix_with("STRAIGHT_JOIN", dialect="mariadb")
    )
    if wanted.sort == "attention":
        order: tuple[sa.Column[Any], sa.Column[Any]] = (issues.c.attention, issues.c.id)
    else:
        order = (issues.c.created_at, issues.c.id)
    descending = wanted.sort == "newest"
    if wanted.cursor is not None:
        statement = statement.where(_beyond(order, _position(wanted), descending=descending))
    return statement.order_by(*(column.desc() if descending else column for column in order))


def _beyond(
    order: tuple[sa.Column[Any], sa.Column[Any]], position: list[Any], *, descending: bool
) -> sa.ColumnElement[bool]:
    (first, second), (first_value, second_value) = order, position
    # The first condition is what the index is entered by; OR alone would not use it.
    if descending:
        return sa.and_(first <= first_value, sa.or_(first < first_value, second < second_value))
    return sa.and_(first >= first_value, sa.or_(first > first_value, second > second_value))


def _conditions(wanted: IssueFilter, dialect: str) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(issues.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.severities:
        conditions.append(issues.c.severity.in_([level.value for level in wanted.severities]))
    if wanted.critical is not None:
        conditions.append(issues.c.critical == wanted.critical)
    if wanted.customer_id is not None:
        conditions.append(issues.c.customer_id == wanted.customer_id)
    if wanted.unassigned:
        conditions.append(issues.c.assignee.is_(None))
    elif wanted.assignee is not None:
        conditions.append(issues.c.assignee == wanted.assignee)
    if wanted.created_from is not None:
        conditions.append(issues.c.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(issues.c.created_at < wanted.created_to)
    if wanted.text is not None:
        conditions.append(_matches(wanted.text, dialect))
    return conditions


def _matches(text: str, dialect: str) -> sa.ColumnElement[bool]:
    """Return what a search box means: words of the issue, its number, or a customer's address."""
    if number := _NUMBER.match(text):
        exact = issues.c.number == int(number.group(1))
        return sa.or_(exact, _words_match(text, dialect))
    if "@" in text and " " not in text.strip():
        return issues.c.customer_id.in_(
            sa.select(customers.c.id).where(customers.c.email == normalise_email(text))
        )
    return _words_match(text, dialect)


def _words_match(text: str, dialect: str) -> sa.ColumnElement[bool]:
    words = _WORD.findall(text)
    if dialect == "sqlite":
        if not words:
            return sa.false()
        # Each word quoted, so that nothing of FTS5's own language is read from user input.
        quoted = " ".join(f'"{word}"' for word in words) + "*"
        return issues.c.id.in_(
            sa.text("SELECT rowid FROM issue_search WHERE issue_search MATCH :search").bindparams(
                search=quoted
            )
        )
    words = [word for word in words if len(word) >= _MYSQL_SHORTEST_WORD]
    if not words:
        return sa.false()
    wanted = " ".join(f'+"{word}"' for word in words[:-1]) + f" +{words[-1]}*"
    return sa.text(
        "MATCH (issues.title, issues.description) AGAINST (:search IN BOOLEAN MODE)"
    ).bindparams(search=wanted)  # type: ignore[return-value]  # a text is a condition where used


def _customer(row: Row[Any]) -> Customer:
    return Customer(row.customer_id, *row[-len(_CUSTOMER) :])


def _query(wanted: IssueFilter) -> str:
    parts = [
        [status.value for status in wanted.statuses],
        [level.value for level in wanted.severities],
        wanted.critical,
        wanted.customer_id,
        wanted.assignee,
        wanted.unassigned,
        wanted.created_from,
        wanted.created_to,
        wanted.text,
        wanted.sort,
    ]
    return orjson.dumps(parts).decode()


def _cursor(wanted: IssueFilter, row: Row[Any]) -> str:
    first = row.attention if wanted.sort == "attention" else row.created_at.isoformat()
    return encode_cursor({"after": [first, row.id]}, _query(wanted))


def _position(wanted: IssueFilter) -> list[Any]:
    assert wanted.cursor is not None
    match decode_cursor(wanted.cursor, _query(wanted)).get("after"):
        case [int() as first, int() as second] if wanted.sort == "attention":
            return [first, second]
        case [str() as moment, int() as second] if wanted.sort != "attention":
            try:
                return [datetime.fromisoformat(moment), second]
            except ValueError:
                pass
    raise InvalidInput("cursor", "is damaged: start again without it")
