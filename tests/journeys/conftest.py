"""The real product as one process, for journeys over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

START_SECONDS = 90
STOP_SECONDS = 30
LOG_SHOWN = 6_000


@dataclass(frozen=True, slots=True)
class RunningDesk:
    """A server in a process of its own; ``keys`` holds an API key by role."""

    base_url: str
    keys: dict[str, str]
    data_dir: Path
    log: Path

    def headers(self, role: str = "integration") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[role]}"}

    def client(self, role: str = "integration", **options) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.base_url, headers=self.headers(role), timeout=60, **options
        )


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    data_dir = tmp_path_factory.mktemp("desk")
    log = data_dir / "server.log"
    environment = os.environ | {
        "SUPPORT_COPILOT_DATA_DIR": str(data_dir),
        "SUPPORT_COPILOT_PORT": "0",
        "SUPPORT_COPILOT_RATE_LIMIT_SIGN_IN": "0",
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "support_copilot", "run"],
            cwd=data_dir,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base_url = _address(server, log)
        yield RunningDesk(base_url, _make_keys(base_url, data_dir), data_dir, log)
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    running = getattr(item, "funcargs", {}).get("desk")
    if report.failed and running is not None:
        text = running.log.read_text("utf-8", "replace")
        report.sections.append(("Log of the server", text[-LOG_SHOWN:]))
    return report


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server says where it is and that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(
            r"is ready: (http://\S+)$", log.read_text("utf-8", "replace"), re.MULTILINE
        )
        if found and httpx2.get(f"{found[1]}/health/ready").status_code == 200:
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"the server did not get ready:\n{log.read_text('utf-8', 'replace')[-LOG_SHOWN:]}")


def _make_keys(base_url: str, data_dir: Path) -> dict[str, str]:
    password = (data_dir / "initial-admin-password").read_text().strip()
    with httpx2.Client(base_url=base_url) as client:
        signed_in = client.post(
            "/v1/auth/sign-in", json={"username": "admin", "password": password}
        )
        client.headers["Authorization"] = f"Bearer {signed_in.raise_for_status().json()['token']}"
        keys = {}
        for role in ("admin", "executive", "integration"):
            made = client.post("/v1/api-keys", json={"name": f"journeys {role}", "role": role})
            keys[role] = made.raise_for_status().json()["secret"]
    return keys
