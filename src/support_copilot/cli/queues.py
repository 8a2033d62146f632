"""The queues, seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from support_copilot.cli.common import load_settings, moment, pick, run_async, show_table
from support_copilot.queues import QUEUES

if TYPE_CHECKING:
    from support_copilot.ports import DeadLetter, QueueDepth

_QUEUE = typer.Argument(..., metavar="QUEUE", help=f"One of {', '.join(QUEUES)}.")


def ls(json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """List the queues: waiting, in hand, dead, and what is not yet published.

    Examples:
      support-copilot queues ls
      support-copilot queues ls --json
    """
    settings = load_settings()

    async def work() -> tuple[list[QueueDepth], int]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            async with storage.database.read() as uow:
                outbox = await uow.outbox.count()
            return await storage.queue.depth(), outbox

    depths, outbox = run_async(work)
    if json:
        import orjson

        print(orjson.dumps({"queues": depths, "outbox": outbox}).decode())
        return
    show_table(
        ("queue", "ready", "in hand", "dead", "oldest"),
        (
            (
                depth.queue,
                str(depth.ready),
                str(depth.in_flight),
                str(depth.dead),
                f"{depth.oldest_seconds:.0f} s",
            )
            for depth in depths
        ),
    )
    print(f"Not yet published: {outbox}")


def dead(
    queue: str = _QUEUE,
    limit: int = typer.Option(100, "--limit", min=1, help="At most so many."),
) -> None:
    """Show the messages of a queue that failed for good, and why.

    Examples:
      support-copilot queues dead notification
    """
    pick(queue, QUEUES, "queue")
    settings = load_settings()

    async def work() -> list[DeadLetter]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.queue.dead_letters(queue, limit)

    show_table(
        ("message", "died", "attempts", "body", "reason"),
        (
            (
                str(letter.message.id),
                moment(letter.died_at),
                str(letter.attempts),
                ", ".join(f"{name} {value}" for name, value in letter.message.body.items()),
                letter.reason,
            )
            for letter in run_async(work)
        ),
    )


def retry(
    queue: str = _QUEUE,
    message: int | None = typer.Option(None, "--message", help="Only this message; all otherwise."),
) -> None:
    """Deliver dead messages again.

    Examples:
      support-copilot queues retry notification
      support-copilot queues retry notification --message 361236745190146049
    """
    pick(queue, QUEUES, "queue")
    settings = load_settings()

    async def work() -> int:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.queue.retry_dead(queue, message)

    print(f"{run_async(work)} messages are delivered again.")


def purge(
    queue: str = _QUEUE,
    yes: bool = typer.Option(False, "--yes", help="Confirm that they are lost."),
) -> None:
    """Delete the dead messages of a queue.

    Examples:
      support-copilot queues purge notification --yes
    """
    pick(queue, QUEUES, "queue")
    if not yes:
        raise typer.BadParameter("the messages are lost for good; add --yes to confirm")
    settings = load_settings()

    async def work() -> int:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.queue.purge_dead(queue)

    print(f"{run_async(work)} messages were deleted.")
