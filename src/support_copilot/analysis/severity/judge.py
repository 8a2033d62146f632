"""Severity judged by rules and model together, with the reasons of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from support_copilot.domain.issue import Severity
from support_copilot.domain.phrases import plain, words_of
from support_copilot.domain.severity import SeverityAssessment, SeverityReason
from support_copilot.domain.severity_rules import (
    Probabilities,
    RuleHit,
    SeverityRules,
    combine,
    rule_changes,
    rule_reasons,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from support_copilot.analysis.severity.classifier import SeverityClassifier, Words

CHANGED_WORDS = 3
HARMS_NAMED = 3


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The words that speak most for ``level``, and what is read of the issue without them."""

    level: Severity
    words: tuple[str, ...]
    left: Words
    hits: Sequence[RuleHit]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of an issue say, before its vector is known.

    ``left_out`` is for the level that the words alone make likeliest.
    """

    title: str
    description: str
    language: str | None
    words: Words
    hits: Sequence[RuleHit]
    left_out: LeftOut


class SeverityJudge:
    """Combines a table of rules with the classifier; the model never lowers a rule's floor."""

    def __init__(self, rules: SeverityRules, classifier: SeverityClassifier) -> None:
        self._rules = rules
        self._classifier = classifier
        self.version = f"rules-{rules.version}+{classifier.version}"

    def judge(
        self,
        title: str,
        description: str,
        vector: NDArray[np.float32] | None = None,
        language: str | None = None,
    ) -> SeverityAssessment:
        """Judge an issue; ``vector`` is the encoder's of title, line feed and description.

        Without it the words alone are judged, and ``degraded`` is true.
        """
        return self.weigh(self.read(title, description, language), vector)

    def read(self, title: str, description: str, language: str | None = None) -> Reading:
        """Do what needs no vector, which is most; ``weigh`` does the rest."""
        words = self._classifier.read(f"{title}\n{description}".strip())
        alone = self._classifier.probabilities(words)
        likeliest = max(alone, key=alone.__getitem__)
        return Reading(
            title,
            description,
            language,
            words,
            self._rules.match(title, description, language),
            self._leave_out(title, description, language, words, likeliest),
        )

    def weigh(self, reading: Reading, vector: NDArray[np.float32] | None) -> SeverityAssessment:
        scale = self._scale(vector)
        before = self._classifier.probabilities(reading.words, vector)
        level, after = combine(reading.hits, before, scale)
        likeliest = max(before, key=before.__getitem__)
        left_out = reading.left_out
        if left_out.level is not likeliest:
            left_out = self._leave_out(
                reading.title, reading.description, reading.language, reading.words, likeliest
            )
        model = SeverityReason(
            kind="model",
            text=f"The text alone reads as {_in_words(before)} ({self._classifier.version})",
            level=likeliest,
            words=left_out.words,
            weight=before[likeliest],
        )
        changes = (
            rule_changes(reading.hits, before, level, scale)
            or self._without(left_out, vector, level)
            or [self._steady(level)]
        )
        return SeverityAssessment(
            level=level,
            confidence=after[level],
            reasons=(*rule_reasons(reading.hits), model, *changes),
            model_version=self.version,
            probabilities=after,
            degraded=vector is None,
        )

    def _leave_out(
        self, title: str, description: str, language: str | None, read: Words, level: Severity
    ) -> LeftOut:
        words = tuple(word for word, _ in self._classifier.explain(read, level))
        left = _remove(words[:CHANGED_WORDS], title), _remove(words[:CHANGED_WORDS], description)
        return LeftOut(
            level,
            words,
            self._classifier.read("\n".join(left).strip()),
            self._rules.match(*left, language),
        )

    def _scale(self, vector: NDArray[np.float32] | None) -> float:
        classifier = self._classifier
        return classifier.words_rule_scale if vector is None else classifier.rule_scale

    def _without(
        self, left_out: LeftOut, vector: NDArray[np.float32] | None, level: Severity
    ) -> list[SeverityReason]:
        """Judge the other words beside the same vector: a second encoding would cost too much."""
        words = left_out.words[:CHANGED_WORDS]
        if not words:
            return []
        before = self._classifier.probabilities(left_out.left, vector)
        other, after = combine(left_out.hits, before, self._scale(vector))
        if other == level:
            return []
        quoted = ", ".join(f"'{word}'" for word in words)
        return [
            SeverityReason(
                kind="change",
                text=f"Without {quoted} its words would make it {other}",
                level=other,
                words=words,
                weight=after[other],
            )
        ]

    def _steady(self, level: Severity) -> SeverityReason:
        """Tell of a judgement that no single rule or few words decide what else would change it."""
        if level is Severity.HIGH:
            text = (
                "No single rule and no few words decide it: only another account of the harm would"
            )
            return SeverityReason(kind="change", text=text)
        named = [rule.description for rule in self._rules.floors(Severity.HIGH)][:HARMS_NAMED]
        harms = "; ".join(named)
        return SeverityReason(
            kind="change",
            text=f"A named harm would raise it to HIGH, such as: {harms}",
            level=Severity.HIGH,
        )


def _remove(words: Sequence[str], text: str) -> str:
    unwanted = {plain(word) for word in words}
    kept = []
    end = 0
    for word in words_of(text):
        if word.plain in unwanted:
            kept.append(text[end : word.start])
            end = word.end
    return "".join([*kept, text[end:]])


def _in_words(probabilities: Probabilities) -> str:
    ordered = sorted(probabilities.items(), key=lambda item: -item[1])
    return ", ".join(f"{level} {probability:.0%}" for level, probability in ordered)
