from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import ASGITransport, AsyncClient

from support_copilot.accounts.app import create_accounts_app
from support_copilot.domain.errors import NotSignedIn
from support_copilot.domain.identity import Identity, Role
from support_copilot.web import identity_header

SECRET = b"i" * 32


def as_role(role: Role) -> dict[str, str]:
    identity = Identity("ada", role, "session")
    return {identity_header.HEADER: identity_header.sign(identity, SECRET, datetime.now(UTC))}


@pytest.fixture
async def client(service):
    await service.create_user("ada", "Ada L.", Role.LEAD, "correct horse battery")
    app = create_accounts_app(service, version="1", identity_secret=SECRET)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://desk") as client:
        yield client


async def test_signing_in_sets_a_cookie_scripts_cannot_read(client):
    credentials = {"username": "ada", "password": "correct horse battery"}
    answer = await client.post("/v1/auth/sign-in", json=credentials)
    assert answer.status_code == 200
    assert answer.json()["user"] == {"username": "ada", "name": "Ada L.", "role": "lead"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"sc_session={answer.json()['token']};")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    client.base_url = "https://desk"
    answer = await client.post("/v1/auth/sign-in", json=credentials)
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_wrong_password_is_a_401_without_a_hint(client):
    refused = [
        await client.post("/v1/auth/sign-in", json={"username": name, "password": "wrong"})
        for name in ("ada", "nobody")
    ]
    assert {answer.status_code for answer in refused} == {401}
    assert len({answer.json()["detail"] for answer in refused}) == 1


async def test_signing_out_ends_the_session(client, service):
    credentials = {"username": "ada", "password": "correct horse battery"}
    token = (await client.post("/v1/auth/sign-in", json=credentials)).json()["token"]
    headers = as_role(Role.LEAD) | {"Authorization": f"Bearer {token}"}
    answer = await client.post("/v1/auth/sign-out", headers=headers)
    assert answer.status_code == 204
    assert "sc_session=" in answer.headers["set-cookie"]
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(token)


async def test_me(client):
    assert (await client.get("/v1/auth/me")).status_code == 401
    me = (await client.get("/v1/auth/me", headers=as_role(Role.ADMIN))).json()
    assert (me["subject"], me["role"]) == ("ada", "admin")
    assert "accounts:manage" in me["permissions"]


async def test_an_admin_makes_lists_and_revokes_keys(client):
    admin = as_role(Role.ADMIN)
    wanted = {"name": "shop", "expires_in_days": 30.0}
    made = await client.post("/v1/api-keys", json=wanted, headers=admin)
    assert made.status_code == 201
    key = made.json()
    left = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    listed = await client.get("/v1/api-keys", headers=admin)
    assert [item["id"] for item in listed.json()["items"]] == [key["id"]]
    assert "secret" not in listed.text
    assert "secret_hash" not in made.text
    assert (await client.delete(f"/v1/api-keys/{key['id']}", headers=admin)).status_code == 204
    assert (await client.delete(f"/v1/api-keys/{key['id']}", headers=admin)).status_code == 404
    assert (await client.get("/v1/api-keys", headers=admin)).json()["items"][0][
        "revoked_at"
    ] is not None


async def test_others_may_not(client):
    for role in (Role.LEAD, Role.EXECUTIVE, Role.INTEGRATION):
        assert (await client.get("/v1/api-keys", headers=as_role(role))).status_code == 403
        answer = await client.post("/v1/api-keys", json={"name": "x"}, headers=as_role(role))
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "customer"}, "role"),
        ({"name": ""}, "name"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": True}, "expires_in_days"),
        ({"expires_in_days": "30"}, "expires_in_days"),
        ({"expires_in_days": 1.5}, "expires_in_days"),
        ({"scope": "all"}, "scope"),
    ],
)
async def test_keys_that_cannot_be(client, change, field):
    answer = await client.post(
        "/v1/api-keys", json={"name": "shop"} | change, headers=as_role(Role.ADMIN)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
