"""Judges text without storing it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from support_copilot.cli.common import console, load_settings, run_async

if TYPE_CHECKING:
    from support_copilot.bootstrap import Services

_SHOWN = 200


def triage(
    text: str | None = typer.Argument(None, help="The text; - or nothing reads standard input."),
    file: Path | None = typer.Option(
        None, "--file", "-f", exists=True, dir_okay=False, help="Read texts from a file."
    ),
    limit: int = typer.Option(5, "--limit", min=0, max=50, help="Similar issues shown."),
    pretty: bool = typer.Option(False, "--pretty", help="For people in place of JSON lines."),
) -> None:
    """Rate text for severity and find similar issues of the data directory; stores nothing.

    Prints one JSON line a text. In files and on standard input each line is a text, or a JSON
    object with "text", or with "title" and "description".

    Examples:
      support-copilot triage "I was charged twice and nobody answers"
      support-copilot triage --file messages.txt
      tail -n 20 chat.jsonl | support-copilot triage
      support-copilot triage --pretty "The app does not start"
    """
    if text is not None and file is not None:
        raise typer.BadParameter("give a text or --file, not both")
    if text in {None, "-"} and file is None and sys.stdin.isatty():
        raise typer.BadParameter('give a text: support-copilot triage "I was charged twice"')
    settings = load_settings()

    async def work() -> None:
        from support_copilot import bootstrap

        async with bootstrap.build(settings) as services:
            for title, description in _texts(text, file):
                answer = await _judge(services, title, description, limit)
                _show(answer, pretty=pretty)

    run_async(work)


def _texts(text: str | None, file: Path | None) -> Iterator[tuple[str, str]]:
    if file is None and text not in {None, "-"}:
        yield "", text or ""
        return
    with ExitStack() as stack:
        lines = stack.enter_context(file.open("rb")) if file else sys.stdin.buffer
        for line in lines:
            if found := _text(line.decode("utf-8", "replace").strip()):
                yield found


def _text(line: str) -> tuple[str, str] | None:
    import orjson

    if not line:
        return None
    if line.startswith("{"):
        try:
            values = orjson.loads(line)
        except orjson.JSONDecodeError:
            return "", line
        description = values.get("text") or values.get("description") or ""
        return str(values.get("title") or ""), str(description)
    return "", line


async def _judge(services: Services, title: str, description: str, limit: int) -> dict[str, Any]:
    from support_copilot.web.judgements import severity_json, similar_json

    judgement = await services.analysis.judge(title, description, limit=limit, seconds=60)
    async with services.database.read() as uow:
        similar = await uow.issues.similar(judgement.similar)
    return {
        "text": f"{title}\n{description}".strip()[:_SHOWN],
        "severity": severity_json(judgement.severity),
        "similar": [similar_json(one) for one in similar],
        "degraded": judgement.degraded,
    }


def _show(answer: dict[str, Any], *, pretty: bool) -> None:
    import orjson

    if not pretty:
        print(orjson.dumps(answer).decode(), flush=True)
        return
    out = console()
    severity = answer["severity"]
    out.print(answer["text"], style="bold", markup=False)
    out.print(
        f"  {severity['level']} ({severity['confidence']:.0%} sure, {severity['model_version']})"
    )
    for reason in severity["reasons"]:
        out.print(f"  - {reason['text']}", markup=False)
    for one in answer["similar"]:
        words = ", ".join(one["matched_words"])
        out.print(
            f"  {one['score']:.2f} {one['number']} {one['title']} [{one['status']}] {words}",
            markup=False,
        )
    if answer["degraded"]:
        out.print(f"  answered by a fallback: {', '.join(answer['degraded'])}")
    out.print()
