"""The main job over HTTP: from a customer's words to a resolved, summarised issue."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import asynccontextmanager

import pytest


def an_issue(title: str, description: str, email: str | None = None, **more) -> dict:
    return {
        "customer": {"email": email or f"{uuid.uuid4().hex}@example.com", "name": "Ada Martin"},
        "title": title,
        "description": description,
        **more,
    }


CHARGED = ("Charged twice this month", "My card shows two payments of 39.90 on the 3rd.")


async def until(ask, wanted, seconds: float = 20.0):
    """Ask again until the answer is as wanted; the last one is shown when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await ask()
        if wanted(answer) or time.monotonic() > deadline:
            assert wanted(answer), answer.text
            return answer
        await asyncio.sleep(0.05)


async def test_one_answer_holds_everything_about_a_new_issue(desk):
    async with desk.client() as client:
        answer = await client.post("/v1/issues", json=an_issue(*CHARGED, channel="email"))
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/issues/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert body["number"].startswith("SC-")
    assert body["status"] == "OPEN"
    severity = body["severity"]
    assert severity["level"] == "HIGH"
    assert 0 < severity["confidence"] <= 1
    kinds = {reason["kind"] for reason in severity["reasons"]}
    assert kinds == {"rule", "model", "change"}
    (rule,) = [reason for reason in severity["reasons"] if reason["rule"] == "money-lost"][:1]
    assert "Charged twice" in rule["words"]
    assert severity["model_version"].startswith("rules-")
    assert body["critical"] is True
    assert [reason["code"] for reason in body["critical_reasons"]] == ["severity-high"]
    assert body["targets"]["first_response_due_at"] > body["created_at"]
    assert body["customer"]["total_issues"] == 1
    assert body["customer"]["history"]["total_issues"] == 0
    assert body["degraded"] == []


async def test_a_returning_customer_is_recognised_with_their_history(desk):
    email = f"{uuid.uuid4().hex}@Example.com"
    async with desk.client() as client:
        first = (await client.post("/v1/issues", json=an_issue(*CHARGED, email))).json()
        await client.patch(
            f"/v1/issues/{first['id']}", json={"status": "RESOLVED", "resolution": "Refunded."}
        )
        second = await client.post(
            "/v1/issues", json=an_issue("Opening hours", "When are you open?", email.upper())
        )
        body = second.json()
        customer = body["customer"]
        history = (await client.get(f"/v1/customers/{customer['id']}/history")).json()
        whole = (await client.get(f"/v1/customers/{customer['id']}")).json()
    assert customer["id"] == first["customer"]["id"]
    assert customer["total_issues"] == 2
    assert customer["history"]["by_status"] == {"RESOLVED": 1}
    assert customer["history"]["by_severity"] == {"HIGH": 1}
    assert customer["history"]["mean_resolution_seconds"] >= 0
    assert history["total_issues"] == 2
    assert [brief["id"] for brief in history["open_issues"]] == [body["id"]]
    assert whole["history"] == history


async def test_a_similar_issue_is_found_and_forgotten_when_erased(desk):
    word = uuid.uuid4().hex[:8]
    async with desk.client("admin") as client:
        first = await client.post(
            "/v1/issues",
            json=an_issue(f"Kettle {word} leaks", f"The {word} kettle leaks on my desk."),
        )
        known = first.json()["id"]
        question = {"title": "", "description": f"My {word} kettle is leaking, what now?"}

        async def ask():
            return await client.post("/v1/analysis/similar", json=question)

        found = await until(ask, lambda answer: known in answer.text)
        (hit,) = [item for item in found.json()["similar"] if item["id"] == known]
        assert hit["score"] > 0.3
        assert word in hit["matched_words"]
        twin = await client.post(
            "/v1/issues",
            json=an_issue(f"{word} kettle", f"Water runs out of my {word} kettle, it leaks."),
        )
        assert known in [item["id"] for item in twin.json()["similar"]]
        listed = await client.get(f"/v1/issues/{twin.json()['id']}/similar")
        assert known in [item["id"] for item in listed.json()["items"]]
        assert (await client.delete(f"/v1/issues/{known}")).status_code == 204
        assert known not in (await ask()).text
        assert (await client.get(f"/v1/issues/{known}")).status_code == 404
        after = await client.get(f"/v1/customers/{first.json()['customer']['id']}")
        assert after.json()["total_issues"] == 0


async def test_replies_are_proposed_before_anyone_asks_and_verdicts_can_change(desk):
    word = uuid.uuid4().hex[:8]
    async with desk.client("admin") as client:
        template = await client.post(
            "/v1/templates",
            json={
                "title": f"Resetting the {word} lamp",
                "text": "Hello {customer.first_name}, hold the button of the lamp for ten seconds "
                "until it blinks, then pair it again in the app. This is {issue.number}.",
                "category": "lamps",
            },
        )
        assert template.status_code == 201
        made = await client.post(
            "/v1/issues",
            json=an_issue(
                f"How do I reset the {word} lamp?",
                f"How can I reset my {word} lamp and pair it with the app again?",
            ),
        )
        issue = made.json()
        place = f"/v1/issues/{issue['id']}/recommendations"
        ready = await until(
            lambda: client.get(place), lambda answer: answer.json()["state"] != "computing"
        )
        best = ready.json()["items"][0]
        assert best["text"].startswith("Hello Ada, hold the button")
        assert issue["number"] in best["text"]
        assert "{customer.first_name}" in best["template_text"]
        assert 0 < best["confidence"] < 1
        assert best["sources"][0]["kind"] == "template"
        assert best["sources"][0]["id"] == template.json()["id"]
        feedback = f"/v1/recommendations/{best['id']}/feedback"
        for refused in ({"verdict": "edited"}, {"verdict": "rejected"}, {"verdict": "liked"}):
            assert (await client.post(feedback, json=refused)).status_code == 422
        for given in (
            {"verdict": "accepted"},
            {"verdict": "edited", "final_text": "Hello Ada, hold it."},
            {"verdict": "rejected", "reason": "wrong lamp"},
        ):
            answer = await client.post(feedback, json=given)
            assert answer.status_code == 200
            assert answer.json()["feedback"]["verdict"] == given["verdict"]
        shown = (await client.get(place)).json()["items"][0]["feedback"]
        assert (shown["verdict"], shown["reason"]) == ("rejected", "wrong lamp")
        again = await client.post(place)
        assert again.status_code == 201
        assert again.json()["items"][0]["id"] != best["id"]


async def test_nothing_good_enough_is_an_answer(desk):
    async with desk.client() as client:
        made = await client.post("/v1/issues", json=an_issue("zxqv", "wvutq zzkx plmqr"))
        place = f"/v1/issues/{made.json()['id']}/recommendations"
        answer = await until(
            lambda: client.get(place), lambda answer: answer.json()["state"] != "computing"
        )
    assert answer.json() == {"state": "none", "items": []}


async def test_a_conversation_ends_in_a_summary_that_names_its_messages(desk):
    turns = [
        ("SUPPORT", "Please restart the router and tell me which light is on."),
        ("CUSTOMER", "I restarted it twice, the red light stays and nothing loads."),
        ("SUPPORT", "I have sent a new configuration to your router. Please check again."),
        ("CUSTOMER", "Now it works, thank you! Will I get a refund for the two days?"),
    ]
    async with desk.client() as client:
        made = await client.post(
            "/v1/issues",
            json=an_issue("Router blinks red", "Since Monday my router blinks red. No internet."),
        )
        issue = f"/v1/issues/{made.json()['id']}"
        assert (await client.get(f"{issue}/summary")).status_code == 404
        for sender, text in turns:
            sent = await client.post(
                f"{issue}/messages", json={"sender_type": sender, "message": text}
            )
            assert sent.status_code == 201
        conversation = (await client.get(f"{issue}/messages")).json()["items"]
        assert [item["message"] for item in conversation][1:] == [text for _, text in turns]
        assert conversation[0]["sender_type"] == "CUSTOMER"
        read = (await client.get(issue)).json()
        assert read["status"] == "IN_PROGRESS"
        assert read["targets"]["first_responded_at"]
        ended = await client.post(
            f"{issue}/end", json={"status": "RESOLVED", "resolution": "New configuration."}
        )
        assert ended.status_code == 202
        assert ended.headers["location"] == f"{issue}/summary"
        summary = await until(
            lambda: client.get(f"{issue}/summary"), lambda answer: answer.status_code == 200
        )
        again = await client.get(f"{issue}/summary")
        assert again.json()["id"] == summary.json()["id"]
    body = summary.json()
    said = {item["id"]: item["message"] for item in conversation}
    sentences = [
        sentence
        for part in ("problem", "tried", "outcome", "open_points")
        for sentence in body[part]
    ]
    for sentence in sentences:
        assert sentence["message_ids"]
        assert set(sentence["message_ids"]) <= said.keys()
        quoted = sentence["text"].rstrip("….").casefold()
        assert any(quoted in said[key].casefold() for key in sentence["message_ids"])
    assert "router" in body["problem"][0]["text"].lower()
    assert body["tried"]
    assert body["outcome"]
    assert body["message_count"] == 5


async def test_an_issue_is_read_with_its_parts_in_one_request(desk):
    async with desk.client() as client:
        made = (await client.post("/v1/issues", json=an_issue(*CHARGED))).json()
        place = f"/v1/issues/{made['id']}"
        await client.post(
            f"{place}/messages", json={"sender_type": "SUPPORT", "message": "I look into it."}
        )
        await until(
            lambda: client.get(f"{place}/recommendations"),
            lambda answer: answer.json()["state"] != "computing",
        )
        alone = (await client.get(place)).json()
        parts = ["messages", "recommendations", "summary", "history"]
        whole = (await client.get(place, params={"include": parts})).json()
        assert whole["messages"] == (await client.get(f"{place}/messages")).json()["items"]
        proposals = await client.get(f"{place}/recommendations")
        assert whole["recommendations"] == proposals.json()
        history = await client.get(f"/v1/customers/{made['customer']['id']}/history")
        assert whole["history"] == history.json()
        assert whole["summary"] is None
        assert {name: value for name, value in whole.items() if name not in parts} == alone
        refused = await client.get(place, params={"include": "secrets"})
        assert refused.status_code == 422
        listed = (await client.get("/v1/issues", params={"sort": "newest"})).json()["items"]
        assert "reasons" not in listed[0]["severity"]


async def test_a_customers_answer_reopens_what_was_resolved(desk):
    async with desk.client() as client:
        made = await client.post("/v1/issues", json=an_issue(*CHARGED))
        issue = f"/v1/issues/{made.json()['id']}"
        for round_ in (1, 2):
            resolved = await client.patch(issue, json={"status": "RESOLVED"})
            assert resolved.json()["critical"] is False
            await client.post(
                f"{issue}/messages",
                json={"sender_type": "CUSTOMER", "message": "It is still wrong."},
            )
            read = (await client.get(issue)).json()
            assert (read["status"], read["reopened_count"]) == ("OPEN", round_)
    assert "reopened" in [reason["code"] for reason in read["critical_reasons"]]


async def test_of_two_who_change_one_issue_the_second_is_told(desk):
    async with desk.client("executive") as client:
        made = await client.post("/v1/issues", json=an_issue(*CHARGED))
        issue = f"/v1/issues/{made.json()['id']}"
        tag = (await client.get(issue)).headers["etag"]
        first = await client.patch(issue, json={"assignee": "mira"}, headers={"If-Match": tag})
        assert first.status_code == 200
        assert first.headers["etag"] != tag
        second = await client.patch(issue, json={"assignee": "jonas"}, headers={"If-Match": tag})
        assert second.status_code == 412
        assert second.headers["content-type"] == "application/problem+json"
        assert (await client.get(issue)).json()["assignee"] == "mira"


async def test_a_correction_of_severity_needs_a_reason_and_stays(desk):
    async with desk.client("executive") as client:
        made = await client.post("/v1/issues", json=an_issue(*CHARGED))
        issue = f"/v1/issues/{made.json()['id']}"
        refused = await client.patch(issue, json={"severity": "LOW"})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "reason"
        corrected = await client.patch(
            issue, json={"severity": "LOW", "reason": "It was only an authorisation."}
        )
        body = corrected.json()
    assert body["severity"]["level"] == "LOW"
    assert body["severity"]["reasons"][0]["kind"] == "person"
    assert "authorisation" in body["severity"]["reasons"][0]["text"]
    assert body["critical"] is False


async def test_lists_page_through_everything_once(desk):
    email = f"{uuid.uuid4().hex}@example.com"
    async with desk.client() as client:
        ids = []
        for i in range(7):
            made = await client.post("/v1/issues", json=an_issue(f"Issue {i}", "Help me.", email))
            ids.append(made.json()["id"])
        for sort, expected in (("oldest", ids), ("newest", ids[::-1])):
            seen, cursor = [], None
            while True:
                query = {"customer": email, "sort": sort, "limit": 3}
                if cursor:
                    query["cursor"] = cursor
                page = (await client.get("/v1/issues", params=query)).json()
                seen += [item["id"] for item in page["items"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert seen == expected
        found = await client.get("/v1/issues", params={"text": email})
        assert len(found.json()["items"]) == 7


@asynccontextmanager
async def events_of(client, last_event_id: str | None = None):
    """Read the event stream; gives a coroutine for the next event."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", "/v1/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()

        async def following() -> dict:
            event: dict = {}
            async for line in lines:
                if not line and "data" in event:
                    return event
                name, _, value = line.partition(": ")
                if name in {"id", "event"}:
                    event[name] = value
                elif name == "data":
                    event["data"] = json.loads(value)
            raise AssertionError("the stream ended")

        await anext(lines)  # the retry line: the listener is in place
        yield following


async def test_events_arrive_live_and_a_cut_stream_resumes_without_a_gap(desk):
    async with desk.client() as client, asyncio.timeout(30):
        async with events_of(client) as following:
            made = await client.post("/v1/issues", json=an_issue(*CHARGED))
            issue = made.json()["id"]
            seen = []
            while len(seen) < 2:
                event = await following()
                if event["data"]["issue_id"] == issue:
                    seen.append(event)
        assert [event["event"] for event in seen] == ["issue.created", "issue.critical"]
        await client.patch(f"/v1/issues/{issue}", json={"assignee": "mira"})
        await client.post(f"/v1/issues/{issue}/end")
        missed: list[str] = []
        async with events_of(client, seen[0]["id"]) as following:
            while not {"recommendation.ready", "summary.ready"} <= set(missed):
                event = await following()
                if event["data"]["issue_id"] == issue:
                    missed.append(event["event"])
    assert missed[0] == "issue.critical"
    assert missed.count("issue.changed") == 1


async def test_a_critical_issue_is_notified_once(desk):
    async with desk.client() as client:
        made = (await client.post("/v1/issues", json=an_issue(*CHARGED))).json()

        async def ask():
            return await client.get("/v1/notifications", params={"limit": 200})

        answer = await until(ask, lambda answer: made["id"] in answer.text)
        await asyncio.sleep(0.5)
        answer = await ask()
        (one,) = [item for item in answer.json()["items"] if item["issue_id"] == made["id"]]
        assert made["number"] in one["title"]
        read = await client.post(f"/v1/notifications/{one['id']}/read")
        assert read.status_code == 204


async def test_other_systems_can_ask_without_storing(desk):
    async with desk.client() as client:
        before = (await client.get("/v1/issues", params={"sort": "newest", "limit": 1})).json()
        severity = await client.post(
            "/v1/analysis/severity", json={"description": "I smell gas in the kitchen."}
        )
        assert severity.json()["severity"]["level"] == "HIGH"
        summary = await client.post(
            "/v1/analysis/summary",
            json={
                "messages": [
                    {"sender_type": "CUSTOMER", "message": "My parcel is late by a week."},
                    {"sender_type": "SUPPORT", "message": "I have asked the courier to search."},
                ]
            },
        )
        assert summary.json()["summary"]["problem"][0]["messages"] == [0]
        proposed = await client.post(
            "/v1/analysis/recommendation", json={"description": "wvutq zzkx"}
        )
        assert proposed.json()["recommendations"] == []
        after = (await client.get("/v1/issues", params={"sort": "newest", "limit": 1})).json()
    assert before == after


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/issues"), ("POST", "/v1/issues"), ("GET", "/v1/events"), ("GET", "/v1/nothing")],
)
async def test_nobody_gets_in_without_a_key(desk, method, path):
    async with desk.client() as client:
        answer = await client.request(
            method, path, headers={"Authorization": "Bearer sc_wrong"}, json=None
        )
    assert answer.status_code in {401, 404}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_it_says_how_it_is(desk):
    async with desk.client() as client:
        live = await client.get("/health/live", headers={"Authorization": ""})
        ready = (await client.get("/health/ready")).json()
        metrics = (await client.get("/metrics")).text
    assert live.status_code == 200
    assert ready["checks"].keys() == {"database", "queue", "cache"}
    names = {model["name"] for model in ready["models"]}
    assert names == {"encoder", "severity", "similarity", "recommendation", "summarization"}
    assert all(model["version"] for model in ready["models"] if model["loaded"])
    assert "intake_step_seconds" in metrics
