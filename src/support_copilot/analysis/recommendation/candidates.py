"""Candidate replies: the team's templates, and past replies made into templates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support_copilot.analysis.recommendation.depersonalise import depersonalise
from support_copilot.analysis.summarization import cues
from support_copilot.analysis.summarization.sentences import sentences
from support_copilot.domain.issue import format_number
from support_copilot.domain.recommendation import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from support_copilot.domain.recommendation import PastReply, Template

#: A past reply must come up to this to count as one that helped (see ``substance``).
MIN_SUBSTANCE = 0.5
_SAME = 0.8
_WORD = re.compile(r"[^\W\d_]{2,}")
_SLOT = re.compile(r"\{[a-z._]+\}|\[[a-z -]+\]")
_ENDS = re.compile(
    r"(?i)\b(?:(?:closing|close|closed|mark(?:ing|ed)?) (?:this|the|your)? ?(?:issue|ticket|case|"
    r"as)|merged? (?:this|with)|duplicate of|received your (?:message|request|email|ticket)|"
    r"(?:will|shall) (?:get back|be in touch|look into|reply)|get back to you|looking into (?:it|"
    r"this)|glad (?:to hear|it)|happy to hear|schlie\u00dfen (?:das|dieses) ticket)"
)


@dataclass(slots=True)
class Candidate:
    """A reply that could be proposed; ``about`` are texts that tell which issues it answers."""

    text: str
    about: tuple[str, ...]
    curated: bool
    sources: list[Source]
    similarity: float = 0.0
    words: frozenset[str] = field(default_factory=frozenset)
    score: float = 0.0


def candidates(templates: Sequence[Template], replies: Sequence[PastReply]) -> list[Candidate]:
    """Return the candidates, the same reply once with all its sources, templates first."""
    found = [
        Candidate(
            text=template.text.strip(),
            about=(template.title, template.category),
            curated=True,
            sources=[Source(kind="template", id=str(template.id), title=template.title)],
        )
        for template in templates
        if template.text.strip()
    ]
    found += [_from_reply(reply, text) for reply, text in best_replies(replies)]
    distinct: list[Candidate] = []
    for candidate in found:
        candidate.words = words_of(candidate.text)
        same = next((one for one in distinct if _say_the_same(one, candidate)), None)
        if same is None:
            distinct.append(candidate)
        else:
            same.sources += candidate.sources
            same.about += candidate.about
            same.similarity = max(same.similarity, candidate.similarity)
    return distinct


def best_replies(replies: Iterable[PastReply]) -> list[tuple[PastReply, str]]:
    """Return for each issue the reply that most likely resolved it, with its template.

    Of an issue's replies, oldest first, the most substantial wins, a later one before an earlier
    one of equal substance. Issues that hold only courtesy or questions give none.
    """
    by_issue: dict[int, list[PastReply]] = {}
    for reply in replies:
        by_issue.setdefault(reply.issue_id, []).append(reply)
    chosen = []
    for of_issue in by_issue.values():
        ranked = sorted(
            ((substance(reply.text) + 0.1 * place / len(of_issue), place, reply)
             for place, reply in enumerate(of_issue, 1)),
            key=lambda entry: entry[:2],
            reverse=True,
        )  # fmt: skip
        for score, _, reply in ranked:
            if score < MIN_SUBSTANCE:
                break
            text = depersonalise(reply)
            if text:
                chosen.append((reply, text))
                break
    return chosen


def substance(text: str) -> float:
    """Return how much a reply does for the customer: 0 is courtesy, above 0.5 it helps.

    Instructions and things done count, questions to the customer and farewells count against it.
    """
    said = sentences(text)
    if not said:
        return 0.0
    words = sum(len(sentence.split()) for sentence in said)
    score = 0.5 * min(1.0, words / 25)
    score += 0.4 * any(cues.SETTLED.search(sentence) for sentence in said)
    score += 0.3 * any(
        cues.INSTRUCTION.search(sentence) and not cues.ASKS_FOR.search(sentence)
        for sentence in said
    )
    asking = sum(
        cues.is_question(sentence) or bool(cues.ASKS_FOR.search(sentence)) for sentence in said
    )
    score -= 0.5 * asking / len(said)
    return score - 0.5 * (bool(_ENDS.search(text)) and words < 30)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a template without placeholders and slots."""
    return frozenset(_WORD.findall(_SLOT.sub(" ", text).lower()))


def likeness(one: Candidate, other: Candidate) -> float:
    """Return the share of words two replies have in common (Jaccard), 0..1."""
    return len(one.words & other.words) / (len(one.words | other.words) or 1)


def _from_reply(reply: PastReply, text: str) -> Candidate:
    number = format_number(reply.issue_number)
    source = Source(
        kind="issue",
        id=str(reply.issue_id),
        title=reply.issue_title,
        number=number,
        message_id=str(reply.message_id),
        score=round(reply.similarity, 3),
    )
    return Candidate(
        text=text,
        about=(reply.issue_title,),
        curated=False,
        sources=[source],
        similarity=reply.similarity,
    )


def _say_the_same(one: Candidate, other: Candidate) -> bool:
    return one.text == other.text or (bool(one.words) and likeness(one, other) >= _SAME)
