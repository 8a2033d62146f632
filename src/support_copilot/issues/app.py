"""The issue management service."""

from __future__ import annotations

from fastapi import FastAPI

from support_copilot import __version__
from support_copilot.issues.routes.conversation import conversation_routes
from support_copilot.issues.routes.customer import customer_routes
from support_copilot.issues.routes.events import event_routes
from support_copilot.issues.routes.issue import issue_routes
from support_copilot.issues.routes.recommendation import recommendation_routes, template_routes
from support_copilot.issues.services import IssueServices
from support_copilot.web.app_factory import create_app


def create_issues_app(services: IssueServices, identity_secret: bytes) -> FastAPI:
    app = create_app("Issues", __version__, identity_secret)
    for routes in (
        issue_routes,
        conversation_routes,
        recommendation_routes,
        template_routes,
        customer_routes,
        event_routes,
    ):
        app.include_router(routes(services))
    return app
