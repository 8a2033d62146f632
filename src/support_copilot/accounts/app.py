"""The account service as an ASGI application."""

from typing import TYPE_CHECKING

from support_copilot.accounts.routes import router
from support_copilot.web.app_factory import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from support_copilot.accounts.service import AccountService


def create_accounts_app(
    accounts: "AccountService", *, version: str, identity_secret: bytes
) -> "FastAPI":
    """Return the application of ``/v1/auth`` and ``/v1/api-keys``."""
    app = create_app("Accounts", version, identity_secret)
    app.state.accounts = accounts
    app.include_router(router)
    return app
