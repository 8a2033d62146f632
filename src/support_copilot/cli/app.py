"""The command ``support-copilot``. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer

from support_copilot import __version__
from support_copilot.cli import (
    accounts,
    database,
    doctor,
    exporting,
    importing,
    queues,
    rules,
    serving,
    triage,
)
from support_copilot.cli.common import Group


def _app(help_text: str) -> typer.Typer:
    # Plain help starts twice as fast as formatted help, and reads the same in every terminal.
    return typer.Typer(
        cls=Group,
        help=_help(help_text),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _add(group: typer.Typer, name: str, function: Callable[..., None]) -> None:
    group.command(name, help=_help(function.__doc__ or ""))(function)


def _help(text: str) -> str:
    # The mark keeps the lines of the examples as they are.
    return inspect.cleandoc(text).replace("\nExamples:\n", "\n\b\nExamples:\n")


app = _app(
    """Support Copilot: a self-hosted AI copilot and issue desk for support teams.

    Examples:
      support-copilot run
      support-copilot triage "I was charged twice"
      support-copilot import tickets.csv
      support-copilot doctor

    Settings come from the environment (SUPPORT_COPILOT_…) and from the file .env.
    """
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"support-copilot {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


_add(app, "run", serving.run)
_add(app, "serve", serving.serve)
_add(app, "worker", serving.worker)
_add(app, "triage", triage.triage)
_add(app, "import", importing.import_file)
_add(app, "export", exporting.export_file)
_add(app, "doctor", doctor.doctor)

db = _app("Look after the database's schema.")
_add(db, "upgrade", database.upgrade)
_add(db, "status", database.status)
app.add_typer(db, name="db")

api_keys = _app("Make and revoke the API keys of integrations.")
_add(api_keys, "create", accounts.create_key)
_add(api_keys, "list", accounts.list_keys)
_add(api_keys, "revoke", accounts.revoke_key)
app.add_typer(api_keys, name="api-keys")

users = _app("Make the users who sign in.")
_add(users, "create", accounts.create_user)
_add(users, "set-password", accounts.set_password)
_add(users, "list", accounts.list_users)
app.add_typer(users, name="users")

rule_commands = _app("Check the table of severity rules.")
_add(rule_commands, "check", rules.check)
app.add_typer(rule_commands, name="rules")

queue_commands = _app("Look into the queues and settle what failed.")
_add(queue_commands, "ls", queues.ls)
_add(queue_commands, "dead", queues.dead)
_add(queue_commands, "retry", queues.retry)
_add(queue_commands, "purge", queues.purge)
app.add_typer(queue_commands, name="queues")
