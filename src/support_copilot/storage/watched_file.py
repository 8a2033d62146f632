"""A configuration file that people edit while the product runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 1.0


class WatchedFile(Generic[T]):
    """Calling it returns the parsed content, read anew within a second of a change.

    A file that is missing is written with the defaults. What was broken by an edit is logged,
    and the last good content stays in force; at start it raises what ``parse`` raises.
    """

    def __init__(self, path: Path, defaults: str, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(defaults, encoding="utf-8")
        self._stamp = self._look()
        self._content = parse(path.read_text(encoding="utf-8"))
        self._next_look = time.monotonic() + LOOK_EVERY_SECONDS

    def __call__(self) -> T:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY_SECONDS
            self._reread()
        return self._content

    def _look(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_size

    def _reread(self) -> None:
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._content = self._parse(self._path.read_text(encoding="utf-8"))
            log.info("configuration.reread", file=self._path.name)
        except Exception as error:  # noqa: BLE001 - whatever an edit broke, the old content holds
            log.error("configuration.ignored", file=self._path.name, reason=str(error))  # noqa: TRY400
