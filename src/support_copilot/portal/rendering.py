"""Pages from templates; whatever is put into them is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from support_copilot import __version__
from support_copilot.domain.conversation import MESSAGE_MAX
from support_copilot.domain.customer import EMAIL_MAX, NAME_MAX
from support_copilot.domain.issue import DESCRIPTION_MAX, TITLE_MAX
from support_copilot.portal import wording


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("support_copilot.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": wording.moment,
        "ago": wording.ago,
        "duration": wording.duration,
        "percent": wording.percent,
        "snippet": wording.snippet,
        "verdict": wording.verdict,
    }
    environment.globals |= {
        "version": __version__,
        "statuses": wording.STATUS,
        "severities": wording.SEVERITY,
        "time_left": wording.time_left,
        "limits": {
            "message": MESSAGE_MAX,
            "description": DESCRIPTION_MAX,
            "title": TITLE_MAX,
            "name": NAME_MAX,
            "email": EMAIL_MAX,
        },
    }
    return environment


_ENVIRONMENT = _environment()


def render(template: str, **values: Any) -> str:
    """Return a page; ``user`` is the name of who is signed in, absent for nobody."""
    values = {"user": None, "now": datetime.now(UTC), **values}
    return _ENVIRONMENT.get_template(template).render(values)
