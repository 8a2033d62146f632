"""kill -9 of the whole product while issues come in: nothing lost, nothing twice.

``KILLED_INTAKES=1000 pytest -s tests/faults/test_kill_during_intake.py`` prints the figures of a
longer run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

INTAKES = int(os.environ.get("KILLED_INTAKES", "200"))
KILLS = 4 if INTAKES <= 200 else 8
CLIENTS = 8
START_SECONDS = 90
SETTLE_SECONDS = 120

# A third is critical at once. No customer has three issues: a run of issues would make others
# critical later, at a moment that the clock and not the intake decides.
TEXTS = (
    ("Production is down for everybody", "Since 9:14 no customer of ours can reach the shop."),
    ("How do I change my address?", "We moved in May, and I cannot find where to enter it."),
    ("The export misses a column", "The CSV of last month has no column for the tax number."),
)


@dataclass
class Server:
    """The product on one port, killed and started again."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    killed: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.data_dir / "server.log").read_text("utf-8", "replace")[-4_000:]

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self._spawn()
        deadline = time.monotonic() + START_SECONDS
        async with httpx2.AsyncClient() as client:
            while time.monotonic() < deadline:
                assert self.process.poll() is None, self.log
                try:
                    if (await client.get(f"{self.url}/health/ready")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.05)
        pytest.fail(f"the server did not get ready:\n{self.log}")

    def _spawn(self) -> None:
        environment = os.environ | {
            "SUPPORT_COPILOT_DATA_DIR": str(self.data_dir),
            "SUPPORT_COPILOT_PORT": str(self.port),
        }
        with (self.data_dir / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support_copilot", "run"],
                cwd=self.data_dir,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL
        self.killed += 1

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Sent:
    """The answer of each intake; ``accepted`` gets a note of each, ``retries`` counts the lost."""

    answers: dict[int, str] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    accepted: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    retries: int = 0


def intake(number: int) -> dict[str, Any]:
    title, description = TEXTS[number % len(TEXTS)]
    return {
        "customer": {"email": f"c{number // 2}@example.com", "name": f"Customer {number // 2}"},
        "title": title,
        "description": f"{description} Case {number}.",
    }


async def send(client: httpx2.AsyncClient, number: int, sent: Sent) -> None:
    """Try until it is accepted, as a caller does who may not lose an issue."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            response = await client.post(
                "/v1/issues", json=intake(number), headers={"Idempotency-Key": f"intake-{number}"}
            )
        except httpx2.TransportError:
            response = None
        if response is not None and response.status_code == 201:
            sent.answers[number] = response.json()["id"]
            sent.bodies[number] = response.content
            sent.accepted.put_nowait(number)
            return
        assert response is None or response.status_code == 503, response.text
        sent.retries += 1
        await asyncio.sleep(0.1)
    pytest.fail(f"intake {number} was never accepted")


async def kill_now_and_then(server: Server, sent: Sent) -> None:
    chance = secrets.SystemRandom()
    share = INTAKES / (KILLS + 1)
    accepted = 0
    for kill in range(KILLS):
        goal = (kill + chance.random()) * share
        while accepted <= goal:
            await sent.accepted.get()
            accepted += 1
        await asyncio.sleep(chance.random() * 0.05)
        server.kill()
        await server.start()


def make_key(server: Server) -> str:
    password = (server.data_dir / "initial-admin-password").read_text().strip()
    sign_in = {"username": "admin", "password": password}
    with httpx2.Client(base_url=server.url) as client:
        token = client.post("/v1/auth/sign-in", json=sign_in).raise_for_status().json()["token"]
        made = client.post(
            "/v1/api-keys",
            json={"name": "shop", "role": "executive"},
            headers={"Authorization": f"Bearer {token}"},
        )
    return str(made.raise_for_status().json()["secret"])


class Books:
    """What the database holds, read beside the server."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()

    def number(self, query: str) -> int:
        return int(self.rows(query)[0][0])

    async def until_settled(self) -> None:
        """Wait until no message is on its way, in the outbox or in a queue."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.number("SELECT count(*) FROM outbox") or self.number(
            "SELECT count(*) FROM queue_messages WHERE NOT dead"
        ):
            assert time.monotonic() < deadline, "the queues did not get empty"
            await asyncio.sleep(0.1)


@pytest.mark.timeout(900)
async def test_what_was_accepted_is_stored_and_analysed_once(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server, sent = Server(tmp_path, port), Sent()
    await server.start()
    try:
        headers = {"Authorization": f"Bearer {make_key(server)}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=20) as client:
            waiting = iter(range(INTAKES))

            async def one_after_another() -> None:
                for number in waiting:
                    await send(client, number, sent)

            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                group.create_task(kill_now_and_then(server, sent))
                for _ in range(CLIENTS):
                    group.create_task(one_after_another())
            seconds = time.monotonic() - began

            books = Books(tmp_path / "support-copilot.db")
            await books.until_settled()
            again = await client.post(
                "/v1/issues", json=intake(0), headers={"Idempotency-Key": "intake-0"}
            )
        _check(books, server, sent, seconds)
        assert again.content == sent.bodies[0]
        books.close()
    finally:
        server.stop()


def _check(books: Books, server: Server, sent: Sent, seconds: float) -> None:
    critical = books.number("SELECT count(*) FROM issues WHERE critical")
    figures = {
        "kills": server.killed,
        "attempts lost": sent.retries,
        "accepted": len(sent.answers),
        "stored": books.number("SELECT count(*) FROM issues"),
        "indexed": books.number("SELECT count(*) FROM index_entries"),
        "recommended": books.number("SELECT count(*) FROM issues WHERE recommended_at > 0"),
        "critical": critical,
        "notified": books.number("SELECT count(*) FROM notifications"),
        "dead letters": books.number("SELECT count(*) FROM queue_messages"),
    }
    handled = dict(
        books.rows("SELECT consumer, count(*) FROM processed_messages GROUP BY consumer")
    )
    created = books.number("SELECT count(*) FROM events WHERE type = 'issue.created'")
    print(f"\n{INTAKES} intakes in {seconds:.0f} s:", figures, handled)

    assert server.killed == KILLS
    assert sent.retries > 0
    assert figures["accepted"] == figures["stored"] == INTAKES
    assert {int(told) for told in sent.answers.values()} == {
        stored for (stored,) in books.rows("SELECT id FROM issues")
    }
    assert created == figures["indexed"] == figures["recommended"] == INTAKES
    # All handled, none twice; indexing claims nothing, since indexing twice is indexing once.
    assert handled == {
        "recommendation_generation": INTAKES,
        "notification": critical,
    }
    assert critical >= INTAKES // len(TEXTS)
    assert figures["notified"] == critical
    assert books.number("SELECT count(DISTINCT issue_id) FROM notifications") == critical
    assert figures["dead letters"] == 0
    assert not books.rows(
        "SELECT c.id FROM customers c LEFT JOIN issues i ON i.customer_id = c.id"
        " GROUP BY c.id HAVING c.total_issues != count(i.id)"
    )
    assert books.number("SELECT count(*) FROM customers") == (INTAKES + 1) // 2
    assert not books.rows("PRAGMA foreign_key_check")
