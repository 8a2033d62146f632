import re
from html import unescape

FILLED = "Hello Ada,\n\nwe return the second payment.\n\nmira"


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return unescape(found[1])


def typed(page: str) -> str:
    found = re.search(r'<textarea id="message"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found, "no reply form"
    return unescape(found[1])


async def test_what_became_of_a_proposal_is_recorded_when_the_reply_is_sent(
    signed_in, take_in, propose
):
    for change, verdict in (("", "accepted"), ("\n", "accepted"), (" Sorry again.", "edited")):
        await reply_with_proposal(signed_in, take_in, propose, change, verdict)


async def reply_with_proposal(signed_in, take_in, propose, change, verdict):
    issue = await take_in()
    proposal = await propose(issue)
    path = f"/issues/{issue['id']}"
    page = (await signed_in.browser.get(path)).text
    assert "83\u202f%" in page
    assert "Double payment" in page
    insert = unescape(re.search(r'href="([^"]*proposal=[^"]*)"', page)[1])

    page = (await signed_in.browser.get(insert)).text
    assert typed(page) == FILLED
    sent = (FILLED + change).replace("\n", "\r\n")  # as browsers send it
    form = {"message": sent, "proposal": field(page, "proposal"), "mark": field(page, "mark")}
    answer = await signed_in.browser.post(f"{path}/reply", data=form)

    assert answer.status_code == 303
    assert (
        "Your reply is in the conversation"
        in (await signed_in.browser.get(answer.headers["location"])).text
    )
    messages = (await signed_in.api.get(f"/v1{path}/messages")).json()["items"]
    assert (messages[-1]["message"], messages[-1]["author"]) == (FILLED + change, "mira")
    stored = (await signed_in.api.get(f"/v1{path}/recommendations")).json()["items"][0]
    assert stored["id"] == proposal
    assert stored["feedback"]["verdict"] == verdict
    assert stored["feedback"]["final_text"] == (FILLED + change if verdict == "edited" else None)


async def test_a_reply_of_ones_own_says_nothing_about_the_proposals(signed_in, take_in, propose):
    issue = await take_in()
    await propose(issue)
    form = {"message": "We look into it.", "proposal": "", "mark": ""}
    await signed_in.browser.post(f"/issues/{issue['id']}/reply", data=form)
    stored = (await signed_in.api.get(f"/v1/issues/{issue['id']}/recommendations")).json()
    assert stored["items"][0]["feedback"] is None


async def test_a_refused_reply_is_given_back(signed_in, take_in):
    issue = await take_in()
    text = "with a bell \x07 in it"
    answer = await signed_in.browser.post(f"/issues/{issue['id']}/reply", data={"message": text})
    assert answer.status_code == 422
    assert "control character" in answer.text
    assert typed(answer.text) == text


async def test_a_reply_outlives_the_session(desk, take_in):
    issue = await take_in()
    answer = await desk.browser.post(
        f"/issues/{issue['id']}/reply", data={"message": "A long <answer>"}
    )
    assert answer.status_code == 401
    assert "not sent" in answer.text
    assert typed(answer.text) == "A long <answer>"


async def test_a_proposal_is_rejected_with_a_reason(signed_in, take_in, propose):
    issue = await take_in()
    proposal = await propose(issue)
    path = f"/issues/{issue['id']}"
    answer = await signed_in.browser.post(
        f"{path}/proposals/{proposal}/reject", data={"reason": "Wrong topic"}
    )
    assert answer.status_code == 303
    page = (await signed_in.browser.get(path)).text
    assert "Not used by mira: Wrong topic" in page


async def test_a_severity_is_corrected_with_a_reason(signed_in, take_in):
    issue = await take_in()
    path = f"/issues/{issue['id']}"
    version = field((await signed_in.browser.get(path)).text, "version")
    form = {"severity": "LOW", "reason": "It is only a question", "version": version}

    answer = await signed_in.browser.post(f"{path}/severity", data=form)
    page = (await signed_in.browser.get(answer.headers["location"])).text
    assert "Set by mira: It is only a question" in page
    assert "Not critical" in page

    late = await signed_in.browser.post(f"{path}/severity", data=form)
    assert late.status_code == 412
    assert "read it again" in late.text
    version = field(late.text, "version")
    form |= {"reason": "", "version": version}
    unreasoned = await signed_in.browser.post(f"{path}/severity", data=form)
    assert unreasoned.status_code == 422
    assert 'role="alert"' in unreasoned.text


async def test_an_issue_is_taken_moved_and_ended(signed_in, take_in):
    issue = await take_in()
    path = f"/issues/{issue['id']}"

    async def version():
        return field((await signed_in.browser.get(path)).text, "version")

    form = {"status": "OPEN", "assignee": "", "version": await version()}
    await signed_in.browser.post(f"{path}/details", data=form | {"take": "yes"})
    assert (await signed_in.api.get(f"/v1{path}")).json()["assignee"] == "mira"
    assert issue["number"] in (await signed_in.browser.get("/?view=mine")).text
    form = {"status": "IN_PROGRESS", "assignee": "", "version": await version()}
    await signed_in.browser.post(f"{path}/details", data=form)
    now = (await signed_in.api.get(f"/v1{path}")).json()
    assert (now["status"], now["assignee"]) == ("IN_PROGRESS", None)

    answer = await signed_in.browser.post(f"{path}/end", data={"resolution": "Paid back."})
    page = (await signed_in.browser.get(answer.headers["location"])).text
    assert "Paid back." in page
    assert "The summary is being written" in page


async def test_proposals_are_made_on_request(signed_in, take_in):
    issue = await take_in()
    answer = await signed_in.browser.post(f"/issues/{issue['id']}/proposals")
    page = (await signed_in.browser.get(answer.headers["location"])).text
    assert "Nothing good enough" in page
