import asyncio
import shutil
from types import SimpleNamespace

import httpx2
import pytest

from support_copilot import bootstrap
from support_copilot.domain.identity import Role
from support_copilot.domain.recommendation import Recommendation, Source
from support_copilot.settings import Settings
from support_copilot.web import session_cookie

SITE = "http://desk.test"
PASSWORD = "a password long enough"
AS_BROWSER = {"Accept": "text/html,application/xhtml+xml", "Origin": SITE}
PROPOSED = "Hello {customer.first_name},\n\nwe return the second payment.\n\n{executive.name}"


def settings_of(data_dir):
    return Settings(data_dir=data_dir, encoder="off", rate_limit_sign_in=0, _env_file=None)


@pytest.fixture(scope="session")
def founded(tmp_path_factory):
    """A desk with its people, made once: hashing passwords takes its time on purpose."""

    async def found(data_dir):
        async with bootstrap.open_storage(settings_of(data_dir)) as storage:
            accounts = storage.accounts
            await accounts.create_user("mira", "Mira Adler", Role.EXECUTIVE, PASSWORD)
            _, session, _ = await accounts.sign_in("mira", PASSWORD)
            _, key = await accounts.create_api_key("tests", Role.EXECUTIVE, None)
        return SimpleNamespace(data_dir=data_dir, session=session, key=key)

    return asyncio.run(found(tmp_path_factory.mktemp("founded")))


@pytest.fixture
async def desk(founded, tmp_path):
    shutil.copytree(founded.data_dir, tmp_path, dirs_exist_ok=True)
    async with bootstrap.build(settings_of(tmp_path)) as services:
        app = bootstrap.build_application(services)
        async with (
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url=SITE, headers=AS_BROWSER
            ) as browser,
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url=SITE,
                headers={"Authorization": f"Bearer {founded.key}"},
            ) as api,
        ):
            yield SimpleNamespace(services=services, app=app, browser=browser, api=api)


@pytest.fixture
async def signed_in(desk, founded):
    desk.browser.cookies.set(session_cookie.NAME, founded.session, domain="desk.test")
    return desk


@pytest.fixture
def take_in(desk):
    async def take(
        title="Charged twice", description="Two payments on the 3rd.", name="Ada Martin"
    ):
        body = {
            "customer": {"email": "ada@example.com", "name": name},
            "title": title,
            "description": description,
        }
        answer = await desk.api.post("/v1/issues", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return take


@pytest.fixture
def propose(desk):
    """Stores what the Copilot would have found, so that what is proposed is known."""

    async def store(issue, text=PROPOSED):
        now, source = desk.services.clock.now(), Source("template", "1", "Double payment")
        item = Recommendation(
            desk.services.ids.new(), int(issue["id"]), text, 0.83, now, 0, [source.as_dict()], "t1"
        )
        async with desk.services.database.write() as uow:
            await uow.recommendations.add([item])
            await uow.issues.mark(item.issue_id, recommended_at=now)
        return str(item.id)

    return store
