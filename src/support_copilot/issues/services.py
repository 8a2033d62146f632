"""What the issue service's routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from support_copilot.issues.desk import Desk
from support_copilot.issues.intake import IntakeService
from support_copilot.ports import Analysis, Clock, Database, Ids, LiveStatus, Proposals


@dataclass(frozen=True, slots=True)
class IssueServices:
    """``company`` fills the placeholder of that name in proposed replies."""

    database: Database
    analysis: Analysis
    intake: IntakeService
    desk: Desk
    proposals: Proposals
    live_status: LiveStatus
    clock: Clock
    ids: Ids
    company: str
