"""Takes all issues out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import typer

from support_copilot.cli.common import load_settings, pick, run_async, say

_SAY_EVERY_SECONDS = 5.0


def export_file(
    file: Path = typer.Argument(..., dir_okay=False, help="Where to write: .jsonl or .csv."),
    fmt: str | None = typer.Option(None, "--format", help="jsonl or csv; told from the name."),
    force: bool = typer.Option(False, "--force", help="Replace a file that is there."),
) -> None:
    """Export all issues with customers, conversations, recommendations and summaries.

    JSON lines hold everything and can be imported again. CSV is for spreadsheets: cells that
    would run as a formula begin with an apostrophe there.

    Examples:
      support-copilot export issues.jsonl
      support-copilot export --force issues.csv
    """
    from support_copilot.interop.exporting import EXPORT_FORMATS, export_issues

    chosen = pick(fmt or file.suffix.lower().removeprefix("."), EXPORT_FORMATS, "export format")
    if file.exists() and not force:
        raise typer.BadParameter(f"{file} is there already; add --force to replace it")
    settings = load_settings()
    next_line = time.monotonic() + _SAY_EVERY_SECONDS

    def progress(written: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + _SAY_EVERY_SECONDS
            say(f"{written} issues")

    async def work() -> int:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await export_issues(storage.database, file, chosen, progress)

    written = run_async(work)
    print(f"{written} issues written to {file}", file=sys.stderr)
