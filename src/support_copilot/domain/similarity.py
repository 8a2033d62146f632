"""Past issues beside a new one."""

from __future__ import annotations

from dataclasses import dataclass

from support_copilot.domain.issue import Status


@dataclass(frozen=True, slots=True)
class SimilarHit:
    """What the similarity engine returns: ``score`` is 0..1, ``matched_words`` as in the query."""

    issue_id: int
    score: float
    matched_words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarIssue:
    """A hit with what people want to see of it."""

    id: int
    number: int
    title: str
    score: float
    matched_words: tuple[str, ...]
    status: Status
    resolution: str | None


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the similarity index keeps of one issue, so that a restart need not read its text.

    ``vector`` holds the encoder's output as little-endian float16, empty without an encoder;
    ``terms`` holds the packed term counts; ``fingerprint`` names encoder and analyser, so that
    entries made by another version are recognised and made anew.
    """

    issue_id: int
    vector: bytes
    terms: bytes
    fingerprint: str
    sequence: int = 0
