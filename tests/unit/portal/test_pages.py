import re
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.portal import pages, wording
from support_copilot.portal.rendering import render

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "مرحبا <b>\u202eevil\u202c</b> 'quoted' \"twice\"",
    "line one\nline two\n\n    indented & <kept>",
]


def text_of(page: str, element: str, attribute: str) -> str:
    """Return the text of the first element with an attribute, as a browser reads it."""
    found = re.search(rf"<{element}[^>]*{attribute}[^>]*>(.*?)</{element}>", page, re.DOTALL)
    assert found, f"no {element} with {attribute}"
    return unescape(found[1])


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return unescape(found[1])


async def test_what_customers_write_is_shown_and_never_obeyed(signed_in, take_in):
    for text in HOSTILE:
        await show_and_read(signed_in, take_in, text)


async def show_and_read(signed_in, take_in, text):
    issue = await take_in(title=text.replace("\n", " "), description=text, name=text[:40])
    await signed_in.api.post(
        f"/v1/issues/{issue['id']}/messages", json={"message": text, "sender_type": "CUSTOMER"}
    )
    for path in ("/", f"/issues/{issue['id']}", f"/customers/{issue['customer']['id']}"):
        page = (await signed_in.browser.get(path)).text
        assert page.count("<script") == 1, "the portal's own"
        assert "<img" not in page
        assert "<b>\u202e" not in page
    page = (await signed_in.browser.get(f"/issues/{issue['id']}")).text
    assert text_of(page, "p", 'class="text"') == text
    assert text_of(page, "h1", "dir") == text.replace("\n", " ")


async def test_a_page_runs_nothing_but_its_own_files(signed_in, take_in):
    issue = await take_in()
    for path in ("/", f"/issues/{issue['id']}", "/raise"):
        answer = await signed_in.browser.get(path)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", answer.text)
        places = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
        assert all(place.startswith(("/", "#")) for place in places)
        for place in re.findall(r'(?:src|href)="(/static/[^"?]+)', answer.text):
            assert (await signed_in.browser.get(place)).status_code == 200, place


async def test_the_inbox_shows_what_is_open_and_finds_the_rest(signed_in, take_in):
    issue = await take_in()
    other = await take_in(title="Where is my parcel?", description="It was promised for today.")
    await signed_in.api.post(f"/v1/issues/{other['id']}/end", json={"status": "RESOLVED"})

    page = (await signed_in.browser.get("/")).text
    assert "Charged twice" in page
    assert "Where is my parcel?" not in page
    assert "First answer due in" in page
    assert "1 issue<" in page
    assert "Where is my parcel?" in (await signed_in.browser.get("/?view=resolved")).text
    found = (await signed_in.browser.get("/", params={"q": other["number"]})).text
    assert "Where is my parcel?" in found
    assert "Charged twice" not in found
    page = (await signed_in.browser.get("/", params={"q": '"nonsense" <q>'})).text
    assert "No issue holds these words" in page
    assert issue["number"] not in page


async def test_every_empty_view_says_what_it_means(signed_in):
    for view in pages.VIEWS.values():
        assert view.empty in unescape((await signed_in.browser.get(f"/?view={view.key}")).text)


async def test_more_leads_to_the_rest_of_a_long_list(signed_in, take_in):
    for number in range(52):
        await take_in(title=f"Issue number {number}", description=f"Text {number}")
    page = (await signed_in.browser.get("/?view=open&sort=oldest")).text
    more = unescape(re.search(r'href="(/\?[^"]*cursor=[^"]+)"', page)[1])
    rest = (await signed_in.browser.get(more)).text
    shown = [set(re.findall(r"/issues/(\d+)", part)) for part in (page, rest)]
    assert (len(shown[0]), len(shown[1])) == (50, 2)
    assert not shown[0] & shown[1]


async def test_an_issue_without_anything_says_so_in_words(signed_in, take_in):
    issue = await take_in()
    page = (await signed_in.browser.get(f"/issues/{issue['id']}")).text
    assert "The Copilot is reading this issue" in page
    assert "No past issue is like this one" in page
    assert "it is written when the conversation ends" in page
    assert "nothing resolved yet" in page
    await signed_in.services.proposals.generate(int(issue["id"]))
    assert "Nothing good enough" in (await signed_in.browser.get(f"/issues/{issue['id']}")).text


async def test_similar_issues_show_why(signed_in, take_in):
    old = await take_in(title="Router light is red", description="The router light stays red.")
    await signed_in.api.patch(
        f"/v1/issues/{old['id']}",
        json={"status": "RESOLVED", "resolution": "Replaced the cable."},
        headers={"If-Match": "*"},
    )
    await signed_in.services.index.catch_up()
    entries = await signed_in.services.analysis.prepare(
        [(int(old["id"]), old["title"], old["description"])]
    )
    await signed_in.services.analysis.index(entries)
    new = await take_in(title="Red light at my router", description="Router shows a red light.")
    page = (await signed_in.browser.get(f"/issues/{new['id']}")).text
    assert old["number"] in page
    assert "Replaced the cable." in page
    assert "Matched words" in page
    assert "not all models are loaded" in page


class _Rows(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.subject = ""
        self._in_subject = False

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._in_subject = ("class", "subject") in attributes

    def handle_endtag(self, tag):
        self._in_subject = False

    def handle_data(self, data):
        if self._in_subject:
            self.subject += data


def inbox_of(title: str) -> _Rows:
    issue = {
        "id": "1",
        "number": "SC-1",
        "title": title,
        "snippet": title,
        "status": "OPEN",
        "critical": False,
        "severity": {"level": "LOW"},
        "customer": {"name": title},
        "assignee": title,
        "created_at": "2026-03-02T09:00:00+00:00",
        "targets": dict.fromkeys(
            ("first_response_due_at", "first_responded_at", "resolution_due_at", "resolved_at")
        ),
    }
    view = pages.VIEWS["open"]
    rows = _Rows()
    rows.feed(
        render(
            "inbox.html",
            user=title,
            views=[view],
            view=view,
            sorts=pages.SORTS,
            sort="newest",
            q=title,
            continued=False,
            issues=[issue],
            next_cursor=None,
        )
    )
    return rows


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_no_text_changes_the_shape_of_a_page(text):
    rows = inbox_of(text)
    assert rows.subject == text
    assert rows.tags == inbox_of("harmless").tags


NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "answered", "text", "tone"),
    [
        (125, False, "First answer due in 2 h 5 min", "calm"),
        (30, False, "First answer due in 30 min", "soon"),
        (-90, False, "First answer 1 h 30 min late", "late"),
        (60 * 50, True, "Resolution due in 2 d 2 h", "calm"),
        (-0.5, True, "Resolution under a minute late", "late"),
    ],
)
def test_time_left_names_what_is_due(minutes, answered, text, tone):
    due = (NOW + timedelta(minutes=minutes)).isoformat()
    targets = {
        "first_response_due_at": due,
        "first_responded_at": NOW.isoformat() if answered else None,
        "resolution_due_at": due,
        "resolved_at": None,
    }
    left = wording.time_left({"status": "OPEN", "targets": targets}, NOW)
    assert (left.text, left.tone) == (text, tone)


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_a_snippet_is_one_short_line(text):
    line = wording.snippet(text)
    assert len(line) <= 161
    assert "\n" not in line
