"""Extractive summaries of a conversation that know who speaks."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from support_copilot.analysis.summarization import cues
from support_copilot.analysis.summarization.sentences import MAX_CHARS, sentences
from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.summary import ConversationSummary, SummarySentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from support_copilot.domain.issue import Status

MAX_SENTENCES = 3
#: Sentences given to the encoder at most: what bounds the time of a long conversation.
MAX_ENCODED = 48
_DIFFERENT = 0.6
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@dataclass(slots=True, eq=False)
class _Sentence:
    """A sentence in its place; ``weight`` is its centrality in the conversation, 0..1."""

    text: str
    message: int
    message_id: int
    by_customer: bool
    position: int
    words: frozenset[str]
    question: bool
    weight: float = 0.0


class Summarizer:
    """Quotes the sentences that tell problem, attempts, outcome and open points.

    Sentences are ranked by cue words, place and centrality: cosine to the centroid of the
    candidates, by the encoder where there is one, by TF-IDF otherwise. Nothing is worded anew.
    """

    def __init__(self, encode: Callable[[Sequence[str]], np.ndarray] | None = None) -> None:
        self._encode = encode

    @property
    def version(self) -> str:
        return "extractive-1" + ("+encoder" if self._encode else "")

    def summarise(
        self, messages: Sequence[Message], status: Status | None = None
    ) -> ConversationSummary:
        """Return at most three quoted sentences for each part, each with its message ids.

        ``messages`` are oldest first. A part about which the messages say nothing is empty.
        """
        found = _sentences_of(messages)
        self._weigh(found)
        problem = _problem(found)
        outcome = _outcome(found, problem, closed=status is not None and not status.is_open)
        open_points = _open_points(found, problem, outcome, messages)
        tried = _tried(found, [*problem, *outcome, *open_points])
        return ConversationSummary(
            problem=_quote(problem),
            tried=_quote(tried),
            outcome=_quote(outcome),
            open_points=_quote(open_points),
            model_version=self.version,
        )

    def _weigh(self, found: list[_Sentence]) -> None:
        """Set each sentence's centrality among what its side said."""
        for by_customer in (True, False):
            side = [one for one in found if one.by_customer is by_customer]
            for sentence, weight in zip(side, _tf_idf_centrality(side), strict=True):
                sentence.weight = weight
        if self._encode is None or not found:
            return
        chosen = _worth_encoding(found)
        vectors = self._encode([sentence.text for sentence in chosen])
        # What the customer wrote says what the conversation is about, also to support's side.
        customer = [row for row, one in enumerate(chosen) if one.by_customer]
        centroid = vectors[customer or slice(None)].mean(axis=0)
        similar = _spread((vectors @ centroid).tolist())
        for sentence, value in zip(chosen, similar, strict=True):
            sentence.weight = 0.4 * sentence.weight + 0.6 * value


def _spread(values: list[float]) -> list[float]:
    """Stretch values to 0..1."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _sentences_of(messages: Sequence[Message]) -> list[_Sentence]:
    found: list[_Sentence] = []
    for index, message in enumerate(messages):
        for position, text in enumerate(sentences(message.message)):
            found.append(
                _Sentence(
                    text=text,
                    message=index,
                    message_id=message.id,
                    by_customer=message.sender_type is Sender.CUSTOMER,
                    position=position,
                    words=frozenset(_WORD.findall(text.lower())),
                    question=cues.is_question(text),
                )
            )
    return found


def _tf_idf_centrality(side: Sequence[_Sentence]) -> list[float]:
    frequency = Counter(word for sentence in side for word in sentence.words)
    count = len(side)
    idf = {word: math.log(1 + count / seen) for word, seen in frequency.items()}
    centroid = {word: seen * idf[word] for word, seen in frequency.items()}
    length = math.sqrt(sum(value * value for value in centroid.values())) or 1.0
    weights = []
    for sentence in side:
        norm = math.sqrt(sum(idf[word] ** 2 for word in sentence.words)) or 1.0
        dot = sum(idf[word] * centroid[word] for word in sentence.words)
        weights.append(dot / norm / length)
    return _spread(weights)


def _worth_encoding(found: list[_Sentence]) -> list[_Sentence]:
    """Return the beginning, the end and the most central of the rest."""
    third = MAX_ENCODED // 3
    if len(found) <= MAX_ENCODED:
        return found
    middle = sorted(found[third:-third], key=lambda one: -one.weight)[:third]
    return [*found[:third], *middle, *found[-third:]]


def _fullness(sentence: _Sentence) -> float:
    """Return 0..1: very short sentences say little by themselves."""
    characters = len(sentence.text) if not sentence.text.isascii() else 0
    return min(1.0, max(len(sentence.words) / 8, characters / 30))


def _pick(
    scored: Iterable[tuple[float, _Sentence]], limit: int, floor: float = 0.0
) -> list[_Sentence]:
    """Return the best sentences above ``floor`` that differ from each other, in order."""
    chosen: list[_Sentence] = []
    for score, sentence in sorted(scored, key=lambda pair: -pair[0]):
        if score <= floor or len(chosen) == limit:
            break
        if all(_overlap(sentence, other) < _DIFFERENT for other in chosen):
            chosen.append(sentence)
    return sorted(chosen, key=lambda one: (one.message, one.position))


def _overlap(one: _Sentence, other: _Sentence) -> float:
    shared = len(one.words & other.words)
    return shared / (min(len(one.words), len(other.words)) or 1)


def _problem(found: list[_Sentence]) -> list[_Sentence]:
    customer = [one for one in found if one.by_customer]
    if not customer:
        return []
    first_answer = next(
        (one.message for one in found if not one.by_customer and one.message > customer[0].message),
        math.inf,
    )
    opening = [one for one in customer if one.message < first_answer]
    scored = [
        (
            0.6 / (1 + rank)
            + 0.5 * _fullness(one)
            + 0.5 * one.weight
            + 0.4 * bool(cues.PROBLEM.search(one.text))
            + 0.1 * one.question
            - 0.3 * bool(cues.THANKS.search(one.text)),
            one,
        )
        for rank, one in enumerate(opening)
    ]
    if len(opening) == 1 and _fullness(opening[0]) < 0.5:
        # "Help!" says nothing; the customer's answer to the first question does.
        later = [one for one in customer if one.message > first_answer][:2]
        scored += [(0.3 + 0.5 * _fullness(one), one) for one in later if not _confirms(one)]
    return _pick(scored, 2 if len(opening) < 8 else MAX_SENTENCES)


def _confirms(sentence: _Sentence) -> bool:
    return (
        sentence.by_customer
        and not sentence.question
        and bool(cues.CONFIRMED.search(sentence.text))
        and not cues.NOT_NOW.search(sentence.text)
        and not _fails(sentence)
    )


def _fails(sentence: _Sentence) -> bool:
    return sentence.by_customer and (
        bool(cues.NOT_WORKING.search(sentence.text)) or bool(cues.NOT_DONE.search(sentence.text))
    )


def _promises(sentence: _Sentence) -> bool:
    return bool(cues.PROMISE.search(sentence.text))


def _outcome(found: list[_Sentence], problem: list[_Sentence], *, closed: bool) -> list[_Sentence]:
    """Return the last word on the problem: what settled it and whether the customer agrees.

    Only a closed issue takes support's last statement for the outcome without such a wording.
    """
    first_answer = next((one.message for one in found if not one.by_customer), None)
    if first_answer is None:
        return []
    after = [one for one in found if one.message >= first_answer and one not in problem]
    last_failure = max((one.message for one in after if _fails(one)), default=-1)
    last_confirmed = max((one.message for one in after if _confirms(one)), default=-1)
    settled = [
        one
        for one in after
        if not one.by_customer
        and not one.question
        and cues.SETTLED.search(one.text)
        and one.message > last_failure
    ]
    chosen: list[_Sentence] = []
    if settled:
        chosen += _pick([(one.message + 0.5 * _fullness(one), one) for one in settled], 2, -1.0)
    if last_failure > last_confirmed:
        failures = [one for one in after if one.message == last_failure and _fails(one)]
        chosen.append(max(failures, key=_fullness))
    elif last_confirmed >= 0:
        chosen += [one for one in after if one.message == last_confirmed and _confirms(one)][:1]
    if not chosen and closed:
        said = [one for one in after if not one.by_customer and not one.question]
        chosen = said[-1:]
    return sorted(chosen, key=lambda one: (one.message, one.position))[:MAX_SENTENCES]


def _open_points(
    found: list[_Sentence],
    problem: list[_Sentence],
    outcome: list[_Sentence],
    messages: Sequence[Message],
) -> list[_Sentence]:
    """Return what waits for somebody: unanswered questions, promises, requests for information."""
    since = outcome[-1].message if outcome and _confirms(outcome[-1]) else -1
    last_support = max((one.message for one in found if not one.by_customer), default=-1)
    last_customer = max(
        (i for i, one in enumerate(messages) if one.sender_type is Sender.CUSTOMER), default=-1
    )
    waiting: list[tuple[float, _Sentence]] = []
    for one in found:
        if one.message <= since or one in outcome:
            continue
        order = one.message / (len(messages) or 1)
        if one.by_customer:
            if one.question and one.message > last_support and one not in problem:
                waiting.append((2 + order, one))
            continue
        promised = one.message == last_support and not one.question and _promises(one)
        asked = one.message > last_customer and (one.question or cues.ASKS_FOR.search(one.text))
        if promised or asked:
            waiting.append((1 + order, one))
    return _pick(waiting, MAX_SENTENCES)


def _tried(found: list[_Sentence], taken: list[_Sentence]) -> list[_Sentence]:
    scored = []
    first_answer = next((one.message for one in found if not one.by_customer), math.inf)
    for one in found:
        if one in taken or any(_overlap(one, other) >= _DIFFERENT for other in taken):
            continue
        cue = 0.0
        if one.by_customer:
            if cues.REPORT.search(one.text) and _fullness(one) >= 0.4:
                cue = 0.8
            elif one.message > first_answer and _fails(one):
                cue = 0.6
        elif cues.SETTLED.search(one.text):
            cue = 0.8
        elif cues.INSTRUCTION.search(one.text):
            # A question for details is no attempt; "does restarting help?" is one.
            cue = 0.0 if cues.ASKS_FOR.search(one.text) else 0.7 - 0.2 * one.question
        if cue:
            scored.append((cue + 0.4 * one.weight + 0.4 * _fullness(one), one))
    return _pick(scored, MAX_SENTENCES, floor=0.5)


def _quote(chosen: list[_Sentence]) -> tuple[SummarySentence, ...]:
    return tuple(
        SummarySentence(_trim(one.text), (one.message_id,)) for one in chosen[:MAX_SENTENCES]
    )


def _trim(text: str) -> str:
    """Cut at a word so that the ellipsis still fits."""
    if len(text) <= MAX_CHARS:
        return text
    return text[: MAX_CHARS - 1].rsplit(" ", 1)[0] + "\u2026"
