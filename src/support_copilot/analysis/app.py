"""The AI analysis service."""

from __future__ import annotations

from fastapi import FastAPI

from support_copilot import __version__
from support_copilot.analysis.routes import analysis_routes
from support_copilot.ports import Analysis, Database
from support_copilot.web.app_factory import create_app


def create_analysis_app(analysis: Analysis, database: Database, identity_secret: bytes) -> FastAPI:
    app = create_app("Analysis", __version__, identity_secret)
    app.include_router(analysis_routes(analysis, database))
    return app
