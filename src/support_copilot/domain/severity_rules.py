"""The rules of severity: a table that a lead reads and edits, and what it says of a text.

A rule with effect ``floor`` sets the least level a matching issue can have, whatever a model
says. A rule with effect ``weight`` adds log-odds towards its level.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from support_copilot.domain.errors import InvalidInput
from support_copilot.domain.issue import Severity
from support_copilot.domain.phrases import Phrase, PhraseBook, Word, negated, words_of
from support_copilot.domain.severity import SeverityAssessment, SeverityReason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Effect = Literal["floor", "weight"]
Probabilities = dict[Severity, float]

WEIGHT_MAX = 5.0
FLOOR_WEIGHT = 2.5
QUOTES = 3
# What a desk sees before it has read a word: most issues need somebody to act.
PRIOR: Probabilities = {Severity.LOW: 0.35, Severity.NORMAL: 0.45, Severity.HIGH: 0.20}

_LISTS = ("phrases", "all", "any", "unless", "languages")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    It fires where one of ``phrases`` stands in the text, not denied (``no data was lost``), with
    every one of ``all`` and at least one of ``any`` somewhere in the text, and none of ``unless``
    in the phrase's own sentence. ``languages`` limits it to texts known to be in one of them.
    """

    id: str
    description: str
    level: Severity
    effect: Effect
    phrases: tuple[str, ...]
    weight: float = FLOOR_WEIGHT
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that fired, with the words as the customer wrote them."""

    rule: Rule
    words: tuple[str, ...]


class RuleError(InvalidInput):
    """Every mistake of a rule file: ``errors`` holds ``{"field", "message"}`` for each."""

    code = "invalid-rules"

    def __init__(self, mistakes: Sequence[tuple[str, str]]) -> None:
        super().__init__(*mistakes[0])
        self.errors = [{"field": where, "message": message} for where, message in mistakes]
        self.detail = "; ".join(f"{where}: {message}" for where, message in mistakes)
        self.args = (self.detail,)


class SeverityRules:
    """A checked table of rules; ``version`` changes with what the table says."""

    def __init__(self, rules: Iterable[Rule], unless: Sequence[str] = ()) -> None:
        """``unless`` holds for every rule. Raises ValueError for a phrase that cannot be read."""
        self.rules = tuple(rules)
        content = json.dumps([[_as_data(rule) for rule in self.rules], list(unless)])
        self.version = hashlib.sha256(content.encode()).hexdigest()[:8]
        self._book = PhraseBook(
            ((number, part), Phrase.parse(phrase))
            for number, rule in enumerate(self.rules)
            for part, phrase in _parts(rule, unless)
        )

    @classmethod
    def parse(cls, text: str) -> SeverityRules:
        """Read a table written in TOML. Raises RuleError with every mistake in it."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RuleError([("file", f"is not valid TOML: {error}")]) from error
        reader = _Reader(document)
        if reader.mistakes:
            raise RuleError(reader.mistakes)
        return cls(reader.rules, reader.unless)

    def floors(self, level: Severity) -> list[Rule]:
        """Return the rules that an issue which matches is never rated below ``level`` for."""
        return [rule for rule in self.rules if rule.effect == "floor" and rule.level is level]

    def match(self, title: str, description: str, language: str | None = None) -> list[RuleHit]:
        """Return the rules that fire, in the table's order."""
        text = f"{title}\n\n{description}"
        words = words_of(text)
        spans: dict[int, list[tuple[int, int]]] = {}
        sentences: dict[int, set[int]] = {}
        conditions: dict[int, set[str]] = {}
        for found, phrase in self._book.find(words):
            number, part = found.key
            if part == "unless":
                sentences.setdefault(number, set()).add(words[found.first].sentence)
            elif part != "phrases":
                conditions.setdefault(number, set()).add(part)
            elif phrase.denies or not negated(words, found.first, found.last):
                spans.setdefault(number, []).append((found.first, found.last))
        hits = []
        for number in sorted(spans):
            rule = self.rules[number]
            if language and rule.languages and language not in rule.languages:
                continue
            needed = {f"all.{index}" for index in range(len(rule.all))} | (
                {"any"} if rule.any else set()
            )
            if not needed <= conditions.get(number, set()):
                continue
            excluded = sentences.get(number, set())
            quotes = _quotes(
                text,
                words,
                [span for span in spans[number] if words[span[0]].sentence not in excluded],
            )
            if quotes:
                hits.append(RuleHit(rule, quotes))
        return hits


def combine(
    hits: Sequence[RuleHit], before: Mapping[Severity, float], scale: float = 1.0
) -> tuple[Severity, Probabilities]:
    """Return the level and the probabilities after the rules have spoken.

    ``before`` are the probabilities without them. The level is the likeliest one, but never below
    a floor; where a floor decides, its probability may be small, and says so. ``scale`` lessens
    the rules' weights where a model that has read the same words speaks first.
    """
    logits = {level: math.log(max(before[level], 1e-9)) for level in Severity}
    floor = Severity.LOW
    for hit in hits:
        logits[hit.rule.level] += scale * hit.rule.weight
        if hit.rule.effect == "floor":
            floor = max(floor, hit.rule.level, key=lambda level: level.rank)
    top = max(logits.values())
    total = sum(math.exp(value - top) for value in logits.values())
    after = {level: math.exp(value - top) / total for level, value in logits.items()}
    return max(floor, max(after, key=after.__getitem__), key=lambda level: level.rank), after


def rule_reasons(hits: Iterable[RuleHit]) -> list[SeverityReason]:
    return [
        SeverityReason(
            kind="rule",
            text=hit.rule.description
            if hit.rule.effect == "weight"
            else f"{hit.rule.description}: never below {hit.rule.level}",
            level=hit.rule.level,
            rule=hit.rule.id,
            words=hit.words,
            weight=hit.rule.weight,
        )
        for hit in hits
    ]


def rule_changes(
    hits: Sequence[RuleHit],
    before: Mapping[Severity, float],
    level: Severity,
    scale: float = 1.0,
) -> list[SeverityReason]:
    """Return which single rule's silence would give another level than ``level``."""
    changes = []
    for hit in hits:
        other, _ = combine([kept for kept in hits if kept is not hit], before, scale)
        if other != level:
            changes.append(
                SeverityReason(
                    kind="change",
                    text=f"Without the rule '{hit.rule.id}' it would be {other}",
                    level=other,
                    rule=hit.rule.id,
                    words=hit.words,
                )
            )
    return changes


def rules_only(
    rules: SeverityRules, title: str, description: str, language: str | None = None
) -> SeverityAssessment:
    """Judge without any model, for when the analysis does not answer; ``degraded`` is true."""
    hits = rules.match(title, description, language)
    level, probabilities = combine(hits, PRIOR)
    return SeverityAssessment(
        level=level,
        confidence=probabilities[level],
        reasons=(*rule_reasons(hits), *rule_changes(hits, PRIOR, level)),
        model_version=f"rules-{rules.version}",
        probabilities=probabilities,
        degraded=True,
    )


def _quotes(
    text: str, words: Sequence[Word], spans: Collection[tuple[int, int]]
) -> tuple[str, ...]:
    quotes: dict[str, str] = {}
    end = -1
    for first, last in sorted(spans, key=lambda span: (span[0], -span[1])):
        if last > end:
            quote = " ".join(text[words[first].start : words[last].end].split())
            quotes.setdefault(quote.casefold(), quote)
            end = last
    return tuple(quotes.values())[:QUOTES]


def _parts(rule: Rule, unless: Sequence[str]) -> Iterable[tuple[str, str]]:
    yield from (("phrases", phrase) for phrase in rule.phrases)
    yield from ((f"all.{index}", phrase) for index, phrase in enumerate(rule.all))
    yield from (("any", phrase) for phrase in rule.any)
    yield from (("unless", phrase) for phrase in (*rule.unless, *unless))


def _as_data(rule: Rule) -> list[Any]:
    return [getattr(rule, part.name) for part in fields(rule)]


@dataclass
class _Reader:
    """Turns a TOML document into rules, gathering every mistake on the way."""

    document: dict[str, Any]
    rules: list[Rule] = field(default_factory=list)
    unless: list[str] = field(default_factory=list)
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key in self.document.keys() - {"rule", "unless"}:
            self._mistake("file", f"unknown key '{key}'; a file holds [[rule]] tables and 'unless'")
        self.unless = list(self._phrases("file", "unless", self.document.get("unless", [])))
        tables = self.document.get("rule", [])
        if not isinstance(tables, list) or not tables:
            self._mistake("file", "holds no rule; begin each with a line [[rule]]")
            return
        for number, table in enumerate(tables, start=1):
            self._rule(table, number)

    def _rule(self, table: Any, number: int) -> None:
        if not isinstance(table, dict):
            self._mistake(f"rule {number}", "is not a table; begin it with a line [[rule]]")
            return
        before = len(self.mistakes)
        name: Any = table.get("id")
        where = f"rule '{name}'" if name else f"rule {number}"
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
            self._mistake(f"{where}.id", "must be a short name of letters, digits and hyphens")
        elif any(rule.id == name for rule in self.rules):
            self._mistake(f"{where}.id", "is taken by a rule above; give each its own")
        known = {part.name for part in fields(Rule)}
        for key in table.keys() - known:
            self._mistake(f"{where}.{key}", f"unknown key; known are {', '.join(sorted(known))}")
        description: Any = table.get("description")
        if not isinstance(description, str) or not description.strip():
            self._mistake(f"{where}.description", "must say in a sentence what the rule is about")
        effect: Any = table.get("effect")
        level: Any = table.get("level")
        if effect not in {"floor", "weight"}:
            self._mistake(f"{where}.effect", "must be 'floor' or 'weight'")
        if level not in set(Severity):
            self._mistake(f"{where}.level", "must be 'HIGH', 'NORMAL' or 'LOW'")
        elif effect == "floor" and level == Severity.LOW:
            self._mistake(f"{where}.level", "a floor of LOW changes nothing; use effect 'weight'")
        weight: Any = table.get("weight", FLOOR_WEIGHT if effect == "floor" else None)
        if not _is_number(weight) or not 0 < weight <= WEIGHT_MAX:
            self._mistake(f"{where}.weight", f"must be a number above 0, at most {WEIGHT_MAX:g}")
        if "phrases" not in table or table["phrases"] == []:
            self._mistake(f"{where}.phrases", "must hold at least one phrase")
        lists = {
            key: self._phrases(where, key, table.get(key, []), words=key != "languages")
            for key in _LISTS
        }
        if len(self.mistakes) == before:
            self.rules.append(
                Rule(name, description, Severity(level), effect, weight=float(weight), **lists)
            )

    def _phrases(self, where: str, key: str, value: Any, *, words: bool = True) -> tuple[str, ...]:
        place = f"{where}.{key}"
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            self._mistake(place, 'must be a list of texts, such as ["first", "second"]')
            return ()
        for entry in value:
            if not words:
                if len(entry) != 2 or not entry.isalpha() or not entry.islower():
                    self._mistake(place, f"'{entry}' is not a language code such as 'en'")
                continue
            try:
                Phrase.parse(entry)
            except ValueError as error:
                self._mistake(place, f"phrase '{entry}': {error}")
        return tuple(value)

    def _mistake(self, where: str, message: str) -> None:
        self.mistakes.append((where, message))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
