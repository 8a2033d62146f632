"""API keys and users."""

from __future__ import annotations

import secrets
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from support_copilot.cli.common import load_settings, moment, pick, run_async, say, show_table
from support_copilot.domain.identity import Role

if TYPE_CHECKING:
    from support_copilot.domain.identity import ApiKey, User

#: A portal visitor signs nothing and holds no key.
_ROLES = tuple(role.value for role in Role if role is not Role.CUSTOMER)
_ROLE_HELP = f"One of {', '.join(_ROLES)}."
_DAYS_MAX = 36_500


def create_key(
    role: str = typer.Option(..., "--role", help=_ROLE_HELP),
    name: str = typer.Option(..., "--name", help="What the key is for."),
    expires_days: int | None = typer.Option(
        None, "--expires-days", min=1, max=_DAYS_MAX, help="Days until it ends; never otherwise."
    ),
) -> None:
    """Make an API key and print it, and nothing else, on standard output.

    It is sent as "Authorization: Bearer KEY" and cannot be read again. Works while the server
    runs, and before it ever ran.

    Examples:
      support-copilot api-keys create --role integration --name webshop
      KEY=$(support-copilot api-keys create --role lead --name reports --expires-days 30)
    """
    chosen = Role(pick(role, _ROLES, "role"))
    settings = load_settings()

    async def work() -> tuple[ApiKey, str]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            ends = expires_days and storage.clock.now() + timedelta(days=expires_days)
            return await storage.accounts.create_api_key(name, chosen, ends or None)

    key, secret = run_async(work)
    print(secret)
    ends = f"until {moment(key.expires_at)}" if key.expires_at else "until it is revoked"
    say(f"Key {key.id} ({key.name}, {key.role}) is valid {ends}. It is not shown again.")


def list_keys() -> None:
    """List the API keys, without their secrets.

    Examples:
      support-copilot api-keys list
    """
    settings = load_settings()

    async def work() -> list[ApiKey]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.accounts.api_keys()

    show_table(
        ("id", "prefix", "name", "role", "created", "ends", "revoked", "last used"),
        (
            (
                str(key.id),
                key.prefix,
                key.name,
                key.role.value,
                moment(key.created_at),
                moment(key.expires_at),
                moment(key.revoked_at),
                moment(key.last_used_at),
            )
            for key in run_async(work)
        ),
    )


def revoke_key(
    key: str = typer.Argument(..., help="The key's id or its prefix, as api-keys list shows it."),
) -> None:
    """Revoke an API key for good.

    Examples:
      support-copilot api-keys revoke 361236745190146049
    """
    settings = load_settings()

    async def work() -> int:
        from support_copilot import bootstrap
        from support_copilot.domain.errors import NotFound

        async with bootstrap.open_storage(settings) as storage:
            keys = await storage.accounts.api_keys()
            found = [one for one in keys if key in {str(one.id), one.prefix}]
            if len(found) != 1:
                raise NotFound(f"There is no API key {key}; see support-copilot api-keys list.")
            await storage.accounts.revoke_api_key(found[0].id)
            return found[0].id

    print(f"Key {run_async(work)} is revoked.")


def create_user(
    username: str = typer.Option(..., "--username", help="The name to sign in with."),
    role: str = typer.Option(..., "--role", help=_ROLE_HELP),
    name: str | None = typer.Option(
        None, "--name", help="The name shown; the user name otherwise."
    ),
    password_stdin: bool = typer.Option(
        False, "--password-stdin", help="Read the password from standard input."
    ),
) -> None:
    """Make a user; the password is generated and printed where none is given.

    Examples:
      support-copilot users create --username mira --role executive
      support-copilot users create --username helen --role lead --password-stdin < password.txt
    """
    chosen = Role(pick(role, _ROLES, "role"))
    if not 1 <= len(username.strip()) <= 100:
        raise typer.BadParameter("the user name must have 1 to 100 characters")
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = given if given is not None else secrets.token_urlsafe(15)
    settings = load_settings()

    async def work() -> User:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.accounts.create_user(
                username.strip(), name or username.strip(), chosen, password
            )

    user = run_async(work)
    if given is None:
        print(password)
    say(f"User {user.username} ({user.role}) can sign in now.")


def set_password(
    username: str = typer.Argument(..., help="The name to sign in with."),
    password_stdin: bool = typer.Option(
        False, "--password-stdin", help="Read the password from standard input."
    ),
) -> None:
    """Give a user another password; it is generated and printed where none is given.

    The user is signed out everywhere. For admin the file of the first password is removed.

    Examples:
      support-copilot users set-password admin
      support-copilot users set-password mira --password-stdin < password.txt
    """
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = given if given is not None else secrets.token_urlsafe(15)
    settings = load_settings()

    async def work() -> None:
        from support_copilot import bootstrap
        from support_copilot.accounts.service import FIRST_ADMIN, FIRST_PASSWORD_FILE

        async with bootstrap.open_storage(settings) as storage:
            await storage.accounts.set_password(username, password)
        if username == FIRST_ADMIN:
            (settings.data_dir / FIRST_PASSWORD_FILE).unlink(missing_ok=True)

    run_async(work)
    if given is None:
        print(password)
    say(f"The password of {username} is changed.")


def list_users() -> None:
    """List the users.

    Examples:
      support-copilot users list
    """
    settings = load_settings()

    async def work() -> list[User]:
        from support_copilot import bootstrap

        async with bootstrap.open_storage(settings) as storage:
            return await storage.accounts.users()

    show_table(
        ("user name", "name", "role", "created", "disabled"),
        (
            (
                user.username,
                user.name,
                user.role.value,
                moment(user.created_at),
                "yes" if user.disabled else "no",
            )
            for user in run_async(work)
        ),
    )
