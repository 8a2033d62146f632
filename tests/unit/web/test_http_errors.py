"""Every error of an application made by ``create_app`` leaves as a readable problem."""

import json
from typing import Annotated

import pytest
from fastapi import APIRouter, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from support_copilot.domain import errors
from support_copilot.web.app_factory import create_app
from support_copilot.web.fields import Email, Id, IdText, Text
from support_copilot.web.json_body import JsonRoute

JSON = {"content-type": "application/json"}


class Customer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: Email


class NewThing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, Text(20)]
    customer: Customer
    tags: list[str] = []


class Thing(BaseModel):
    id: IdText
    title: str


router = APIRouter(route_class=JsonRoute)


@router.post("/things", status_code=201)
async def add(thing: NewThing) -> Thing:
    return Thing(id=7, title=thing.title)


@router.get("/things")
async def all_things() -> list[Thing]:
    return []


@router.get("/things/{thing_id}")
async def show(thing_id: Id, limit: Annotated[int, Query(ge=1)] = 1) -> Thing:
    return Thing(id=thing_id, title="x" * limit)


@router.get("/fails/{name}")
async def fails(name: str) -> None:
    raise {
        "invalid": errors.InvalidInput("title", "is odd"),
        "missing": errors.NotFound("There is no thing 1."),
        "conflict": errors.Conflict("Twice."),
        "version": errors.VersionMismatch("Read again.", current=3),
        "key": errors.KeyReused("Another body."),
        "unknown": errors.NotSignedIn("Sign in."),
        "forbidden": errors.NotAllowed("No."),
        "many": errors.TooManyRequests("Wait.", 12),
        "large": errors.TooLarge("Less."),
        "late": errors.DeadlineExceeded("Late."),
        "down": errors.Unavailable("Down."),
        "bug": RuntimeError("password=hunter2"),
    }[name]


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = create_app("Things", "1", b"s" * 32)
    app.include_router(router)
    return TestClient(app, raise_server_exceptions=False)


def post(client: TestClient, body: bytes | str):
    return client.post("/things", content=body, headers=JSON)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("invalid", 422, "invalid-input"),
        ("missing", 404, "not-found"),
        ("conflict", 409, "conflict"),
        ("version", 412, "version-mismatch"),
        ("key", 422, "idempotency-key-reused"),
        ("unknown", 401, "not-signed-in"),
        ("forbidden", 403, "not-allowed"),
        ("many", 429, "too-many-requests"),
        ("large", 413, "too-large"),
        ("late", 504, "deadline-exceeded"),
        ("down", 503, "unavailable"),
        ("bug", 500, "internal-error"),
    ],
)
def test_the_error_hierarchy_has_its_statuses(client, name, status, code):
    answer = client.get(f"/fails/{name}", headers={"x-request-id": "abc-1"})
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"/problems/{code}"
    assert problem["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert "hunter2" not in answer.text


def test_headers_that_http_asks_for(client):
    assert client.get("/fails/unknown").headers["www-authenticate"].startswith("Bearer")
    assert client.get("/fails/many").headers["retry-after"] == "12"
    assert client.get("/fails/version").json()["current"] == 3
    assert client.delete("/things").headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ("", "body", "required"),
        ("[]", "body", "object"),
        ("null", "body", "object"),
        ('{"title": "a"}', "customer", "required"),
        ('{"title": 5, "customer": {"email": "a@b.de"}}', "title", "string"),
        ('{"title": " ", "customer": {"email": "a@b.de"}}', "title", "blank"),
        ('{"title": "a\\u0000", "customer": {"email": "a@b.de"}}', "title", "U+0000"),
        ('{"title": "a", "customer": {"email": "nobody"}}', "customer.email", "e-mail"),
        ('{"title": "a", "customer": {"email": "a@b.de", "x": 1}}', "customer.x", "remove"),
        ('{"title": "a", "customer": {"email": "a@b.de"}, "tags": ["a", 1]}', "tags.1", "string"),
        ('{"title": "\\ud800", "customer": {}}', "title", "surrogate"),
        ('{"customer": {"email": ["\\ud800"]}}', "customer.email.0", "surrogate"),
        ('{"title": 1e999}', "title", "range"),
        (json.dumps({"title": "a" * 21, "customer": {"email": "a@b.de"}}), "title", "20"),
    ],
)
def test_a_refused_value_is_named_with_its_remedy(client, body, field, says):
    answer = post(client, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert says in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        "{",
        b'{"title": "\xff"}',
        '{"title": NaN}',
        '{"title": "a", "title": "b"}',
        "[" * 33 + "]" * 33,
        "[" * 200_000,
        "1" * 6000,
    ],
)
def test_what_is_no_json_is_a_400(client, body):
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed-json"
    assert len(answer.content) < 500


def test_other_media_types_are_a_415(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json;charset=x"):
        answer = client.post("/things", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 415, kind
    body = b'{"title": "a", "customer": {"email": "a@b.de"}}'
    kind = "application/json; charset=UTF-8"
    answer = client.post("/things", content=body, headers={"content-type": kind})
    assert answer.json() == {"id": "7", "title": "a"}


def test_huge_inputs_are_not_repeated(client):
    answer = post(client, json.dumps({"x" * 100_000: 1, "title": "y" * 100_000}))
    assert answer.status_code == 422
    assert len(answer.content) < 1500


def test_ids_in_paths(client):
    assert client.get("/things/9223372036854775807").json()["id"] == "9223372036854775807"
    # Digits that no id has are well formed, and nobody's.
    assert client.get("/things/9999999999999999999").status_code == 200
    for bad in ("abc", "-1", "1.5", "%D9%A1", "1" * 30):
        answer = client.get(f"/things/{bad}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "thing_id"


def test_unknown_paths_and_insane_request_ids(client):
    answer = client.get("/nothing", headers={"x-request-id": "a b\tc"})
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] == answer.json()["request_id"] != "a b\tc"


def test_the_document_describes_the_problems(client):
    document = client.get("/openapi.json").json()
    responses = document["paths"]["/things"]["post"]["responses"]
    assert {"400", "415", "422", "429"} <= responses.keys()
    schema = responses["422"]["content"]["application/problem+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "Problem" in document["components"]["schemas"]
    assert "415" not in document["paths"]["/things/{thing_id}"]["get"]["responses"]
