"""What a container, or the one process of the embedded shape, can run."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn

from support_copilot import bootstrap
from support_copilot.accounts.service import FIRST_ADMIN, FIRST_PASSWORD_FILE
from support_copilot.domain.errors import CopilotError
from support_copilot.domain.identity import Role
from support_copilot.gateway.http_protocol import ProblemHttpProtocol
from support_copilot.samples import loader
from support_copilot.settings import Settings

log = structlog.get_logger(__name__)

GRACEFUL_SECONDS = 8
# A thread that computes in the background gives way to a request ten times sooner than Python's
# default of 5 ms lets it: an intake passes from thread to thread several times.
SWITCH_SECONDS = 0.0005

Progress = Callable[[str, int, int], None]
"""Told of each step of a start: its name, how much is done, how much there is (0: unknown)."""


class AlreadyRunning(CopilotError):
    """Another process serves from the same data directory."""

    code = "already-running"


class PortTaken(CopilotError):
    code = "port-taken"


async def run(
    settings: Settings,
    *,
    progress: Progress = lambda _step, _done, _total: None,
    ready: Callable[[str, str | None], None] = lambda _url, _password: None,
) -> None:
    """Serve everything in this process until a signal stops it.

    ``ready`` is called once requests are answered, with the address and, until its file is
    deleted, the first password of the user ``admin``. Raises AlreadyRunning, PortTaken,
    Unavailable.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    sys.setswitchinterval(SWITCH_SECONDS)
    with _only_one(settings.data_dir), _listening(settings) as listener:
        progress("Opening the database and loading the models", 0, 0)
        async with bootstrap.build(settings) as services:
            if settings.database_url is None:
                # Only one process serves from this directory: leases of a killed one are nobody's.
                await services.queue_store.release_all_leases()
            password = await _first_admin(services)
            if settings.load_samples:
                await loader.load(
                    services.bulk,
                    services.database,
                    services.clock,
                    services.ids,
                    lambda done, total: progress("Loading the sample company", done, total),
                )
            progress("Starting", 0, 0)
            async with bootstrap.background(services):
                server = _server(bootstrap.build_application(services))
                url = _url(settings, listener)
                server.ready = lambda: ready(url, password)
                server.stopping = services.live_status.close
                await server.serve(sockets=[listener])


async def worker(settings: Settings, queues: tuple[str, ...] = ()) -> None:
    """Consume queues until a signal stops it, without answering requests."""
    import asyncio
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with bootstrap.build(settings) as services, bootstrap.background(services, queues):
        await stop.wait()


class _Server(uvicorn.Server):
    """Tells when requests are answered."""

    ready: Callable[[], None] = staticmethod(lambda: None)
    stopping: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping()
        await super().shutdown(sockets)


def _server(application: object) -> _Server:
    return _Server(
        uvicorn.Config(
            application,  # type: ignore[arg-type]  # uvicorn's type is narrower than ASGI
            loop="none",
            http=ProblemHttpProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
    )


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data directory; the system gives it back even after kill -9."""
    with (data_dir / "server.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(
                f"Process {lock.read().strip() or '?'} serves from {data_dir} already. Stop it, "
                "or choose another directory with SUPPORT_COPILOT_DATA_DIR."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. Choose "
            "others with SUPPORT_COPILOT_HOST and SUPPORT_COPILOT_PORT."
        ) from None
    try:
        yield listener
    finally:
        listener.close()


def _url(settings: Settings, listener: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{host}:{listener.getsockname()[1]}"


async def _first_admin(services: bootstrap.Services) -> str | None:
    """Make the admin of an empty desk; return the password while its file is there."""
    path = services.settings.data_dir / FIRST_PASSWORD_FILE
    if not await services.accounts.users():
        password = secrets.token_urlsafe(15)
        await services.accounts.create_user(FIRST_ADMIN, "Administrator", Role.ADMIN, password)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
    return path.read_text().strip() if path.exists() else None
