"""The API's own document is whole, and the reference page names every call of it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from support_copilot import bootstrap
from support_copilot.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def document(tmp_path) -> dict:
    settings = Settings(data_dir=tmp_path, encoder="off")
    async with bootstrap.build(settings) as services:
        transport = httpx2.ASGITransport(bootstrap.build_application(services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
            answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_every_call_stands_in_the_reference(document):
    text = (ROOT / "docs/reference/api.md").read_text()
    named = set(re.findall(r"`([A-Z]+ /[^`?]*)`", text)) - {"GET /metrics"}
    there = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    assert named == there


async def test_every_call_documents_its_errors_and_what_it_is_for(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), f"{method} {path}"
            if path.startswith("/v1/") and path != "/v1/auth/sign-in":
                assert "401" in operation["responses"], f"{method} {path}"


async def test_the_intake_has_an_example(document):
    schemas = document["components"]["schemas"]
    assert schemas["IssueIn"]["properties"]["title"]["examples"]
    assert schemas["CustomerIn"]["properties"]["email"]["examples"]
