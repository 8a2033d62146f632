"""The stored summary of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SummarySentence:
    """A sentence and the ids of the messages it rests on."""

    text: str
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """Problem, what was tried, outcome and open points, before it is stored."""

    problem: tuple[SummarySentence, ...]
    tried: tuple[SummarySentence, ...]
    outcome: tuple[SummarySentence, ...]
    open_points: tuple[SummarySentence, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A stored summary; ``message_count`` is how many messages it covers."""

    id: int
    issue_id: int
    content: ConversationSummary
    message_count: int
    created_at: datetime
