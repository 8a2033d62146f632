"""What every ``ports.Database`` must do, run on each adapter."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.customer import Customer
from support_copilot.domain.errors import Conflict, InvalidInput, VersionMismatch
from support_copilot.domain.events import Event, EventType
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.domain.identity import ApiKey, Role, Session, User
from support_copilot.domain.issue import Issue, Severity, Status
from support_copilot.domain.recommendation import Recommendation, Template, Verdict
from support_copilot.domain.similarity import IndexEntry, SimilarHit
from support_copilot.domain.summary import ConversationSummary, Summary, SummarySentence
from support_copilot.ports import Intake, IssueFilter, Label, Notification
from support_copilot.queues import QueueMessage
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.tables import metadata
from support_copilot.storage.unit_of_work import SqlDatabase

ids = IdGenerator()
NOW = datetime(2026, 3, 4, 10, 30, 0, 123456, tzinfo=UTC)
_mails = itertools.count()


def new_customer(**fields) -> Customer:
    return Customer(
        **{
            "id": ids.new(),
            "email": f"customer{next(_mails)}@example.com",
            "name": "Zoë Ångström 🦊",
            "created_at": NOW,
        }
        | fields
    )


def new_issue(customer: Customer, number: int, **fields) -> Issue:
    return Issue(
        **{
            "id": ids.new(),
            "number": number,
            "customer_id": customer.id,
            "title": "Payment fails",
            "description": "It says no.",
            "severity": Severity.NORMAL,
            "status": Status.OPEN,
            "created_at": NOW,
            "updated_at": NOW,
        }
        | fields
    )


async def stored(database, count=1, **fields) -> list[Issue]:
    """Store issues of one customer, a minute apart."""
    customer = new_customer()
    issues = []
    async with database.write() as uow:
        await uow.customers.add(customer)
        for i in range(count):
            created = fields.get("created_at", NOW) + timedelta(minutes=i)
            issue = new_issue(
                customer, await uow.issues.next_number(), **{**fields, "created_at": created}
            )
            await uow.issues.add(issue)
            await uow.customers.count_issue(customer.id)
            issues.append(issue)
    return issues


async def pages(database, **wanted) -> list[int]:
    """Follow the cursors to the end and return the ids in order."""
    found, cursor = [], None
    async with database.read() as uow:
        for _ in range(100):
            page = await uow.issues.page(IssueFilter(cursor=cursor, **wanted))
            found += [item.issue.id for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found
    raise AssertionError("the cursors never end")


async def test_what_is_stored_comes_back_as_it_was(database):
    customer = new_customer(name="O'Brien \u202e\"; DROP TABLE customers;-- \\ %s {x} 💥")
    issue = new_issue(
        customer,
        7,
        title="x" * 500,
        description="Zeile 1\r\nZeile 2\t" + "😀" * 5_000,
        severity=Severity.HIGH,
        severity_confidence=0.625,
        severity_reasons=[{"kind": "rule", "words": ["grün"]}],
        critical=True,
        critical_reasons=[{"code": "severity-high"}],
        criticality_due_at=NOW + timedelta(hours=1),
        external_id="crm-1",
        assignee="mira",
    )
    async with database.write() as uow:
        await uow.customers.add(customer)
        await uow.issues.add(issue)
    async with database.read() as uow:
        assert await uow.customers.get(customer.id) == customer
        assert await uow.customers.by_email(customer.email) == customer
        assert await uow.issues.get(issue.id) == issue
        assert await uow.issues.by_number(7) == issue
        assert await uow.issues.by_external_id("crm-1") == issue
        assert await uow.issues.get(1) is None


async def test_an_error_leaves_nothing_behind(database):
    customer = new_customer()

    async def write_half() -> None:
        async with database.write() as uow:
            await uow.customers.add(customer)
            await uow.outbox.add([QueueMessage(ids.new(), "notification", {}, NOW)])
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await write_half()
    async with database.read() as uow:
        assert await uow.customers.get(customer.id) is None
        assert await uow.outbox.count() == 0


async def test_a_cancelled_writer_leaves_nothing_behind_and_blocks_nobody(database):
    customer, entered = new_customer(), asyncio.Event()

    async def write_and_hang():
        async with database.write() as uow:
            await uow.customers.add(customer)
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write_and_hang())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.write() as uow:
        assert await uow.customers.get(customer.id) is None


async def test_two_customers_cannot_share_an_address(database):
    customer = new_customer()
    async with database.write() as uow:
        await uow.customers.add(customer)
    with pytest.raises(Conflict):
        async with database.write() as uow:
            await uow.customers.add(replace(customer, id=ids.new()))


async def test_concurrent_writers_take_different_numbers_and_lose_no_count(database):
    customer = new_customer()
    async with database.write() as uow:
        await uow.customers.add(customer)

    async def add() -> int:
        async with database.write() as uow:
            number = await uow.issues.next_number()
            await uow.issues.add(new_issue(customer, number))
            await uow.customers.count_issue(customer.id)
        return number

    numbers = await asyncio.gather(*(add() for _ in range(20)))
    assert len(set(numbers)) == 20
    async with database.read() as uow:
        found = await uow.customers.get(customer.id)
        assert found.total_issues == 20 == await uow.issues.count()


async def test_of_two_who_change_the_same_version_one_is_told(database):
    (issue,) = await stored(database)
    async with database.write() as uow:
        first = await uow.issues.get(issue.id)
        first.assignee = "mira"
        await uow.issues.save(first, expected_version=1)
    async with database.read() as uow:
        assert (await uow.issues.get(issue.id)).version == 2
    issue.assignee = "jonas"
    with pytest.raises(VersionMismatch):
        async with database.write() as uow:
            await uow.issues.save(issue, expected_version=1)
    async with database.read() as uow:
        assert (await uow.issues.get(issue.id)).assignee == "mira"


@pytest.mark.parametrize("sort", ["attention", "newest", "oldest"])
async def test_pages_show_each_issue_once_in_order(database, sort):
    issues = await stored(database, 23)
    for limit in (1, 5, 23, 50):
        found = await pages(database, sort=sort, limit=limit)
        expected = [issue.id for issue in issues]
        if sort == "newest":
            expected.reverse()
        assert found == expected


async def test_attention_puts_first_what_somebody_should_look_at_first(database):
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=9)
    cases = {
        "critical high": {"critical": True, "severity": Severity.HIGH},
        "critical low": {"critical": True, "severity": Severity.LOW},
        "high": {"severity": Severity.HIGH, "first_response_due_at": later},
        "normal, due soon": {"first_response_due_at": soon},
        "normal, due later": {"first_response_due_at": later},
        "low": {"severity": Severity.LOW},
        "resolved": {"status": Status.RESOLVED, "severity": Severity.HIGH, "resolved_at": NOW},
    }
    expected = []
    for fields in cases.values():
        expected += [issue.id for issue in await stored(database, **fields)]
    assert await pages(database, limit=2) == expected


async def test_filters_combine(database):
    (mine,) = await stored(database, severity=Severity.HIGH, assignee="mira", critical=True)
    (other,) = await stored(database, severity=Severity.LOW, created_at=NOW - timedelta(days=3))
    (done,) = await stored(database, status=Status.CLOSED, resolved_at=NOW)
    everyone = {mine.id, other.id, done.id}
    for wanted, expected in [
        ({"statuses": (Status.OPEN,)}, {mine.id, other.id}),
        ({"statuses": (Status.OPEN, Status.CLOSED)}, everyone),
        ({"severities": (Severity.LOW,)}, {other.id}),
        ({"critical": True}, {mine.id}),
        ({"critical": False}, {other.id, done.id}),
        ({"assignee": "mira"}, {mine.id}),
        ({"unassigned": True}, {other.id, done.id}),
        ({"customer_id": other.customer_id}, {other.id}),
        ({"created_from": NOW}, {mine.id, done.id}),
        ({"created_to": NOW}, {other.id}),
        ({"critical": True, "severities": (Severity.LOW,)}, set()),
    ]:
        assert set(await pages(database, **wanted)) == expected, wanted


async def test_search_finds_words_numbers_and_addresses(database):
    (cafe,) = await stored(database, title="Café router", description="The invoice is wrong")
    (other,) = await stored(database, title="Delivery", description="Where is my parcel?")
    async with database.read() as uow:
        customer = await uow.customers.get(cafe.customer_id)
    for text, expected in [
        ("cafe", {cafe.id}),
        ("INVOICE wrong", {cafe.id}),
        ("invo", {cafe.id}),
        ("invoice parcel", set()),
        (f"SC-{other.number}", {other.id}),
        (f"#{other.number}", {other.id}),
        (customer.email.upper(), {cafe.id}),
        ('"router" NOT *', set()),
        ("') OR 1=1 --", set()),
        ("NEAR(router", set()),
        ("%", set()),
        ("+-<>~@ *", set()),
        ("🦊", set()),
    ]:
        assert set(await pages(database, text=text)) == expected, text


async def test_a_cursor_of_another_query_is_refused(database):
    await stored(database, 3)
    async with database.read() as uow:
        page = await uow.issues.page(IssueFilter(limit=1))
        for wanted in (
            IssueFilter(limit=1, sort="newest", cursor=page.next_cursor),
            IssueFilter(limit=1, critical=True, cursor=page.next_cursor),
            IssueFilter(cursor="nonsense"),
        ):
            with pytest.raises(InvalidInput):
                await uow.issues.page(wanted)


async def test_history_counts_what_a_customer_went_through(database):
    customer = new_customer()
    spans = [timedelta(hours=2), timedelta(hours=4), None]
    async with database.write() as uow:
        await uow.customers.add(customer)
        for i, span in enumerate(spans):
            created = NOW - timedelta(days=10 * i)
            issue = new_issue(
                customer,
                await uow.issues.next_number(),
                created_at=created,
                severity=Severity.HIGH if i else Severity.LOW,
                status=Status.RESOLVED if span else Status.OPEN,
                resolved_at=created + span if span else None,
                reopened_count=i,
            )
            await uow.issues.add(issue)
        await uow.customers.touch(customer.id, NOW)
        await uow.customers.touch(customer.id, NOW - timedelta(days=1))
    async with database.read() as uow:
        history = await uow.customers.history(customer.id, NOW)
        without = await uow.customers.history(customer.id, NOW, without=issue.id)
    assert history.total_issues == 3
    assert history.by_status == {Status.RESOLVED: 2, Status.OPEN: 1}
    assert history.by_severity == {Severity.LOW: 1, Severity.HIGH: 2}
    assert [brief.id for brief in history.open_issues] == [issue.id]
    assert history.mean_resolution_seconds == 3 * 3600
    assert history.reopenings == 3
    assert history.last_contact_at == NOW
    assert (history.issues_last_7_days, history.issues_last_30_days) == (1, 3)
    assert without.total_issues == 2
    assert without.open_issues == []


async def test_only_what_is_due_is_taken(database):
    (due,) = await stored(database, criticality_due_at=NOW - timedelta(seconds=1))
    (now_due,) = await stored(database, criticality_due_at=NOW)
    await stored(database, criticality_due_at=NOW + timedelta(seconds=1))
    await stored(database)
    async with database.read() as uow:
        assert [issue.id for issue in await uow.issues.due(NOW, 10)] == [due.id, now_due.id]


async def test_erasing_an_issue_takes_everything_with_it(engine, database):
    (issue,) = await stored(database)
    async with database.write() as uow:
        await uow.conversations.add(Message(ids.new(), issue.id, "hello", Sender.CUSTOMER, NOW))
        await uow.recommendations.add([Recommendation(ids.new(), issue.id, "text", 0.5, NOW)])
        await uow.summaries.add(
            Summary(ids.new(), issue.id, ConversationSummary((), (), (), (), "v"), 1, NOW)
        )
        await uow.labels.add(Label(ids.new(), issue.id, "severity", "LOW", "HIGH", "r", "m", NOW))
        await uow.index_entries.put([IndexEntry(issue.id, b"v", b"t", "f")])
        await uow.intakes.add(Intake(issue.id, issue.customer_id, "f", b"{}", NOW, "key"))
        await uow.notifications.add(Notification(ids.new(), "critical", issue.id, "t", "x", NOW))
    async with database.write() as uow:
        assert await uow.issues.erase(issue.id)
        assert not await uow.issues.erase(issue.id)
    async with engine.reader() as connection:
        for name, table in metadata.tables.items():
            if "issue_id" in table.c and name != "events":
                rows = await connection.rows(sa.select(sa.func.count()).select_from(table))
                assert rows[0][0] == 0, name
    assert await pages(database, text="payment") == []


async def test_conversations_keep_their_order(database):
    (issue,) = await stored(database)
    said = [
        Message(ids.new(), issue.id, text, sender, NOW, author)
        for text, sender, author in [
            ("Help!", Sender.CUSTOMER, None),
            ("Try again.", Sender.SUPPORT, "mira"),
            ("Works 🎉", Sender.CUSTOMER, None),
        ]
    ]
    async with database.write() as uow:
        await uow.conversations.add_many(said)
    async with database.read() as uow:
        assert await uow.conversations.of_issue(issue.id) == said
        assert await uow.conversations.of_issue(issue.id, after=said[0].id, limit=1) == [said[1]]
        assert await uow.conversations.resolving_replies([issue.id]) == []
    async with database.write() as uow:
        issue.status = Status.RESOLVED
        await uow.issues.save(issue, expected_version=1)
        (reply,) = await uow.conversations.resolving_replies([issue.id])
    assert (reply.text, reply.message_id, reply.author) == ("Try again.", said[1].id, "mira")


async def test_proposals_are_read_by_generation_and_verdicts_can_change(database):
    (issue,) = await stored(database)
    later = NOW + timedelta(minutes=5)
    first = Recommendation(ids.new(), issue.id, "old", 0.456, NOW)
    best = Recommendation(ids.new(), issue.id, "best", 0.9, later, rank=0, sources=[{"id": "1"}])
    second = Recommendation(ids.new(), issue.id, "second", 0.8, later, rank=1)
    async with database.write() as uow:
        await uow.recommendations.add([first])
        await uow.recommendations.add([second, best])
        await uow.recommendations.add([])
    async with database.read() as uow:
        assert await uow.recommendations.of_issue(issue.id, since=later) == [best, second]
        assert (await uow.recommendations.get(first.id)).confidence_score == 0.46
    for verdict, text in [(Verdict.EDITED, "mine"), (Verdict.ACCEPTED, None)]:
        best.verdict, best.final_text, best.decided_by, best.decided_at = verdict, text, "m", NOW
        async with database.write() as uow:
            await uow.recommendations.save_verdict(best)
        async with database.read() as uow:
            assert await uow.recommendations.get(best.id) == best


async def test_the_latest_summary_counts(database):
    (issue,) = await stored(database)
    content = ConversationSummary(
        problem=(SummarySentence("It broke.", (1, 2)),),
        tried=(),
        outcome=(SummarySentence("It works.", (3,)),),
        open_points=(),
        model_version="extractive-1",
    )
    old = Summary(ids.new(), issue.id, content, 2, NOW)
    new = Summary(ids.new(), issue.id, content, 3, NOW)
    async with database.write() as uow:
        assert await uow.summaries.latest(issue.id) is None
        await uow.summaries.add(old)
        await uow.summaries.add(new)
    async with database.read() as uow:
        assert await uow.summaries.latest(issue.id) == new


async def test_similar_hits_of_erased_issues_vanish(database):
    kept, gone = await stored(database, 2, resolution="Restarted it.")
    async with database.write() as uow:
        await uow.issues.erase(gone.id)
    hits = [SimilarHit(gone.id, 0.9, ("a",)), SimilarHit(kept.id, 0.8, ("b",))]
    async with database.read() as uow:
        (found,) = await uow.issues.similar(hits)
    assert (found.id, found.score, found.matched_words) == (kept.id, 0.8, ("b",))
    assert (found.number, found.resolution) == (kept.number, "Restarted it.")


async def test_index_entries_follow_a_growing_sequence(database):
    first, second, third = await stored(database, 3)
    async with database.write() as uow:
        put = await uow.index_entries.put(
            [IndexEntry(first.id, b"\x00\xff", b"t", "v1"), IndexEntry(second.id, b"", b"t", "v1")]
        )
        gone = await uow.index_entries.put([IndexEntry(12345, b"", b"", "v1")])
    assert gone == []
    assert [entry.issue_id for entry in put] == [first.id, second.id]
    async with database.write() as uow:
        (again,) = await uow.index_entries.put([IndexEntry(first.id, b"n", b"t", "v2")])
    assert again.sequence > put[1].sequence > put[0].sequence
    async with database.read() as uow:
        assert await uow.index_entries.after(0, 10) == [put[1], again]
        assert await uow.index_entries.after(put[1].sequence, 10) == [again]
        missing = await uow.index_entries.missing("v2", 10)
        assert [issue.id for issue in missing] == [second.id, third.id]
        assert await uow.index_entries.count() == 2


async def test_first_answers_are_found_by_both_keys(database):
    (issue,) = await stored(database)
    intake = Intake(issue.id, issue.customer_id, "f" * 64, b'{"id":"1"}', NOW, "admin:k", "ext")
    async with database.write() as uow:
        await uow.intakes.add(intake)
    async with database.read() as uow:
        assert await uow.intakes.by_key("admin:k") == intake
        assert await uow.intakes.by_external_id("ext") == intake
        assert await uow.intakes.by_key("ADMIN:K") is None


async def test_a_message_is_claimed_once(database):
    async with database.write() as uow:
        assert await uow.processed.claim(1, "indexer")
        assert not await uow.processed.claim(1, "indexer")
        assert await uow.processed.claim(1, "notifier")
    async with database.write() as uow:
        assert not await uow.processed.claim(1, "indexer")


async def test_the_outbox_gives_back_what_was_put_in_order(database):
    messages = [
        QueueMessage(ids.new(), "notification", {"issue_id": "1", "ü": "✓"}, NOW, key=i)
        for i in range(3)
    ]
    async with database.write() as uow:
        await uow.outbox.add(messages)
        await uow.outbox.add([])
    async with database.read() as uow:
        assert await uow.outbox.pending(2) == messages[:2]
    async with database.write() as uow:
        await uow.outbox.remove([messages[0].id])
        assert await uow.outbox.count() == 2


async def test_events_get_growing_ids_that_never_come_back(database):
    def event(issue_id):
        return Event(EventType.ISSUE_CREATED, issue_id, NOW, {"number": "SC-1"})

    async with database.write() as uow:
        assert await uow.events.last_id() == 0
        for issue_id in (1, 2):
            await uow.events.append(event(issue_id))
    async with database.read() as uow:
        first, second = await uow.events.after(0, 10)
        assert [replace(first, id=0), replace(second, id=0)] == [event(1), event(2)]
        assert await uow.events.after(first.id, 10) == [second]
        assert await uow.events.last_id() == second.id
    async with database.write() as uow:
        assert await uow.events.prune(NOW + timedelta(days=1)) == 2
        await uow.events.append(event(3))
    async with database.read() as uow:
        (third,) = await uow.events.after(0, 10)
    assert third.id > second.id


async def test_commits_wake_those_who_wait(engine):
    woken = []
    database = SqlDatabase(engine, woken.append)
    async with database.write() as uow:
        await uow.outbox.add([QueueMessage(ids.new(), "notification", {}, NOW)])
        assert woken == []
    assert woken == ["outbox"]

    async def write_half() -> None:
        async with database.write() as uow:
            await uow.events.append(Event(EventType.ISSUE_CREATED, 1, NOW))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await write_half()
    assert woken == ["outbox"]


async def test_the_schema_is_current_and_upgrading_again_changes_nothing(engine, database):
    have, need = await database.schema_version()
    assert have == need
    assert await upgrade(engine) == (need, need)
    await database.ping()


async def test_what_is_old_can_be_forgotten(database):
    async with database.write() as uow:
        await uow.processed.claim(1, "indexer")
        assert await uow.processed.prune(datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await uow.processed.prune(datetime.now(UTC) + timedelta(hours=1)) == 1
        await uow.accounts.add_session(Session("h", "mira", Role.EXECUTIVE, NOW, NOW))
        assert await uow.accounts.prune_sessions(NOW - timedelta(seconds=1)) == 0
        assert await uow.accounts.prune_sessions(NOW) == 1


async def test_accounts_come_back_as_they_were(database):
    user = User(ids.new(), "mira", "Mira Adler", Role.LEAD, "$argon2id$x", NOW)
    key = ApiKey(ids.new(), "shop", Role.INTEGRATION, "sc_abc", "f" * 64, NOW, NOW)
    session = Session("s" * 64, "mira", Role.LEAD, NOW, NOW + timedelta(hours=1))
    async with database.write() as uow:
        await uow.accounts.add_user(user)
        await uow.accounts.add_api_key(key)
        await uow.accounts.add_session(session)
    async with database.write() as uow:
        assert await uow.accounts.user("mira") == user
        assert await uow.accounts.user("MIRA") is None
        assert await uow.accounts.users() == [user]
        assert await uow.accounts.api_key("f" * 64) == key
        assert await uow.accounts.session("s" * 64) == session
        assert await uow.accounts.revoke_api_key(key.id, NOW)
        assert not await uow.accounts.revoke_api_key(key.id, NOW)
        await uow.accounts.touch_api_key(key.id, NOW)
        (revoked,) = await uow.accounts.api_keys()
        assert (revoked.revoked_at, revoked.last_used_at) == (NOW, NOW)
        await uow.accounts.end_session("s" * 64)
        assert await uow.accounts.session("s" * 64) is None


async def test_templates_can_be_changed_and_removed(database):
    template = Template(ids.new(), "Reset", "Hold the button, {customer.first_name}.", "lamps")
    template = replace(template, created_at=NOW)
    async with database.write() as uow:
        await uow.templates.add(template)
        assert await uow.templates.all() == [template]
        changed = replace(template, text="Press it.", used=3)
        await uow.templates.save(changed)
        assert await uow.templates.get(template.id) == changed
        assert await uow.templates.remove(template.id)
        assert not await uow.templates.remove(template.id)


async def test_notifications_are_listed_newest_first_and_marked_read(database):
    (issue,) = await stored(database)
    first, second = (
        Notification(ids.new(), "critical", issue.id, f"SC-{i}", "It is HIGH.", NOW)
        for i in range(2)
    )
    async with database.write() as uow:
        await uow.notifications.add(first)
        await uow.notifications.add(second)
        assert await uow.notifications.latest(10) == [second, first]
        assert await uow.notifications.latest(10, first.id) == [second]
        assert await uow.notifications.mark_read(first.id, NOW)
        assert not await uow.notifications.mark_read(1, NOW)
        assert (await uow.notifications.latest(10))[1].read_at == NOW


async def test_corrections_are_kept_in_order(database):
    (issue,) = await stored(database)
    labels = [
        Label(ids.new(), issue.id, "severity", "LOW", level, "why", "mira", NOW, "rules-1")
        for level in ("NORMAL", "HIGH")
    ]
    async with database.write() as uow:
        for label in labels:
            await uow.labels.add(label)
        assert await uow.labels.of_kind("severity") == labels
        assert await uow.labels.of_kind("similar") == []


async def test_a_unit_of_work_in_one_go_commits_or_leaves_nothing(engine):
    woken = []
    database = SqlDatabase(engine, woken.append)
    customer = new_customer()

    async def add(uow):
        await uow.customers.add(customer)
        await uow.outbox.add([QueueMessage(ids.new(), "notification", {}, NOW)])
        return await uow.customers.get(customer.id)

    async def add_and_fail(uow):
        await uow.customers.rename(customer.id, "somebody else")
        await uow.customers.add(new_customer(email=customer.email))

    assert await database.transact(add) == customer
    assert woken == ["outbox"]
    with pytest.raises(Conflict):
        await database.transact(add_and_fail)
    assert await database.look(lambda uow: uow.customers.get(customer.id)) == customer
    assert woken == ["outbox"]


async def test_units_of_work_in_one_go_do_not_mix(database):
    customer = new_customer()
    await database.transact(lambda uow: uow.customers.add(customer))

    async def add(uow):
        number = await uow.issues.next_number()
        await uow.issues.add(new_issue(customer, number))
        await uow.customers.count_issue(customer.id)
        return number

    numbers = await asyncio.gather(*(database.transact(add) for _ in range(20)))
    assert len(set(numbers)) == 20
    found = await database.look(lambda uow: uow.customers.get(customer.id))
    assert found.total_issues == 20


async def test_a_list_holds_a_snippet_and_the_whole_where_it_is_asked_for(database):
    long = "word " * 200
    reasons = [{"kind": "rule"}]
    await stored(database, description=long, severity_reasons=reasons)
    async with database.read() as uow:
        listed = (await uow.issues.page(IssueFilter())).items[0].issue
        whole = (await uow.issues.page(IssueFilter(whole=True))).items[0].issue
    assert long.startswith(listed.description)
    assert len(listed.description) == 280
    assert listed.severity_reasons == []
    assert (whole.description, whole.severity_reasons) == (long, reasons)
