"""Brings the issues of another desk in."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import typer

from support_copilot.cli.common import console, load_settings, pick, run_async, say, show_table

if TYPE_CHECKING:
    from support_copilot.domain.imported import BulkResult, ImportedIssue, Refusal
    from support_copilot.interop.conversion import Converter
    from support_copilot.interop.mapping import Mapping
    from support_copilot.interop.reading import Row

BATCH = 100
_LOOKED_AT = 200
_SAY_EVERY_SECONDS = 5.0
_TRIES = 5

Accept = Callable[[Sequence["ImportedIssue"]], Awaitable["BulkResult"]]


def import_file(
    file: Path = typer.Argument(..., exists=True, dir_okay=False, help="The file to read."),
    maps: list[str] | None = typer.Option(
        None,
        "--map",
        metavar="FIELD=COLUMN",
        help="Read a field from a column; FIELD==VALUE sets it for every row. Repeatable.",
    ),
    mapping: Path | None = typer.Option(
        None, "--mapping", exists=True, dir_okay=False, help="A mapping file (TOML)."
    ),
    where: list[str] | None = typer.Option(
        None, "--where", metavar="COLUMN=VALUE", help="Only rows with this value. Repeatable."
    ),
    source: str | None = typer.Option(
        None, "--source", help="Put before every external id, to tell two desks apart."
    ),
    fmt: str | None = typer.Option(
        None, "--format", help="csv, jsonl, json or parquet; found out where not given."
    ),
    encoding: str = typer.Option("utf-8", "--encoding", help="Of CSV text."),
    limit: int | None = typer.Option(None, "--limit", min=1, help="Stop after so many rows."),
    batch: int = typer.Option(BATCH, "--batch", min=1, max=5000, help="Rows a transaction."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Check every row, store nothing."),
    report: Path | None = typer.Option(
        None, "--report", dir_okay=False, help="Write what was refused and why, as JSON lines."
    ),
) -> None:
    """Import issues from CSV, JSON lines, JSON or Parquet.

    Well-known column names are understood; --map, --where and --mapping say the rest. An import
    that was interrupted is resumed by repeating it: rows are known by their external id, and
    what is there already is skipped.

    Examples:
      support-copilot import tickets.csv
      support-copilot import tickets.csv --dry-run --report refused.jsonl
      support-copilot import export.jsonl --map title=betreff --map status==CLOSED
      support-copilot import tickets.parquet --mapping zendesk.toml --source zendesk
    """
    from support_copilot.interop.conversion import Converter
    from support_copilot.interop.mapping import Mapping
    from support_copilot.interop.reading import FORMATS, count_records, read_records

    if fmt is not None:
        pick(fmt, FORMATS, "format")
    settings = load_settings()
    rules = Mapping.build(
        maps or (),
        mapping.read_text("utf-8") if mapping else None,
        source=source,
        where=where or (),
    )
    rows = _checked(read_records(file, fmt, encoding), rules)
    total = count_records(file, fmt)
    total = limit if total is None or (limit and limit < total) else total

    async def work() -> _Tally:
        from support_copilot import bootstrap

        if dry_run:
            async with bootstrap.open_storage(settings) as storage:
                converter = Converter(rules, storage.clock)
                return await _run(rows, converter, _dry(storage), limit, batch, total, report)
        async with bootstrap.build(settings, load_index=False) as services:
            converter = Converter(rules, services.clock)
            accept = _patient(services.bulk.accept)
            return await _run(rows, converter, accept, limit, batch, total, report)

    try:
        tally = run_async(work)
    except KeyboardInterrupt:
        say("Interrupted. What is stored stays; repeat the command to go on.")
        raise typer.Exit(130) from None
    _show(tally, dry_run=dry_run)
    if not (tally.stored or tally.skipped or tally.left_out):
        say("Nothing could be imported.")
        raise typer.Exit(1)


@dataclass
class _Tally:
    read: int = 0
    stored: int = 0
    skipped: int = 0
    left_out: int = 0
    removed: int = 0
    seconds: float = 0.0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def refuse(self, refusal: Refusal) -> None:
        # Messages quote values; one of each field and kind stands for the rest.
        kind = refusal.field, _kind(refusal.message)
        self.refused[kind] += 1
        line = f"line {refusal.line}" if refusal.line else refusal.external_id or "?"
        self.examples.setdefault(kind, f"{line}: {refusal.message}")


def _kind(message: str) -> str:
    return " ".join(word for word in message.split() if not any(c in "'\"0123456789" for c in word))


def _checked(rows: Iterator[Row], rules: Mapping) -> Iterator[Row]:
    """Return the rows after a look at the columns of the first of them."""
    from support_copilot.interop.mapping import MappingError, flatten

    first = list(itertools.islice(rows, _LOOKED_AT))
    readable = [row.values for row in first if row.error is None]
    rules.check(readable)
    found = rules.found(readable)
    if readable and not found.keys() & {"title", "description", "messages"}:
        columns = ", ".join(sorted({name for values in readable for name in flatten(values)}))
        raise MappingError(
            "No column is known as title or description. Say which one it is with"
            f" --map description=COLUMN. There are: {columns}"
        )
    if found:
        say("Columns: " + ", ".join(f"{name} from {column}" for name, column in found.items()))
    return itertools.chain(first, rows)


async def _run(
    rows: Iterator[Row],
    converter: Converter,
    accept: Accept,
    limit: int | None,
    batch: int,
    total: int | None,
    report: Path | None,
) -> _Tally:
    tally, start = _Tally(), time.monotonic()
    with ExitStack() as stack:
        refusals = stack.enter_context(report.open("wb")) if report else None
        progress = stack.enter_context(_Progress(total))
        wanted = itertools.islice(rows, limit)
        while chunk := list(itertools.islice(wanted, batch)):
            await _take(chunk, converter, accept, tally, refusals)
            tally.left_out, tally.removed = converter.left_out, converter.removed
            tally.seconds = time.monotonic() - start
            progress.show(tally)
    return tally


async def _take(
    chunk: list[Row],
    converter: Converter,
    accept: Accept,
    tally: _Tally,
    refusals: BinaryIO | None,
) -> None:
    from support_copilot.domain.imported import ImportedIssue, Refusal

    records: list[ImportedIssue] = []
    lines: dict[str, int] = {}
    refused: list[Refusal] = []
    for row in chunk:
        match converter.convert(row):
            case Refusal() as refusal:
                refused.append(refusal)
            case ImportedIssue() as record:
                records.append(record)
                lines.setdefault(record.external_id, row.line)
    result = await accept(records)
    tally.read += len(chunk)
    tally.stored += len(result.stored)
    tally.skipped += result.skipped
    for refusal in (*refused, *(_with_line(one, lines) for one in result.refused)):
        tally.refuse(refusal)
        if refusals is not None:
            refusals.write(_line(refusal))


def _with_line(refusal: Refusal, lines: dict[str, int]) -> Refusal:
    from dataclasses import replace

    return replace(refusal, line=lines.get(refusal.external_id or ""))


def _line(refusal: Refusal) -> bytes:
    import orjson

    values = {
        "line": refusal.line,
        "external_id": refusal.external_id,
        "field": refusal.field,
        "message": refusal.message,
    }
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def _patient(accept: Accept) -> Accept:
    """Try a batch again while the database is busy: a batch is stored wholly or not at all."""
    from support_copilot.domain.errors import Unavailable

    async def retrying(records: Sequence[ImportedIssue]) -> BulkResult:
        for attempt in range(1, _TRIES):
            try:
                return await accept(records)
            except Unavailable as error:
                say(f"{error.detail} Trying again.")
                await asyncio.sleep(attempt)
        return await accept(records)

    return retrying


def _dry(storage: Any) -> Accept:
    """Check records as the real intake does, and store nothing."""
    from support_copilot.domain.imported import BulkResult, ImportedIssue, Refusal
    from support_copilot.issues.bulk_intake import check

    seen: set[str] = set()

    async def accept(records: Sequence[ImportedIssue]) -> BulkResult:
        checked = [check(record, storage.clock.now()) for record in records]
        good = [one.external_id for one in checked if isinstance(one, ImportedIssue)]
        async with storage.database.read() as uow:
            known = await uow.issues.known_external_ids(good)
        new = {name for name in good if name not in known | seen}
        seen.update(new)
        return BulkResult(
            stored=list(range(len(new))),
            skipped=len(good) - len(new),
            refused=[one for one in checked if isinstance(one, Refusal)],
        )

    return accept


class _Progress:
    """A bar with rate and remaining time on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._bar: Any = None
        self._task: Any = None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("Importing"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:.0f}/s"),
                TimeRemainingColumn(),
                console=console(stderr=True),
            )
            self._task = self._bar.add_task("", total=self._total, rate=0.0)
            self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, tally: _Tally) -> None:
        rate = tally.read / max(tally.seconds, 0.001)
        if self._bar is not None:
            self._bar.update(self._task, completed=tally.read, rate=rate)
        elif tally.seconds >= self._next_line:
            self._next_line = tally.seconds + _SAY_EVERY_SECONDS
            of = f" of {self._total}" if self._total else ""
            say(f"{tally.read}{of} rows, {rate:.0f}/s")


def _show(tally: _Tally, *, dry_run: bool) -> None:
    rate = tally.read / max(tally.seconds, 0.001)
    rows = [
        ("would be stored" if dry_run else "stored", f"{tally.stored}"),
        ("skipped, there already", f"{tally.skipped}"),
    ]
    if tally.left_out:
        rows.append(("not wanted by --where", f"{tally.left_out}"))
    rows.append(("refused", f"{tally.refused.total()}"))
    rows += [
        (f"  {kind[0]}", f"{count}, such as {tally.examples[kind]}")
        for kind, count in tally.refused.most_common(10)
    ]
    if tally.removed:
        rows.append(("control characters removed", f"{tally.removed}"))
    rows.append(("time", f"{tally.seconds:.1f} s, {rate:.0f} rows/s"))
    show_table(("rows", f"{tally.read}"), rows)
