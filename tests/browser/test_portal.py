"""The portal in a real browser; skipped where Playwright or Chromium is not installed."""

import asyncio
import shutil
import socket
from types import SimpleNamespace

import httpx2
import pytest
import uvicorn

from support_copilot import bootstrap
from support_copilot.domain.identity import Role
from support_copilot.domain.recommendation import Recommendation, Source
from support_copilot.gateway.http_protocol import ProblemHttpProtocol
from support_copilot.settings import Settings

playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a password long enough"
PROPOSED = "Hello {customer.first_name},\n\nwe return the second payment."
FILLED = "Hello Ada,\n\nwe return the second payment."
LONG = "a-word-without-any-place-to-break-" * 6

# Every text against what lies behind it, by the formula of WCAG 2.2 (1.4.3).
FAINT_TEXTS = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const over = (colors) => {
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const behind = [];
    for (let one = element; one; one = one.parentElement) {
      behind.unshift(getComputedStyle(one).backgroundColor);
    }
    const ink = getComputedStyle(element).color;
    const [a, b] = [light(over(behind)), light(over([...behind, ink]))].sort((x, y) => x - y);
    const ratio = (b + 0.05) / (a + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${texts.currentNode.data.trim()}`);
  }
  return faint;
}"""


OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"


class AnnouncingServer(uvicorn.Server):
    def __init__(self, config):
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
async def site(tmp_path):
    """The whole product on a port of its own, with one issue and one proposed reply."""
    settings = Settings(data_dir=tmp_path, encoder="off", rate_limit_sign_in=0, _env_file=None)
    async with bootstrap.build(settings) as services:
        await services.accounts.create_user("mira", "Mira Adler", Role.EXECUTIVE, PASSWORD)
        _, key = await services.accounts.create_api_key("tests", Role.EXECUTIVE, None)
        application = bootstrap.build_application(services)
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            application, http=ProblemHttpProtocol, lifespan="off", log_config=None, access_log=False
        )
        server = AnnouncingServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.ready.wait()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}
        ) as api:
            issue = await take_in(api, "Charged twice", "Two payments on the 3rd.")
            await propose(services, issue)
            yield SimpleNamespace(url=url, api=api, issue=issue, services=services)
        server.should_exit = True
        await serving


async def take_in(api, title, description):
    body = {
        "customer": {"email": "ada@example.com", "name": "Ada Martin"},
        "title": title,
        "description": description,
    }
    return (await api.post("/v1/issues", json=body)).json()


async def propose(services, issue):
    now, source = services.clock.now(), Source("template", "1", "Double payment")
    proposal = Recommendation(
        services.ids.new(), int(issue["id"]), PROPOSED, 0.83, now, 0, [source.as_dict()], "t1"
    )
    async with services.database.write() as uow:
        await uow.recommendations.add([proposal])
        await uow.issues.mark(proposal.issue_id, recommended_at=now)


@pytest.fixture
async def chromium():
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def sign_in(site, context):
    """Return a signed-in page and the list of what its console complains about."""
    complaints = []
    page = await context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(site.url)
    await page.get_by_label("User name").fill("mira")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Open").wait_for()
    return page, complaints


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
async def test_an_executive_answers_corrects_and_ends(site, chromium, scripts):
    context = await chromium.new_context(java_script_enabled=scripts)
    page, complaints = await sign_in(site, context)
    await page.get_by_role("link", name="Charged twice").click()
    await page.get_by_role("link", name="Insert").click()
    reply = page.get_by_label("Your reply to Ada Martin")
    await playwright.expect(reply).to_have_value(FILLED)
    await page.get_by_role("button", name="Send reply").click()
    await playwright.expect(page.get_by_role("status")).to_contain_text("in the conversation")
    await playwright.expect(page.locator(".message.support .text")).to_have_text(FILLED)
    await playwright.expect(page.get_by_text("Sent as proposed by mira")).to_be_visible()

    await page.get_by_text("Correct or confirm").click()
    await page.get_by_label("Why?").fill("It is only a question")
    await page.get_by_role("button", name="Set to Low").click()
    await playwright.expect(page.get_by_text("Set by mira: It is only")).to_be_visible()
    await playwright.expect(page.get_by_text("Not critical")).to_be_visible()

    await page.locator("summary", has_text="End the conversation").click()
    await page.get_by_label("How was it resolved?").fill("Paid back.")
    await page.get_by_role("button", name="Resolve and summarise").click()
    await playwright.expect(page.get_by_text("Paid back.")).to_be_visible()
    stored = (await site.api.get(f"/v1/issues/{site.issue['id']}")).json()
    assert (stored["status"], stored["severity"]["level"]) == ("RESOLVED", "LOW")
    assert complaints == []
    await context.close()


async def test_scripts_add_comfort_and_lose_nothing(site, chromium):
    context = await chromium.new_context()
    page, complaints = await sign_in(site, context)
    await take_in(site.api, "Where is my parcel?", "It was promised for today.")
    await playwright.expect(page.get_by_text("1 new issue.")).to_be_visible()
    await playwright.expect(page.get_by_role("link", name="Where is my")).to_have_count(0)
    await page.get_by_role("link", name="Show", exact=True).click()
    await page.get_by_role("link", name="Charged twice").click()
    reply = page.get_by_label("Your reply to Ada Martin")
    await reply.fill("Dear Ada!")
    await page.get_by_role("link", name="Insert").click()
    await playwright.expect(reply).to_have_value(f"Dear Ada!\n\n{FILLED}")
    await reply.press("Control+Enter")
    await playwright.expect(page.get_by_text("Sent after changes by mira")).to_be_visible()
    assert complaints == []
    await context.close()


async def test_the_keyboard_alone_is_enough(site, chromium):
    context = await chromium.new_context()
    page, _ = await sign_in(site, context)
    await page.keyboard.press("Tab")
    await playwright.expect(page.get_by_text("Skip to the content")).to_be_focused()
    subject = page.get_by_role("link", name="Charged twice")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await subject.evaluate("link => link === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Charged twice").wait_for()
    await context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_fit_every_width_and_can_be_read(site, chromium, theme):
    long = await take_in(site.api, LONG, LONG)
    await propose(site.services, long)
    context = await chromium.new_context(color_scheme=theme)
    page, complaints = await sign_in(site, context)
    for width in (360, 768, 1280, 1920):
        await page.set_viewport_size({"width": width, "height": 900})
        for path in ("/", f"/issues/{long['id']}", f"/issues/{site.issue['id']}", "/raise"):
            await page.goto(site.url + path)
            await page.evaluate(OPEN_ALL)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide at {width}"
            assert await page.evaluate(FAINT_TEXTS) == [], f"{path} in {theme}"
    assert complaints == []
    await context.close()
