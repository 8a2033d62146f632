"""The gateway as a caller meets it, over a small service and the real limiter."""

import asyncio
import io
import json
import logging
from datetime import UTC, datetime
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict
from starlette.responses import PlainTextResponse

from support_copilot.cache.rate_limits import WindowedRateLimiter
from support_copilot.domain.errors import NotSignedIn
from support_copilot.domain.identity import Identity, Permission, Role
from support_copilot.gateway.app import build_gateway
from support_copilot.observability import logs
from support_copilot.web import deadline, identity_header, request_id
from support_copilot.web.app_factory import create_app
from support_copilot.web.fields import Id, Text
from support_copilot.web.health import health_router
from support_copilot.web.json_body import JsonRoute

SECRET = b"g" * 32
KEY = {"Authorization": "Bearer good-key"}
CALLER = Identity("key:abcd1234", Role.EXECUTIVE, "api-key")


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Text(2_000_000)]


router = APIRouter(prefix="/v1", route_class=JsonRoute)
Reader = Annotated[Identity, Depends(identity_header.require(Permission.READ_ISSUES))]


@router.get("/issues/{issue_id}")
async def show(issue_id: Id, caller: Reader) -> dict[str, str | float | None]:
    return {
        "id": str(issue_id),
        "subject": caller.subject,
        "remaining": deadline.remaining(),
        "request_id": request_id.current(),
    }


@router.post("/issues", status_code=201)
async def add(note: Note) -> int:
    return len(note.text)


@router.get("/issues/{issue_id}/slow")
async def slow(issue_id: Id) -> None:
    await asyncio.sleep(30)


@router.get("/issues/{issue_id}/bug")
async def bug(issue_id: Id) -> None:
    raise RuntimeError("private detail")


async def pages(scope, receive, send):
    """A stand-in for the portal: says who came, to anybody."""
    identity = dict(scope["headers"]).get(b"x-copilot-identity")
    name = "nobody"
    if identity is not None:
        name = identity_header.verify(identity.decode(), SECRET, datetime.now(UTC)).subject
    await PlainTextResponse(f"page for {name}")(scope, receive, send)


async def authenticator(token: str) -> Identity:
    if token == "good-key":
        return CALLER
    if token == "good-session":
        return Identity("ada", Role.LEAD, "session")
    raise NotSignedIn("The API key or session is not valid, has expired or was revoked.")


def gateway(*, budgets=None, optional=("/",), app=None, **kwargs):
    service = create_app("Issues", "1", SECRET)
    service.include_router(router)
    health = create_app("Health", "1", SECRET)
    health.include_router(health_router({}))
    return build_gateway(
        {"/v1/issues": service, "/health": health, "/": app or pages},
        kwargs.pop("authenticator", authenticator),
        WindowedRateLimiter(budgets or {"default": 0, "intake": 0, "ai": 0, "sign-in": 0}),
        SECRET,
        optional_auth=optional,
        **kwargs,
    )


def calling(app, **kwargs) -> AsyncClient:
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=True), base_url="http://desk", **kwargs
    )


@pytest.fixture
async def client():
    async with calling(gateway(origins=["https://shop.example"])) as client:
        yield client


@pytest.fixture
def log():
    """Return what the process logs, one JSON object a line."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", "json", stream)
    # The test's own HTTP client logs too.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    yield stream
    root.handlers[:], root.level = handlers, level


def is_problem(answer, status: int, code: str) -> bool:
    problem = answer.json()
    return (
        (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
        and answer.headers["content-type"] == "application/problem+json"
        and problem["request_id"] == answer.headers["x-request-id"]
        and answer.headers["x-content-type-options"] == "nosniff"
    )


# ---------------------------------------------------------------- who is calling


async def test_a_key_reaches_the_service_as_an_identity(client):
    answer = await client.get("/v1/issues/7", headers=KEY | {"x-request-id": "r-1"})
    body = answer.json()
    assert (body["id"], body["subject"], body["request_id"]) == ("7", "key:abcd1234", "r-1")
    assert 14 < body["remaining"] <= 15
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer bad-key"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic Z29vZC1rZXk="},
        {"Authorization": "good-key"},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Cookie": "sc_session=unknown"},
        {identity_header.HEADER: identity_header.sign(CALLER, SECRET, datetime.now(UTC))},
    ],
)
async def test_without_a_valid_credential_it_is_a_401(client, headers):
    answer = await client.get("/v1/issues/7", headers=headers)
    assert is_problem(answer, 401, "not-signed-in")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_identity_from_outside_never_counts(client):
    forged = identity_header.sign(Identity("root", Role.ADMIN), SECRET, datetime.now(UTC))
    answer = await client.get("/v1/issues/7", headers=KEY | {identity_header.HEADER: forged})
    assert answer.json()["subject"] == "key:abcd1234"
    assert (await client.get("/", headers={identity_header.HEADER: forged})).text.endswith("nobody")


async def test_pages_take_anonymous_visitors_and_know_signed_in_ones(client):
    assert (await client.get("/inbox")).text == "page for nobody"
    signed_in = await client.get("/inbox", headers={"Cookie": "sc_session=good-session"})
    assert signed_in.text == "page for ada"
    expired = await client.get("/inbox", headers={"Cookie": "a=b; sc_session=old"})
    assert expired.text == "page for nobody"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://desk"}, 201),
        ({"Origin": "https://shop.example"}, 201),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://desk.evil.example"}, 403),
        ({}, 403),
    ],
)
async def test_a_cookie_changes_things_only_from_our_own_pages(client, headers, status):
    headers = headers | {"Cookie": "sc_session=good-session"}
    answer = await client.post("/v1/issues", json={"text": "a"}, headers=headers)
    assert answer.status_code == status


async def test_other_pages_cannot_sign_their_visitors_in(client):
    answer = await client.post("/sign-in", headers={"Origin": "https://evil.example"})
    assert is_problem(answer, 403, "not-allowed")
    assert (await client.post("/sign-in", headers={"Origin": "http://desk"})).status_code == 200


async def test_a_verified_key_is_not_looked_up_again_within_a_second():
    seen = []

    async def counting(token: str) -> Identity:
        seen.append(token)
        return await authenticator(token)

    async with calling(gateway(authenticator=counting)) as client:
        for token in ("good-key", "bad-key"):
            for _ in range(5):
                await client.get("/v1/issues/1", headers={"Authorization": f"Bearer {token}"})
    assert seen == ["good-key", "bad-key"]


# ---------------------------------------------------------------- routing


async def test_unknown_paths_of_the_api_are_problems_not_pages(client):
    for path in ("/v1/nothing", "/v1", "/v1/issuesx", "/health", "/v1/issues/1/nothing"):
        answer = await client.get(path, headers=KEY)
        assert is_problem(answer, 404, "not-found"), path
    assert is_problem(await client.put("/v1/issues", headers=KEY), 405, "method-not-allowed")
    assert is_problem(await client.post("/metrics"), 405, "method-not-allowed")


async def test_head_is_get_without_a_body(client):
    answer = await client.head("/v1/issues/7", headers=KEY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == b""


async def test_operators_need_no_key(client):
    assert (await client.get("/health/live")).json() == {"status": "live"}
    assert (await client.get("/health/ready")).json()["status"] == "ready"
    assert "# TYPE http_requests_total counter" in (await client.get("/metrics")).text


async def test_metrics_can_be_closed():
    async with calling(gateway(public_metrics=False)) as client:
        assert is_problem(await client.get("/metrics"), 401, "not-signed-in")
        assert (await client.get("/metrics", headers=KEY)).status_code == 200


async def test_one_document_describes_all_services(client):
    document = (await client.get("/openapi.json")).json()
    assert {"/v1/issues", "/v1/issues/{issue_id}", "/health/ready"} <= document["paths"].keys()
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/health/live"]["get"]["security"] == []
    assert "401" in document["paths"]["/v1/issues"]["post"]["responses"]
    assert {"Note", "Problem"} <= document["components"]["schemas"].keys()


async def test_metrics_and_logs_name_templates_never_ids(client, log):
    await client.get("/v1/issues/424242?text=secret", headers=KEY | {"x-request-id": "r-9"})
    await client.get("/v1/issues/424242/ada@example.com", headers=KEY)
    first, second = (json.loads(line) for line in log.getvalue().splitlines())
    assert first["event"] == "request"
    assert (first["route"], first["status"]) == ("/v1/issues/{issue_id}", 200)
    assert (first["request_id"], first["method"], first["level"]) == ("r-9", "GET", "info")
    assert (second["route"], second["status"]) == ("/v1/issues", 404)
    exposed = (await client.get("/metrics")).text
    line = 'http_requests_total{method="GET",route="/v1/issues/{issue_id}",status="200"}'
    assert line in exposed
    for text in (exposed, log.getvalue()):
        assert "424242" not in text
        assert "ada@" not in text
        assert "secret" not in text


# ---------------------------------------------------------------- limits


async def test_an_announced_large_body_is_refused_unread(client):
    async def never():
        raise AssertionError("the body was read")
        yield b""

    headers = KEY | {"Content-Length": str(10 << 20), "Content-Type": "application/json"}
    answer = await client.post("/v1/issues", content=never(), headers=headers)
    assert is_problem(answer, 413, "too-large")
    assert "1048576" in answer.json()["detail"]


async def test_a_streamed_large_body_is_not_read_to_its_end(client):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 10 << 20:
            sent += 1 << 16
            yield b"x" * (1 << 16)

    headers = KEY | {"Content-Type": "application/json"}
    answer = await client.post("/v1/issues", content=endless(), headers=headers)
    assert is_problem(answer, 413, "too-large")
    assert sent < 2 << 20


async def test_a_body_of_the_allowed_size_arrives_whole(client):
    text = "x" * ((1 << 20) - len('{"text":""}'))
    body = json.dumps({"text": text}, separators=(",", ":"))
    headers = KEY | {"Content-Type": "application/json"}
    assert (await client.post("/v1/issues", content=body, headers=headers)).json() == len(text)
    assert (await client.post("/v1/issues", content=body + " ", headers=headers)).status_code == 413


async def test_a_slow_body_is_a_408():
    async def slow_body():
        yield b'{"text": '
        await asyncio.sleep(5)
        yield b'"a"}'

    async with calling(gateway(body_seconds=0.1)) as client:
        headers = KEY | {"Content-Type": "application/json"}
        answer = await client.post("/v1/issues", content=slow_body(), headers=headers)
    assert is_problem(answer, 408, "request-timeout")


async def test_the_deadline_cancels_and_answers():
    async with calling(gateway(deadline_seconds=0.1)) as client:
        answer = await client.get("/v1/issues/1/slow", headers=KEY)
    assert is_problem(answer, 504, "deadline-exceeded")


async def test_streams_have_no_deadline():
    async def stream(scope, receive, send):
        await asyncio.sleep(0.2)
        await PlainTextResponse("data: late")(scope, receive, send)

    app = gateway(deadline_seconds=0.1, app=stream, streams=frozenset({"/events"}))
    async with calling(app) as client:
        assert (await client.get("/events")).text == "data: late"


async def test_a_bug_is_a_500_that_tells_only_the_request_id(client, log):
    answer = await client.get("/v1/issues/1/bug", headers=KEY)
    assert is_problem(answer, 500, "internal-error")
    assert "private detail" not in answer.text
    line = json.loads(log.getvalue().splitlines()[0])
    assert "private detail" in line["exception"]
    assert line["request_id"] == answer.json()["request_id"]


async def test_budgets_are_counted_a_client_and_told():
    budgets = {"default": 3, "intake": 1, "ai": 0, "sign-in": 2}
    async with calling(gateway(budgets=budgets)) as client:
        left = []
        for _ in range(3):
            answer = await client.get("/v1/issues/1", headers=KEY)
            left.append(answer.headers["ratelimit-remaining"])
        assert left == ["2", "1", "0"]
        refused = await client.get("/v1/issues/1", headers=KEY)
        assert is_problem(refused, 429, "too-many-requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-limit"] == "3"
        assert refused.headers["ratelimit-remaining"] == "0"
        assert (await client.post("/v1/issues", json={"text": "a"}, headers=KEY)).is_success
        again = await client.post("/v1/issues", json={"text": "a"}, headers=KEY)
        assert again.status_code == 429
        other = await client.get("/", headers={"Cookie": "sc_session=good-session"})
        assert other.headers["ratelimit-remaining"] == "2"
        assert (await client.get("/health/live")).status_code == 200
        statuses = [(await client.post("/sign-in")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]


# ---------------------------------------------------------------- browsers


async def test_scripts_of_named_origins_may_call(client):
    shop = {"Origin": "https://shop.example"}
    preflight = await client.options(
        "/v1/issues", headers=shop | {"Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    answer = await client.post("/v1/issues", json={"text": "a"}, headers=shop | KEY)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "origin" in answer.headers["vary"]
    refused = await client.get("/v1/issues/1", headers=shop)
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"


async def test_scripts_of_other_origins_may_not(client):
    evil = {"Origin": "https://evil.example"}
    preflight = await client.options(
        "/v1/issues", headers=evil | {"Access-Control-Request-Method": "POST"}
    )
    assert is_problem(preflight, 403, "not-allowed")
    answer = await client.get("/v1/issues/1", headers=evil | KEY)
    assert "access-control-allow-origin" not in answer.headers


async def test_answers_bind_browsers(client):
    headers = (await client.get("/")).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
