"""Alembic's entry: runs on the connection that storage.migrate hands over."""

from __future__ import annotations

from alembic import context

from support_copilot.storage.tables import metadata


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise SystemExit("Run migrations with: support-copilot db upgrade")
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


run()
