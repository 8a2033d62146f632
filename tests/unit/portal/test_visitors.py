import asyncio

import httpx2
import pytest
from structlog.testing import capture_logs

from support_copilot.portal.api import Api, Refused

FORM = {
    "name": "Ada Martin",
    "email": "ada@example.com",
    "title": "Charged twice",
    "description": "Two payments\r\non the 3rd.",
    "form_id": "f" * 32,
}
SITE = "http://desk.test"
PAGE = {"Accept": "text/html"}


async def test_pages_ask_for_the_sign_in_and_come_back(desk):
    answer = await desk.browser.get("/?view=critical")
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert place == "/sign-in?next=%2F%3Fview%3Dcritical"
    form = {"username": "mira", "password": "a password long enough", "next": "/?view=critical"}
    assert 'value="/?view=critical"' in (await desk.browser.get(place)).text
    answer = await desk.browser.post("/sign-in", data=form)
    assert answer.headers["location"] == "/?view=critical"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "mira" in (await desk.browser.get("/")).text


async def test_the_sign_in_leads_to_no_other_site(signed_in):
    for place in (
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "evil",
        "javascript:x",
        "/\nx",
    ):
        answer = await signed_in.browser.get("/sign-in", params={"next": place})
        assert answer.headers["location"] == "/", place


async def test_a_wrong_password_says_so_and_keeps_the_name(desk):
    form = {"username": 'mira"><b>', "password": "wrong"}
    answer = await desk.browser.post("/sign-in", data=form)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert "mira&#34;&gt;&lt;b&gt;" in answer.text


async def test_signing_out_ends_the_session(signed_in):
    token = signed_in.browser.cookies["sc_session"]
    answer = await signed_in.browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    await asyncio.sleep(1.1)  # how long the gateway remembers a token
    refused = await signed_in.browser.get("/", headers={"Cookie": f"sc_session={token}"})
    assert refused.headers["location"] == "/sign-in"


async def test_pages_of_other_sites_change_nothing(signed_in, take_in):
    issue = await take_in()
    answer = await signed_in.browser.post(
        f"/issues/{issue['id']}/end", headers={"Origin": "https://evil.test"}
    )
    assert answer.status_code == 403
    assert "You may not do this" in answer.text
    assert (await signed_in.api.get(f"/v1/issues/{issue['id']}")).json()["status"] == "OPEN"


async def test_a_visitor_raises_an_issue_once(desk):
    answers = [await desk.browser.post("/raise", data=FORM) for _ in range(2)]
    listed = (await desk.api.get("/v1/issues")).json()["items"]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(listed) == 1
    assert listed[0]["channel"] == "portal"
    assert listed[0]["snippet"] == "Two payments\non the 3rd."
    page = answers[0].text
    assert listed[0]["number"] in page
    for internal in ("everity", "ritical", "onfiden", "imilar", listed[0]["id"]):
        assert internal not in page

    other = FORM | {"title": "Another matter"}
    assert (await desk.browser.post("/raise", data=other)).status_code == 201
    assert len((await desk.api.get("/v1/issues")).json()["items"]) == 2


async def test_the_form_says_what_is_wrong_and_keeps_the_rest(desk):
    answer = await desk.browser.post("/raise", data=FORM | {"email": "not an address", "name": " "})
    assert answer.status_code == 422
    assert 'aria-describedby="email-error"' in answer.text
    assert 'aria-describedby="name-error"' in answer.text
    assert 'value="Charged twice"' in answer.text
    assert (await desk.api.get("/v1/issues")).json()["items"] == []


async def test_a_form_of_the_wrong_kind_is_refused_by_a_page(desk):
    answer = await desk.browser.post("/raise", content=b"\xff\xfe%zz&&&=", headers=PAGE)
    assert answer.status_code == 422
    answer = await desk.browser.post("/raise", data={"title": "x" * (1 << 21)})
    assert answer.status_code == 413
    assert "<h1>That was too much at once</h1>" in answer.text


async def test_what_is_not_there_is_a_page_with_a_way_back(signed_in):
    for path in (
        *("/nowhere", "/issues/12345", "/issues/x", f"/issues/{'9' * 19}"),
        *("/customers/77", "/static/x"),
    ):
        answer = await signed_in.browser.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert 'href="/">Back to the inbox' in answer.text


async def test_unexpected_failures_are_pages_without_details(
    signed_in, take_in, monkeypatch, caplog
):
    issue = await take_in()

    def broken(*_args, **_more):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(signed_in.services.analysis, "similar", broken)
    with capture_logs() as logged:
        page = await signed_in.browser.get(f"/issues/{issue['id']}")
    assert page.status_code == 200
    assert "Similar issues could not be searched" in page.text
    monkeypatch.setattr(signed_in.services.database, "look", broken)
    with capture_logs() as logged_too:
        answer = await signed_in.browser.get("/")
    # Where the process's log is configured, lines go past structlog's capture to logging.
    levels = [line["log_level"] for line in (*logged, *logged_too)]
    levels += [record.levelname.lower() for record in caplog.records]
    assert levels.count("error") >= 2
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret" not in page.text + answer.text


async def test_programs_and_unknown_api_paths_get_problems(signed_in):
    for path in ("/v1/nowhere", "/v1/issues/12345"):
        answer = await signed_in.api.get(path, headers=PAGE)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = await signed_in.api.get("/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    head = await signed_in.browser.head("/nowhere")
    assert (head.status_code, head.content) == (404, b"")


async def test_the_api_client_keeps_nobody_signed_in(desk):
    async def cookie_giver(_scope, _receive, send):
        headers = [(b"set-cookie", b"sc_session=somebody"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"detail": "no"}'})

    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(cookie_giver), base_url=SITE)
    with pytest.raises(Refused, match="no"):
        await Api(client, "token").get("/v1/issues")
    assert not client.cookies
