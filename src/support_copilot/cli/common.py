"""What every command does: read settings, run a coroutine, speak to people and to programs."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

    from support_copilot.settings import Settings

T = TypeVar("T")


class Group(TyperGroup):
    """Says an expected error in a sentence; every other one is a defect and keeps its trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader, such as head, has seen enough; a flush at exit would fail again.
            sys.stdout = None
            raise typer.Exit(0) from None
        except Exception as error:
            lines = _expected(error)
            if lines is None:
                raise
            for line in lines:
                say(f"Error: {line}")
            raise typer.Exit(1) from None


def _expected(error: Exception) -> list[str] | None:
    from support_copilot.domain.errors import CopilotError, InvalidInput
    from support_copilot.domain.targets import TargetsError
    from support_copilot.interop.mapping import MappingError
    from support_copilot.interop.reading import Unreadable
    from support_copilot.settings import SettingsError

    match error:
        case SettingsError():
            return error.mistakes
        case TargetsError():
            return error.mistakes
        case InvalidInput():
            return [f"{mistake['field']}: {mistake['message']}" for mistake in error.errors]
        case CopilotError():
            return [error.detail]
        case MappingError() | Unreadable():
            return [str(error)]
        case OSError() if error.filename is not None:
            return [f"{error.filename}: {error.strerror}"]
    return None


def load_settings(**overrides: object) -> Settings:
    """Return the settings, and let only warnings through to standard error."""
    from support_copilot import settings
    from support_copilot.observability import logs

    logs.configure("WARNING", "console")
    return settings.load(**overrides)


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())


def say(text: str) -> None:
    """Tell people something on standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, lines with tabs elsewhere, which programs can read."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print("\t".join(row))
        return
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    console().print(table, markup=False)


def pick(value: str, known: Iterable[str], what: str) -> str:
    """Return the value if it is known. Raises BadParameter with the likeliest one meant."""
    names = sorted(known)
    if value in names:
        return value
    close = difflib.get_close_matches(value, names, 1, 0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise typer.BadParameter(f"{value!r} is no {what}. {hint}Choose one of {', '.join(names)}.")


def moment(value: Any) -> str:
    """Return a moment as people read it, or a dash."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if value is not None else "-"
