"""Severity judged by rules and model together, with the reasons of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support_copilot.analysis.severity.features import features_of
from support_copilot.domain.issue import Severity
from support_copilot.domain.phrases import plain, words_of
from support_copilot.domain.severity import SeverityAssessment, SeverityReason
from support_copilot.domain.severity_rules import (
    Probabilities,
    SeverityRules,
    combine,
    rule_changes,
    rule_reasons,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from support_copilot.analysis.severity.classifier import SeverityClassifier

    Encode = Callable[[Sequence[str]], NDArray[np.float32]]

CHANGED_WORDS = 3
HARMS_NAMED = 3
# Above it, no three words change a judgement: it is not worth a second encoding to find out.
SURE = 0.85


class SeverityJudge:
    """Combines a table of rules with the classifier; the model never lowers a rule's floor.

    ``encode`` gives vectors of texts. With it, a judgement also tells whether the level would
    change without the words that weighed most, by judging the text without them: one encoding
    more. Without it that is only told of judgements made without a vector.
    """

    def __init__(
        self, rules: SeverityRules, classifier: SeverityClassifier, encode: Encode | None = None
    ) -> None:
        self._rules = rules
        self._classifier = classifier
        self._encode = encode
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
        text = f"{title}\n{description}".strip()
        scale = self._scale(vector)
        hits = self._rules.match(title, description, language)
        features = features_of(text)
        before = self._classifier.probabilities(features, vector)
        level, after = combine(hits, before, scale)
        likeliest = max(before, key=before.__getitem__)
        explained = self._classifier.explain(text, likeliest, features=features)
        words = tuple(word for word, _ in explained)
        model = SeverityReason(
            kind="model",
            text=f"The text alone reads as {_in_words(before)} ({self._classifier.version})",
            level=likeliest,
            words=words,
            weight=before[likeliest],
        )
        changes = rule_changes(hits, before, level, scale)
        if not changes and after[level] < SURE:
            without = words[:CHANGED_WORDS]
            changes = self._without(without, title, description, vector, language, level)
        return SeverityAssessment(
            level=level,
            confidence=after[level],
            reasons=(*rule_reasons(hits), model, *(changes or [self._steady(level)])),
            model_version=self.version,
            probabilities=after,
            degraded=vector is None,
        )

    def _scale(self, vector: NDArray[np.float32] | None) -> float:
        classifier = self._classifier
        return classifier.words_rule_scale if vector is None else classifier.rule_scale

    def _without(
        self,
        words: Sequence[str],
        title: str,
        description: str,
        vector: NDArray[np.float32] | None,
        language: str | None,
        level: Severity,
    ) -> list[SeverityReason]:
        if not words or (vector is not None and self._encode is None):
            return []
        left = _remove(words, title), _remove(words, description)
        text = "\n".join(left).strip()
        if vector is not None and self._encode is not None:
            vector = self._encode([text])[0]
        before = self._classifier.probabilities(text, vector)
        other, after = combine(self._rules.match(*left, language), before, self._scale(vector))
        if other == level:
            return []
        quoted = ", ".join(f"'{word}'" for word in words)
        return [
            SeverityReason(
                kind="change",
                text=f"Without {quoted} it would be {other}",
                level=other,
                words=tuple(words),
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
