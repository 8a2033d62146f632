"""The database's schema."""

from __future__ import annotations

import typer

from support_copilot.cli.common import load_settings, run_async


def upgrade() -> None:
    """Bring the schema up to date; every start does it too.

    Examples:
      support-copilot db upgrade
    """
    before, _ = _versions()
    settings = load_settings()

    async def work() -> str | None:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return (await storage.database.schema_version())[0]

    after = run_async(work)
    if before == after:
        print(f"The schema is up to date ({after}).")
    else:
        print(f"The schema was upgraded from {before or 'nothing'} to {after}.")


def status() -> None:
    """Tell whether the schema is up to date; exit status 1 where it is not.

    Examples:
      support-copilot db status
    """
    have, need = _versions()
    if have == need:
        print(f"The schema is up to date ({have}).")
        return
    print(f"The schema is at {have or 'nothing'}, {need} is needed: run support-copilot db upgrade")
    raise typer.Exit(1)


def _versions() -> tuple[str | None, str]:
    settings = load_settings()

    async def work() -> tuple[str | None, str]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings, migrate=False) as storage:
            return await storage.database.schema_version()

    return run_async(work)
