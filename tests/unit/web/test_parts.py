"""Fields, cursors, the identity header, deadlines and health, each by itself."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from support_copilot.domain.errors import InvalidInput, NotSignedIn, Unavailable
from support_copilot.domain.identity import Identity, Permission, Role
from support_copilot.ports import ModelInfo
from support_copilot.web import deadline, identity_header
from support_copilot.web.app_factory import create_app
from support_copilot.web.fields import Email, Text
from support_copilot.web.health import health_router
from support_copilot.web.pagination import decode_cursor, encode_cursor

SECRET = b"k" * 32
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CALLER = Identity("key:abcd1234", Role.EXECUTIVE, "api-key")
TEXT = TypeAdapter(Annotated[str, Text(300)])


@given(st.text(max_size=300))
def test_text_is_kept_verbatim_or_refused(value):
    controls = {chr(code) for code in range(32)} - {"\t", "\n", "\r"}
    if controls & set(value) or not value.strip():
        with pytest.raises(ValidationError):
            TEXT.validate_python(value)
    else:
        assert TEXT.validate_python(value) == value


@given(st.from_regex(TEXT.json_schema()["pattern"], fullmatch=True))
def test_what_the_schema_promises_is_accepted(value):
    if len(value) <= 300:
        assert TEXT.validate_python(value) == value


def test_emails():
    email = TypeAdapter(Email)
    assert email.validate_python("Ada@EXAMPLE.com") == "Ada@example.com"
    assert email.validate_python("ops@desk.local") == "ops@desk.local"
    for bad in ("", "a", "a@", "a@b", "a b@c.de", "a@b..de", "a\0@b.de", "a@[10.0.0.1]", 5):
        with pytest.raises(ValidationError, match=r"e-mail|string"):
            email.validate_python(bad)
    with pytest.raises(ValidationError, match="254"):
        email.validate_python("a" * 300 + "@b.de")


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 2**63 - 1) | st.text(max_size=9)))
def test_a_cursor_comes_back_only_to_its_query(position):
    cursor = encode_cursor(position, "open by newest")
    assert decode_cursor(cursor, "open by newest") == position
    with pytest.raises(InvalidInput):
        decode_cursor(cursor, "open by oldest")


@given(st.text(max_size=60))
def test_a_damaged_cursor_is_refused(cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        decode_cursor(cursor)


def test_an_identity_survives_the_header_for_a_minute():
    value = identity_header.sign(CALLER, SECRET, NOW)
    assert identity_header.verify(value, SECRET, NOW + timedelta(seconds=59)) == CALLER
    with pytest.raises(NotSignedIn, match="expired"):
        identity_header.verify(value, SECRET, NOW + timedelta(seconds=60))


def test_a_forged_identity_is_refused():
    value = identity_header.sign(CALLER, SECRET, NOW)
    payload, mac = value.split(".")
    claims = base64.urlsafe_b64decode(payload).replace(b"executive", b"admin")
    forged = base64.urlsafe_b64encode(claims).decode() + "." + mac
    for bad in (
        forged,
        payload,
        "",
        ".",
        value + "x",
        "ä.ö",
        identity_header.sign(CALLER, b"", NOW),
    ):
        with pytest.raises(NotSignedIn):
            identity_header.verify(bad, SECRET, NOW)


def test_a_permission_is_asked_for():
    app = create_app("t", "1", SECRET)

    @app.get("/admin")
    async def admin(
        caller: Annotated[Identity, Depends(identity_header.require(Permission.MANAGE_ACCOUNTS))],
    ) -> str:
        return caller.subject

    client = TestClient(app)
    assert client.get("/admin").status_code == 401
    as_executive = identity_header.sign(CALLER, SECRET, datetime.now(UTC))
    answer = client.get("/admin", headers={identity_header.HEADER: as_executive})
    assert (answer.status_code, answer.json()["permission"]) == (403, "accounts:manage")
    boss = identity_header.sign(Identity("boss", Role.ADMIN), SECRET, datetime.now(UTC))
    assert client.get("/admin", headers={identity_header.HEADER: boss}).json() == "boss"


def test_deadlines_nest_and_end():
    assert deadline.remaining(default=9) == 9
    with deadline.budget(5):
        assert 4.9 < deadline.remaining() <= 5
        with deadline.budget(60):
            assert deadline.remaining() <= 5
        with deadline.budget(0):
            assert deadline.remaining() == 0
    assert deadline.remaining(default=9) == 9


async def works():
    return {"revision": "abc"}


async def fails():
    raise Unavailable("The queue does not answer.")


async def hangs():
    await asyncio.sleep(60)


def ready(monkeypatch=None, **kwargs):
    app: FastAPI = create_app("t", "1", SECRET)
    app.include_router(health_router(**kwargs))
    return TestClient(app).get("/health/ready")


def test_ready_names_checks_and_models():
    answer = ready(
        checks={"database": works}, models=lambda: [ModelInfo("rules", "3", loaded=True)]
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": {"status": "ok", "revision": "abc"}},
        "models": [{"name": "rules", "version": "3", "loaded": True, "detail": ""}],
    }


def test_a_missing_model_or_optional_part_degrades():
    missing = [ModelInfo("encoder", "", loaded=False, detail="weights not installed")]
    assert ready(checks={}, models=lambda: missing).json()["status"] == "degraded"
    answer = ready(checks={"cache": fails}, optional=frozenset({"cache"}))
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


def test_a_failing_or_hanging_check_is_a_503(monkeypatch):
    monkeypatch.setattr("support_copilot.web.health.CHECK_SECONDS", 0.05)
    answer = ready(checks={"queue": fails, "database": hangs, "cache": works})
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["detail"] == "Not working: queue, database."
    assert problem["checks"]["queue"]["detail"] == "The queue does not answer."
    assert problem["checks"]["cache"]["status"] == "ok"
