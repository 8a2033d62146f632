"""Commands that run until they are stopped."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from support_copilot.cli.common import load_settings, pick, say
from support_copilot.queues import QUEUES

if TYPE_CHECKING:
    from support_copilot.settings import Settings

_SAY_EVERY_SECONDS = 1.0


def run(
    samples: bool = typer.Option(
        False, "--samples", help="Load the sample company into a desk that is empty."
    ),
) -> None:
    """Start everything in this process: API, portal, workers, database, queues.

    Prepares the data directory at the first start and prints the address and the generated
    admin sign-in. Stops on Ctrl-C or SIGTERM.

    Examples:
      support-copilot run
      support-copilot run --samples
      SUPPORT_COPILOT_PORT=9000 SUPPORT_COPILOT_DATA_DIR=/srv/desk support-copilot run
    """
    from support_copilot import processes
    from support_copilot.accounts.service import FIRST_ADMIN, FIRST_PASSWORD_FILE

    settings = _settings(**({"load_samples": True} if samples else {}))
    steps = _Steps()

    def ready(url: str, password: str | None) -> None:
        steps.end()
        print(f"Support Copilot is ready: {url}")
        if password is not None:
            file = settings.data_dir / FIRST_PASSWORD_FILE
            print(f"Sign in as {FIRST_ADMIN} with {password}")
            print(f"(It is in {file} until you run: support-copilot users set-password admin)")
        sys.stdout.flush()

    _until_stopped(processes.run(settings, progress=steps.step, ready=ready))


def serve() -> None:
    """Serve like run, but say nothing besides the log: for service managers and containers.

    Examples:
      support-copilot serve
      SUPPORT_COPILOT_HOST=0.0.0.0 SUPPORT_COPILOT_LOG_FORMAT=json support-copilot serve
    """
    from support_copilot import processes

    _until_stopped(processes.run(_settings()))


def worker(
    queues: list[str] | None = typer.Argument(
        None, metavar="[QUEUE]...", help=f"Queues to consume: {', '.join(QUEUES)}. Default: all."
    ),
) -> None:
    """Consume queues without answering requests, beside a server on the same database.

    Examples:
      support-copilot worker
      support-copilot worker recommendation_generation conversation_summarization
    """
    from support_copilot import processes

    chosen = tuple(pick(name, QUEUES, "queue") for name in queues or ())
    _until_stopped(processes.worker(_settings(), chosen))


def _settings(**overrides: object) -> Settings:
    from support_copilot.observability import logs

    settings = load_settings(**overrides)
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _until_stopped(process: Coroutine[Any, Any, None]) -> None:
    """Run to the end; being told to stop is a good end."""
    import asyncio

    # The server raises a signal again once it has stopped: SIGTERM must not end the process
    # before what surrounds the server is closed too.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(process)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


class _Steps:
    """Shows the steps of a start: a moving bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._said = ("", 0.0)

    def step(self, name: str, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            self._line(name, done, total)
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(name)
            self._bar.start()
        self._bar.update(self._task, description=name, completed=done, total=total or None)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _line(self, name: str, done: int, total: int) -> None:
        said, at = self._said
        now = time.monotonic()
        if name != said or now - at >= _SAY_EVERY_SECONDS or done == total > 0:
            say(f"{name} … {done} of {total}" if total else f"{name} …")
            self._said = (name, now)
