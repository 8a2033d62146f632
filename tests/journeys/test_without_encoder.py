"""Where the encoder's weights are missing, the desk works on rules and words, and says so."""

from __future__ import annotations

import httpx2

from support_copilot import bootstrap
from support_copilot.domain.identity import Role
from support_copilot.settings import Settings


def issue(title: str, description: str) -> dict:
    return {
        "customer": {"email": "ada@example.com", "name": "Ada"},
        "title": title,
        "description": description,
    }


async def test_the_desk_works_without_the_encoder_and_says_so(tmp_path):
    settings = Settings(data_dir=tmp_path, encoder="off")
    async with bootstrap.build(settings) as services, bootstrap.background(services):
        _, key = await services.accounts.create_api_key("test", Role.INTEGRATION)
        transport = httpx2.ASGITransport(bootstrap.build_application(services))
        async with httpx2.AsyncClient(
            transport=transport,
            base_url="http://desk",
            headers={"Authorization": f"Bearer {key}"},
        ) as client:
            first = await client.post(
                "/v1/issues", json=issue("Kettle leaks", "The copper kettle leaks on my desk.")
            )
            await services.relay.drain()
            for _ in range(200):
                if await services.analysis.indexed():
                    break
                await services.index.catch_up()
            second = await client.post(
                "/v1/issues", json=issue("Leaking kettle", "My copper kettle leaks, was hacked?")
            )
            ready = (await client.get("/health/ready")).json()
    assert first.status_code == 201
    assert first.json()["degraded"] == ["severity", "similar"]
    assert [item["id"] for item in second.json()["similar"]] == [first.json()["id"]]
    assert ready["status"] == "degraded"
    encoder = ready["models"][0]
    assert encoder["loaded"] is False
    assert "make install" in encoder["detail"]
