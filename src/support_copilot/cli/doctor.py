"""Looks at everything the product needs and says what to do."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from support_copilot.cli.common import console, load_settings, run_async

if TYPE_CHECKING:
    from support_copilot.bootstrap import Storage
    from support_copilot.settings import Settings

State = Literal["OK", "WARN", "FAIL"]

_DISK_WARN, _DISK_FAIL = 1 << 30, 100 << 20
_LAG_WARN = timedelta(minutes=1)
_CLOCK_TOLERANCE = timedelta(minutes=5)
#: No release of this product is older.
_CLOCK_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_STYLES = {"OK": "green", "WARN": "yellow", "FAIL": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    check: str
    state: State
    message: str
    remedy: str = ""


def doctor(json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Check configuration, data directory, database, queues, models, disk, clock and port.

    Changes nothing. Each line is OK, WARN or FAIL and says what to do; exit status 1 on FAIL.

    Examples:
      support-copilot doctor
      support-copilot doctor --json
    """
    findings = list(_examine())
    if json:
        import orjson

        print(orjson.dumps([asdict(finding) for finding in findings]).decode())
    else:
        out = console()
        for one in findings:
            out.print(f"{one.state:4}", style=_STYLES[one.state], end=" ")
            remedy = f" {one.remedy}" if one.remedy else ""
            out.print(f"{one.check}: {one.message}{remedy}", markup=False, soft_wrap=True)
    if any(finding.state == "FAIL" for finding in findings):
        raise typer.Exit(1)


def _examine() -> Iterator[Finding]:
    from support_copilot.settings import SettingsError

    try:
        settings = load_settings()
    except SettingsError as error:
        for mistake in error.mistakes:
            yield Finding("configuration", "FAIL", mistake, "Correct the environment or .env.")
        return
    yield from _configuration(settings)
    directory = _directory(settings)
    yield directory
    running = _server(settings)
    yield Finding("server", "OK", f"process {running} runs" if running else "not running")
    if directory.state != "FAIL":
        yield from _database(settings)
    yield from _models(settings)
    yield _disk(settings)
    yield _clock()
    yield _port(settings, running)


def _configuration(settings: Settings) -> Iterator[Finding]:
    from support_copilot import bootstrap
    from support_copilot.domain.severity_rules import RuleError, SeverityRules
    from support_copilot.domain.targets import Targets, TargetsError

    yield Finding("configuration", "OK", "the settings can be read")
    rules = settings.severity_rules or settings.data_dir / bootstrap.RULES_FILE
    targets = settings.targets or settings.data_dir / bootstrap.TARGETS_FILE
    mistakes: list[str] = []
    try:
        if rules.exists():
            SeverityRules.parse(rules.read_text("utf-8"))
        if targets.exists():
            Targets.parse(targets.read_text("utf-8"), lambda *_place: set())
    except RuleError as error:
        mistakes = [f"{rules}: {one['field']}: {one['message']}" for one in error.errors]
    except TargetsError as error:
        mistakes = [f"{targets}: {one}" for one in error.mistakes]
    except (OSError, UnicodeDecodeError) as error:
        mistakes = [str(error)]
    for mistake in mistakes:
        yield Finding("rules and targets", "FAIL", mistake, "Correct the file.")
    if not mistakes:
        yield Finding("rules and targets", "OK", f"{rules.name}, {targets.name}")


def _directory(settings: Settings) -> Finding:
    place = settings.data_dir.absolute()
    if not place.exists():
        parent = _existing(place)
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding("data directory", "OK", f"{place} is made at the first start")
        remedy = "Give the right to, or set SUPPORT_COPILOT_DATA_DIR."
        return Finding("data directory", "FAIL", f"{place} cannot be made", remedy)
    try:
        with tempfile.TemporaryFile(dir=place):
            return Finding("data directory", "OK", f"{place} can be written")
    except OSError as error:
        remedy = "Give this user the right to write, or set SUPPORT_COPILOT_DATA_DIR."
        return Finding(
            "data directory", "FAIL", f"{place} cannot be written: {error.strerror}", remedy
        )


def _server(settings: Settings) -> str | None:
    """Return the process that serves from the data directory."""
    import fcntl

    lock = settings.data_dir / "server.lock"
    try:
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "?"
    except OSError:
        return None
    return None


def _database(settings: Settings) -> Iterator[Finding]:
    from support_copilot.domain.errors import CopilotError
    from support_copilot.domain.targets import TargetsError
    from support_copilot.settings import SettingsError

    if settings.database_url is None and not settings.sqlite_path.exists():
        yield Finding("database", "OK", f"{settings.sqlite_path} is made at the first start")
        return

    async def work() -> list[Finding]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings, migrate=False) as storage:
            return [finding async for finding in _stored(storage)]

    try:
        yield from run_async(work)
    except SettingsError as error:
        yield Finding("database", "FAIL", error.mistakes[0])
    except TargetsError:
        return  # told under rules and targets
    except CopilotError as error:
        if error.code != "invalid-rules":
            remedy = "Check SUPPORT_COPILOT_DATABASE_URL and that the server runs."
            yield Finding("database", "FAIL", error.detail, remedy)


async def _stored(storage: Storage) -> AsyncIterator[Finding]:
    have, need = await storage.database.schema_version()
    if have != need:
        yield Finding(
            "database",
            "WARN",
            f"the schema is at {have or 'nothing'}, {need} is needed.",
            "Run support-copilot db upgrade, or start the server, which does it.",
        )
        return
    async with storage.database.read() as uow:
        issues = await uow.issues.count()
        pending = await uow.outbox.pending(1)
        waiting = await uow.outbox.count()
    yield Finding("database", "OK", f"schema {have}, {issues} issues")
    lag = storage.clock.now() - pending[0].created_at if pending else timedelta()
    if lag > _LAG_WARN:
        yield Finding(
            "outbox",
            "WARN",
            f"{waiting} messages wait since {lag.total_seconds():.0f} s.",
            "Start the server, or a worker: support-copilot worker.",
        )
    else:
        yield Finding("outbox", "OK", f"{waiting} messages wait")
    for depth in await storage.queue.depth():
        said = f"{depth.ready} ready, {depth.in_flight} in hand, {depth.dead} dead"
        remedy = f"See support-copilot queues dead {depth.queue}." if depth.dead else ""
        yield Finding(f"queue {depth.queue}", "WARN" if depth.dead else "OK", said, remedy)


def _models(settings: Settings) -> Iterator[Finding]:
    from importlib.resources import files

    from support_copilot import bootstrap
    from support_copilot.analysis.engine import AnalysisEngine
    from support_copilot.domain.severity_rules import SeverityRules

    defaults = (files("support_copilot.defaults") / bootstrap.RULES_FILE).read_text("utf-8")
    rules = SeverityRules.parse(defaults)
    with tempfile.TemporaryDirectory() as elsewhere:
        cache = settings.data_dir / "models"
        engine = AnalysisEngine.load(
            cache if cache.exists() else Path(elsewhere),
            lambda: rules,
            with_encoder=settings.encoder == "auto",
        )
        models = engine.models()
    for model in models:
        version = model.version.partition("+")[0] if model.name == "similarity" else model.version
        if model.loaded:
            yield Finding(f"model {model.name}", "OK", version)
        elif settings.encoder == "off":
            yield Finding(f"model {model.name}", "OK", "off by SUPPORT_COPILOT_ENCODER")
        else:
            yield Finding(f"model {model.name}", "WARN", model.detail)


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.data_dir.absolute())).free
    state: State = "FAIL" if free < _DISK_FAIL else "WARN" if free < _DISK_WARN else "OK"
    remedy = "" if state == "OK" else "Make room, or move the data directory."
    return Finding("disk", state, f"{free / (1 << 30):.1f} GiB free", remedy)


def _clock() -> Finding:
    now = datetime.now(UTC)
    if now < _CLOCK_EARLIEST:
        return Finding("clock", "FAIL", f"it is {now:%Y-%m-%d}, which cannot be", "Set the clock.")
    return Finding("clock", "OK", f"{now:%Y-%m-%d %H:%M} UTC")


def _port(settings: Settings, running: str | None) -> Finding:
    place = f"{settings.host} port {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if running:
                return Finding("port", "OK", f"{place} is in use, by the server that runs")
            remedy = "Choose others with SUPPORT_COPILOT_HOST and SUPPORT_COPILOT_PORT."
            return Finding("port", "FAIL", f"{place} cannot be used: {error.strerror}.", remedy)
    return Finding("port", "OK", f"{place} is free")


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
