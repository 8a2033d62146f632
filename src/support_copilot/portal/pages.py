"""What the pages show, gathered from the API."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from support_copilot.domain.errors import Unavailable
from support_copilot.portal.api import Answer, Api, Json, Params, Refused

OPEN: Params = [("status", "OPEN"), ("status", "IN_PROGRESS")]
SORTS = {"attention": "Attention", "newest": "Newest", "oldest": "Oldest"}
_PAGE = "50"
_MESSAGES_AT_ONCE = "500"


@dataclass(frozen=True, slots=True)
class View:
    """A list of issues; ``empty`` is what it says when there are none."""

    key: str
    name: str
    params: Params
    empty: str
    sort: str = "attention"


VIEWS = {
    view.key: view
    for view in (
        View("open", "Open", OPEN, "Nothing is open: every issue has been resolved."),
        View(
            "critical",
            "Critical",
            [("critical", "true"), *OPEN],
            "Nothing is critical: no open issue is severe, late or about to be.",
        ),
        View(
            "unassigned",
            "Unassigned",
            [("assignee", ""), *OPEN],
            "Every open issue has somebody who works on it.",
        ),
        View(
            "mine",
            "Mine",
            OPEN,
            "No open issue is assigned to you. Take one from the unassigned.",
        ),
        View(
            "resolved",
            "Resolved",
            [("status", "RESOLVED"), ("status", "CLOSED")],
            "Nothing has been resolved yet.",
            sort="newest",
        ),
        View("all", "All", [], "No issue has come in yet.", sort="newest"),
    )
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: ``state`` is ready, computing, none or failed."""

    state: str
    body: Json


async def inbox(api: Api, *, view: str, sort: str, text: str, cursor: str, user: str) -> Json:
    """Return what ``inbox.html`` shows; an unknown view or order is the first one.

    Raises Refused.
    """
    chosen = VIEWS.get(view) or VIEWS["all" if text else "open"]
    order = sort if sort in SORTS else chosen.sort
    params = [*chosen.params, ("sort", order), ("limit", _PAGE)]
    if chosen.key == "mine":
        params.append(("assignee", user))
    if text:
        params.append(("text", text))
    if cursor:
        params.append(("cursor", cursor))
    found = (await api.get("/v1/issues", params)).body
    return {
        "views": VIEWS.values(),
        "view": chosen,
        "sorts": SORTS,
        "sort": order,
        "q": text,
        "continued": bool(cursor),
        "issues": found["items"],
        "next_cursor": found["next_cursor"],
    }


async def issue(api: Api, issue_id: int, proposal_id: str) -> Json:
    """Return what ``issue.html`` shows, ``proposal_id`` already put into the reply.

    Raises Refused where the issue or its conversation cannot be read; what else cannot be read
    is shown as failed.
    """
    path = f"/v1/issues/{issue_id}"
    item, messages, proposals, similar, summary = await asyncio.gather(
        api.get(path),
        _messages(api, path),
        _section(lambda: api.get(f"{path}/recommendations"), _proposals_state),
        _section(lambda: api.get(f"{path}/similar"), _similar_state),
        _section(lambda: api.get(f"{path}/summary"), _summary_state),
    )
    customer_id = item.body["customer"]["id"]
    customer = await _section(lambda: api.get(f"/v1/customers/{customer_id}"), _always_ready)
    inserted = next(
        (one for one in proposals.body.get("items", []) if one["id"] == proposal_id), None
    )
    return {
        "issue": item.body,
        "messages": messages,
        "proposals": proposals,
        "similar": similar,
        "summary": summary,
        "customer": customer,
        "marks": {one["id"]: mark(one["text"]) for one in proposals.body.get("items", [])},
        "inserted": inserted,
        "reply": inserted["text"] if inserted else "",
    }


async def customer(api: Api, customer_id: int) -> Json:
    person, issues = await asyncio.gather(
        api.get(f"/v1/customers/{customer_id}"),
        api.get(
            "/v1/issues",
            [("customer", str(customer_id)), ("sort", "newest"), ("limit", _PAGE)],
        ),
    )
    return {
        "customer": person.body,
        "issues": issues.body["items"],
        "more": issues.body["next_cursor"] is not None,
    }


def mark(text: str) -> str:
    """Name a text, so that a form can tell whether it comes back as it was."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


async def _messages(api: Api, path: str) -> list[Json]:
    items: list[Json] = []
    params: Params = [("limit", _MESSAGES_AT_ONCE)]
    while True:
        page = (await api.get(f"{path}/messages", params)).body
        items += page["items"]
        if page["next_after"] is None:
            return items
        params = [("limit", _MESSAGES_AT_ONCE), ("after", page["next_after"])]


async def _section(ask: Callable[[], Awaitable[Answer]], state: Callable[[Answer], str]) -> Section:
    try:
        answer = await ask()
    except Refused as refusal:
        if refusal.status == HTTPStatus.NOT_FOUND:
            return Section("none", {})
        return Section("failed", {})
    except Unavailable:
        return Section("failed", {})
    return Section(state(answer), answer.body)


def _proposals_state(answer: Answer) -> str:
    return str(answer.body["state"])


def _similar_state(answer: Answer) -> str:
    return "ready" if answer.body["items"] else "none"


def _summary_state(answer: Answer) -> str:
    return "computing" if answer.status == HTTPStatus.ACCEPTED else "ready"


def _always_ready(_answer: Answer) -> str:
    return "ready"
