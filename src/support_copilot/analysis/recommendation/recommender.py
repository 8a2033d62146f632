"""Proposes replies to an issue from templates and from replies that resolved similar issues."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import snowballstemmer

from support_copilot.analysis.recommendation.candidates import (
    Candidate,
    candidates,
    likeness,
    words_of,
)
from support_copilot.analysis.recommendation.confidence import (
    WITH_ENCODER,
    WITHOUT_ENCODER,
    ConfidenceModel,
    Evidence,
)
from support_copilot.analysis.recommendation.words import FUNCTION_WORDS
from support_copilot.domain.recommendation import Proposal, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support_copilot.domain.recommendation import PastReply, Template

#: Replies this alike, by encoder or by words, give the same advice.
_AGREE_COSINE, _AGREE_WORDS = 0.6, 0.35
_NEIGHBOURS = 5
#: Candidates given to the encoder at most, chosen by shared words and similarity before.
_MAX_ENCODED = 40
_STEMMER = snowballstemmer.stemmer("english")
_STEMMER_LOCK = threading.Lock()


class Recommender:
    """Ranks candidate replies; without an encoder by shared words alone."""

    def __init__(
        self,
        encode: Callable[[Sequence[str]], np.ndarray] | None = None,
        confidence: ConfidenceModel | None = None,
    ) -> None:
        self._encode = encode
        self._confidence = confidence or (WITH_ENCODER if encode else WITHOUT_ENCODER)

    @property
    def version(self) -> str:
        kind = "encoder" if self._encode else "words"
        return f"retrieval-1+{kind}+{self._confidence.version}"

    def propose(
        self,
        issue_text: str,
        *,
        templates: Sequence[Template],
        replies: Sequence[PastReply],
        limit: int = 3,
    ) -> list[Proposal]:
        """Return at most ``limit`` proposals worth showing, best first.

        An empty list says that there is no good proposal. ``replies`` are SUPPORT messages of
        resolved issues, oldest first within an issue, with ``similarity`` set.
        """
        proposals = [
            Proposal(
                template_text=candidate.text,
                confidence=round(self._confidence.confidence(evidence), 4),
                sources=_scored(candidate),
                model_version=self.version,
            )
            for candidate, evidence in self.ranked(issue_text, templates, replies)
            if self._confidence.accepts(evidence)
        ]
        # The team's own wording may beat a past reply of a little more relevance.
        return sorted(proposals, key=lambda one: -one.confidence)[:limit]

    def ranked(
        self, issue_text: str, templates: Sequence[Template], replies: Sequence[PastReply]
    ) -> list[tuple[Candidate, Evidence]]:
        """Return every candidate with what speaks for it, the most relevant first.

        The evidence is what ``ConfidenceModel.fit`` learns from.
        """
        found = candidates(templates, replies)
        query = _terms(issue_text)
        if not found or not query:
            return []
        shared = _shared_words(query, found)
        for candidate, words in zip(found, shared, strict=True):
            candidate.score = 0.75 * words + 0.25 * candidate.similarity
        found.sort(key=lambda one: -one.score)
        vectors = self._meaning(issue_text, found[:_MAX_ENCODED])
        if vectors is not None:
            del found[_MAX_ENCODED:]
            order = sorted(range(len(found)), key=lambda i: -found[i].score)
            found = [found[i] for i in order]
            vectors = vectors[order]
        return [
            (candidate, _evidence(place, found, vectors)) for place, candidate in enumerate(found)
        ]

    def _meaning(self, issue_text: str, found: list[Candidate]) -> np.ndarray | None:
        """Mix the encoder's cosines into the scores; return the vectors of the replies' texts."""
        if self._encode is None:
            return None
        count = len(found)
        about = [". ".join(dict.fromkeys(part for part in one.about if part)) for one in found]
        texts = [one.text for one in found]
        vectors = self._encode([issue_text, *about, *texts])
        to_about, to_text = np.split(np.clip(vectors[1:] @ vectors[0], 0.0, 1.0), [count])
        for candidate, title, text in zip(found, to_about.tolist(), to_text.tolist(), strict=True):
            meaning = max(0.5 * title + 0.5 * text, 0.9 * title, 0.9 * text)
            if candidate.similarity:
                meaning = max(meaning, 0.5 * meaning + 0.5 * candidate.similarity)
            candidate.score = 0.8 * meaning + 0.2 * candidate.score
        return vectors[1 + count :]


def _evidence(place: int, found: list[Candidate], vectors: np.ndarray | None) -> Evidence:
    candidate = found[place]

    def agrees(i: int) -> bool:
        if likeness(candidate, found[i]) >= _AGREE_WORDS:
            return True
        return vectors is not None and float(vectors[place] @ vectors[i]) >= _AGREE_COSINE

    others = [i for i in range(min(len(found), _NEIGHBOURS + 1)) if i != place][:_NEIGHBOURS]
    agree = [agrees(i) for i in others]
    # Another reply with the same advice is support, not competition.
    best_other = max(
        (found[i].score for i, same in zip(others, agree, strict=True) if not same), default=0.0
    )
    agreeing = sum(agree)
    # A reply that several issues were resolved with agrees with itself that often.
    agreeing += len(candidate.sources) - 1
    share = agreeing / (len(others) + len(candidate.sources) - 1 or 1)
    return Evidence(
        score=min(1.0, candidate.score),
        margin=max(-1.0, min(1.0, candidate.score - best_other)),
        agreement=share,
        curated=float(candidate.curated),
    )


def _scored(candidate: Candidate) -> tuple[Source, ...]:
    return tuple(
        source if source.score is not None else replace(source, score=round(candidate.score, 3))
        for source in candidate.sources
    )


def _shared_words(query: frozenset[str], found: list[Candidate]) -> list[float]:
    """Return for each candidate the share of the query's weight that it holds, 0..1.

    Words are weighted by rarity among the candidates; one that none of them holds counts as rare,
    so that gibberish scores low.
    """
    about = [_terms(" ".join(one.about)) for one in found]
    texts = [_template_terms(one.text) if one.curated else _terms(one.text) for one in found]
    seen = Counter(word for a, t in zip(about, texts, strict=True) for word in a | t)
    count = len(found)
    weight = {word: math.log(1 + (count + 1) / (seen[word] + 0.5)) for word in query}
    norm = math.sqrt(sum(value * value for value in weight.values()))
    scores = []
    for title, text in zip(about, texts, strict=True):
        held = sum((weight[w] ** 2) * (1.0 if w in title else 0.6) for w in query & (title | text))
        titled = sum(weight[w] for w in query & title) / (len(title) or 1)
        scores.append(min(1.0, 0.7 * math.sqrt(held) / norm + 0.3 * min(1.0, titled / 2)))
    return scores


def _terms(text: str) -> frozenset[str]:
    """Return the stems of the words that carry meaning."""
    return frozenset(map(_stem, words_of(text) - FUNCTION_WORDS))


# Of single words and of the team's own templates; nothing of a customer's sentence stays.
_template_terms = lru_cache(maxsize=1_024)(_terms)


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    with _STEMMER_LOCK:  # a stemmer keeps the word it is working on in itself
        stem: str = _STEMMER.stemWord(word)
    return stem
