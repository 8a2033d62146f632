"""The main job at a size: import, intake, inbox and issue page of a desk with N past issues.

    python -m benchmarks.intake --issues 5000

Needs texts in DATA_FOLDER (see README.md). Prints a table; writes benchmarks/results/intake.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet

PARTS = "include=messages&include=recommendations"
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
SOURCES = ("endava_tickets.parquet", "tickets_multilang_synth.parquet")
COMMAND = (sys.executable, "-m", "support_copilot")
START_SECONDS = 180
SETTLE_SECONDS = 300
IDLE_SECONDS = 15

Json = dict[str, Any]


def load_texts(folder: Path, wanted: int) -> list[Json]:
    """Return ``wanted`` different issues of ``wanted`` / 5 customers, the same each time."""
    chance = random.Random(7)
    texts: dict[str, tuple[str, str, str]] = {}
    for source in SOURCES:
        for row in pyarrow.parquet.read_table(folder / source).to_pylist():
            description = _clean(row["body"], 20_000)
            if len(description) > 40:
                # Tickets of the first source came by e-mail, without a subject.
                title = _clean(row.get("subject"), 500) or " ".join(description.split()[:8])
                answer = _clean(row.get("answer"), 20_000)
                texts[f"{title}\n{description}"] = title, description, answer
    chosen = chance.sample(sorted(texts.values()), min(wanted, len(texts)))
    if len(chosen) < wanted:
        raise SystemExit(f"{folder} holds {len(chosen)} usable texts, {wanted} are needed")
    now = datetime.now(UTC).replace(microsecond=0)
    issues = []
    for number, (title, description, answer) in enumerate(chosen):
        customer = chance.randrange(max(1, wanted // 5))
        issues.append(
            {
                "external_id": f"old-{number}",
                "email": f"customer{customer}@example.com",
                "name": f"Customer {customer}",
                "title": title,
                "description": description,
                "created_at": (now - timedelta(hours=wanted - number)).isoformat(),
                "status": "CLOSED" if chance.random() < 0.8 else "OPEN",
                "answer": answer,
            }
        )
    return issues


def _clean(text: object, longest: int) -> str:
    kept = "".join(
        char
        for char in str(text or "")
        if unicodedata.category(char) not in {"Cc", "Cs"} or char in "\t\n"
    )
    return kept.strip()[:longest]


class Client:
    """One connection that stays open; light, so that the servers are measured and not it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = headers
        self._used = time.monotonic()

    def send(self, method: str, path: str, body: Json | None = None) -> bytes:
        """Return the body of a successful answer. Raises RuntimeError for any other."""
        content = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the server may have done so; request() opens it again
        self._used = time.monotonic()
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return answer

    def close(self) -> None:
        self._connection.close()


@dataclass
class Series:
    """How long each request took, in seconds, and how long all of them together."""

    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    def add(self, other: Series) -> None:
        self.seconds += other.seconds
        self.elapsed += other.elapsed

    def figures(self) -> Json:
        cuts = quantiles(self.seconds, n=100, method="inclusive")
        return {
            "requests": len(self.seconds),
            "p50_ms": round(cuts[49] * 1000, 2),
            "p99_ms": round(cuts[98] * 1000, 2),
            "rate_per_s": round(len(self.seconds) / self.elapsed, 1),
        }


def measure(action: Callable[[], object], times: int) -> Series:
    series, began = Series(), time.perf_counter()
    for _ in range(times):
        start = time.perf_counter()
        action()
        series.seconds.append(time.perf_counter() - start)
    series.elapsed = time.perf_counter() - began
    return series


def measure_together(actions: Sequence[Callable[[], object]], times: int) -> Series:
    """Run each action ``times`` times, all at once, each in its own thread."""
    parts: list[Series] = []
    threads = [
        threading.Thread(target=lambda one=action: parts.append(measure(one, times)))
        for action in actions
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(parts) < len(actions):
        raise RuntimeError("a client failed; see above")
    return Series([s for part in parts for s in part.seconds], time.perf_counter() - began)


class Desk:
    """The product on a data directory of its own, with what is measured of it."""

    name = "support-copilot"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._env = os.environ | {
            "SUPPORT_COPILOT_DATA_DIR": str(data_dir),
            "SUPPORT_COPILOT_PORT": "0",
            "SUPPORT_COPILOT_LOG_FORMAT": "json",
        }
        self._url = ""
        self._headers: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._ids: list[str] = []

    def import_issues(self, issues: list[Json]) -> Json:
        file = self._data_dir / "issues.jsonl"
        file.write_text("".join(json.dumps(issue) + "\n" for issue in issues), "utf-8")
        began = time.perf_counter()
        with (self._data_dir / "import.log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, "import", str(file)],
                cwd=self._data_dir,
                env=self._env,
                stdout=log,
                stderr=log,
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit((self._data_dir / "import.log").read_text())
        file.unlink()
        return {
            "issues": len(issues),
            "seconds": round(time.perf_counter() - began, 1),
            "peak_memory_mb": round(usage.ru_maxrss / 1024),
        }

    @contextmanager
    def running(self) -> Iterator[Json]:
        """Serve while the block lasts; gives the figures of the start."""
        made = subprocess.run(
            [*COMMAND, "api-keys", "create", "--role", "executive", "--name", "benchmark"],
            cwd=self._data_dir,
            env=self._env,
            capture_output=True,
            text=True,
            check=True,
        )
        self._headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        log = self._data_dir / "server.log"
        began = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "run"],
                cwd=self._data_dir,
                env=self._env,
                stdout=output,
                stderr=output,
            )
        try:
            while not (found := re.search(r"is ready: (http://\S+)", log.read_text("utf-8"))):
                if self._process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise SystemExit(log.read_text("utf-8")[-3000:])
                time.sleep(0.05)
            self._url = found[1]
            ready = round(time.perf_counter() - began, 1)
            self.settle()
            yield {"ready_seconds": ready, "settled_seconds": round(time.perf_counter() - began, 1)}
        finally:
            self._process.terminate()
            self._process.wait(60)

    def client(self) -> Client:
        return Client(self._url, self._headers)

    def settle(self) -> None:
        """Wait until the background has nothing left to do."""
        client, deadline = self.client(), time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            queues = json.loads(client.send("GET", "/health/ready"))["checks"]["queue"]["queues"]
            if not any(queue["ready"] + queue["in_flight"] for queue in queues.values()):
                client.close()
                return
            time.sleep(0.2)
        raise SystemExit("the queues did not get empty")

    def creator(self, issues: list[Json]) -> Callable[[], object]:
        """Return an action that sends the next of ``issues`` as a new one."""
        client, waiting = self.client(), iter(issues)

        def create() -> None:
            issue = next(waiting)
            body = {
                "customer": {"email": issue["email"], "name": issue["name"]},
                "title": issue["title"],
                "description": issue["description"],
            }
            self._ids.append(json.loads(client.send("POST", "/v1/issues", body))["id"])

        return create

    def lister(self) -> Callable[[], object]:
        client = self.client()
        return lambda: client.send("GET", "/v1/issues?limit=50")

    def reader(self) -> Callable[[], object]:
        """Return an action that reads all that an issue's page shows."""
        client, chance = self.client(), random.Random(3)

        def read() -> None:
            client.send("GET", f"/v1/issues/{chance.choice(self._ids)}?{PARTS}")

        return read

    def screens(self) -> dict[str, Callable[[], object]]:
        """Return actions that fetch the portal's pages, as a browser does."""
        client, chance = self.client(), random.Random(3)
        return {
            "inbox screen": lambda: client.send("GET", "/"),
            "issue screen": lambda: client.send("GET", f"/issues/{chance.choice(self._ids)}"),
        }

    def step_seconds(self) -> dict[str, float]:
        """Return what each step of all intakes so far took, in sum; ``request`` is the whole."""
        client = self.client()
        text = client.send("GET", "/metrics").decode()
        client.close()
        sums = {
            name: float(seconds)
            for name, seconds in re.findall(
                r'^intake_step_seconds_sum\{step="(\w+)"\} (\S+)$', text, re.MULTILINE
            )
        }
        whole = re.search(
            r'^http_request_seconds_sum\{route="/v1/issues"\} (\S+)$', text, re.MULTILINE
        )
        return sums | {"request": float(whole[1]) if whole else 0.0}

    def background_ms(self) -> Json:
        """Return how long one message of each queue has taken, on average."""
        client = self.client()
        text = client.send("GET", "/metrics").decode()
        client.close()
        pattern = r'^queue_handling_seconds_(sum|count)\{queue="(\w+)"\} (\S+)$'
        found = {
            (queue, part): float(value)
            for part, queue, value in re.findall(pattern, text, re.MULTILINE)
        }
        return {
            queue: round(found[queue, "sum"] / count * 1000, 1)
            for (queue, part), count in found.items()
            if part == "count" and count
        }

    def memory(self) -> Json:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kilobytes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
        return {
            "memory_mb": round(int(kilobytes["VmRSS"]) / 1024),
            "peak_memory_mb": round(int(kilobytes["VmHWM"]) / 1024),
        }

    def size(self) -> Json:
        files = {path: path.stat().st_size for path in self._data_dir.rglob("*") if path.is_file()}
        database = sum(size for path, size in files.items() if "support-copilot.db" in path.name)
        return {
            "database_mb": round(database / 1e6, 1),
            "models_mb": round(
                sum(size for path, size in files.items() if "models" in path.parts) / 1e6, 1
            ),
        }


def shares(before: dict[str, float], after: dict[str, float]) -> Json:
    """Return each step's part of the time that intakes took in the server.

    encode, severity and similar are parts of judge, read runs beside encode; what judge takes
    beyond them is waiting.
    """
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    whole = spent.pop("request")
    judged = spent.pop("judge")
    store = spent.pop("store")
    parts = spent | {
        "judge, other": judged - sum(spent.values()) + spent.get("read", 0.0),
        "store": store,
    }
    parts["rest of the request"] = whole - judged - store
    return {name: round(seconds / whole, 3) for name, seconds in parts.items()}


def run(issues: int, requests: int, folder: Path) -> Json:
    texts = load_texts(folder, issues + 2 * requests + 20)
    past, new = texts[:issues], texts[issues:]
    with tempfile.TemporaryDirectory(prefix="desk-") as place:
        desk = Desk(Path(place))
        results: Json = {"import": desk.import_issues(past)}
        with desk.running() as start:
            results["start"] = start | desk.memory() | desk.size()
            measure(desk.creator(new[:20]), 20)
            desk.settle()
            before = desk.step_seconds()
            series = measure(desk.creator(new[20 : 20 + requests]), requests)
            results["POST /v1/issues, 1 client"] = series.figures()
            results["share of an intake's time"] = shares(before, desk.step_seconds())
            desk.settle()
            quarter = requests // 4
            parts = [desk.creator(new[20 + requests + i * quarter :][:quarter]) for i in range(4)]
            together = measure_together(parts, quarter)
            results["POST /v1/issues, 4 clients"] = together.figures()
            desk.settle()
            results["background, ms a message"] = desk.background_ms()
            results["GET /v1/issues?limit=50"] = measure(desk.lister(), requests).figures()
            results["issue with messages, recommendations"] = measure(
                desk.reader(), requests
            ).figures()
            for name, action in desk.screens().items():
                results[name] = measure(action, requests).figures()
            results["end"] = desk.memory() | desk.size()
    return results


def show(results: Json) -> None:
    width = max(map(len, results))
    for name, figures in results.items():
        print(name.ljust(width), "  ".join(f"{key} {value}" for key, value in figures.items()))


def save(name: str, results: Json) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--issues", type=int, default=5000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    results = run(options.issues, options.requests, options.data)
    show(results)
    save("intake", results)


if __name__ == "__main__":
    main()
