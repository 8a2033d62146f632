"""Find one person's names in a text, however they are written."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from support_copilot.analysis.recommendation.words import (
    MAILBOXES,
    ORDINARY,
    PARTICLES,
    PUBLIC_DOMAINS,
)

_UNFOLDED = str.maketrans(
    {"\u00f8": "o", "\u00d8": "o", "\u0142": "l", "\u0141": "l", "\u0111": "d", "\u0110": "d",
     "\u0131": "i", "\u2019": "'", "\u00e6": "ae", "\u00c6": "ae", "\u0153": "oe"}
)  # fmt: skip
_UMLAUTS = str.maketrans(
    {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00e5": "aa", "\u00f8": "oe"}
)
_GENERAL_AFTER = re.compile(
    r"\s+(?:you|it|this|that|the|we|i|they|there|your|our|my|a|an|any|all|these|those|be|not|if)\b"
)
_SEPARATORS = re.compile(r"[\s,.]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n\u2022*-])[\s\"'\u201c\u201e(]*$")


def fold(text: str) -> tuple[str, list[int]]:
    """Return ``text`` without case and accents, and for each character where it came from."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    folded: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character.translate(_UNFOLDED)):
            if not unicodedata.combining(part):
                for piece in part.casefold():
                    folded.append(piece)
                    origin.append(index)
    return "".join(folded), origin


@dataclass(frozen=True)
class Person:
    """Whose names to find: name as recorded, e-mail address (either may be empty)."""

    name: str
    email: str = ""

    @cached_property
    def full(self) -> tuple[str, ...]:
        """The full name, folded, in both orders."""
        words = self._words
        if len(words) < 2:
            return ()
        return tuple(_variants(" ".join(words)) + _variants(f"{words[-1]} {' '.join(words[:-1])}"))

    @cached_property
    def first(self) -> tuple[str, ...]:
        names = [word for word in self._words if _counts(word)]
        return tuple(_variants(names[0])) if names else ()

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Every further name, and the words of the mailbox."""
        words = [part for word in self._words for part in (word, *re.split(r"[-']", word))]
        local = self.email.partition("@")[0]
        mailbox = [local, *re.split(r"[\W\d_]+", local)]
        found = [variant for word in words if _counts(word) for variant in _variants(word)]
        found += [
            variant
            for word in mailbox
            if len(word) > 2 and word.lower() not in MAILBOXES and not word.isdigit()
            for variant in _variants(word)
        ]
        return tuple(dict.fromkeys(word for word in found if word not in self.first))

    @cached_property
    def company(self) -> tuple[str, ...]:
        """The name in an e-mail domain that is not a public provider's."""
        labels = self.email.partition("@")[2].lower().split(".")[:-1]
        return tuple(label for label in labels if len(label) > 3 and label not in PUBLIC_DOMAINS)

    @cached_property
    def _words(self) -> list[str]:
        last, comma, first = self.name.partition(",")
        ordered = f"{first} {last}" if comma else self.name
        words = (word.strip(".,;:()\"'\u2019") for word in ordered.split())
        return [word for word in words if word]

    def replace(self, text: str, *, full: str, first: str, company: str) -> str:
        """Return ``text`` with every occurrence of a name replaced by the given mark."""
        terms = dict.fromkeys(self.full + self.others, full)
        terms |= {term: company for term in self.company if term not in terms}
        terms |= dict.fromkeys(self.first, first)
        if not terms:
            return text
        pattern = re.compile("|".join(_bounded(term) for term in sorted(terms, key=len)[::-1]))
        folded, origin = fold(text)
        pieces: list[str] = []
        done = 0
        for found in pattern.finditer(folded):
            start, end = origin[found.start()], origin[found.end() - 1] + 1
            if start < done or (found[0] in ORDINARY and not _meant_as_name(text, start, end)):
                continue
            spelled = _SEPARATORS.sub(" ", found[0]).rstrip("0123456789")
            pieces += [text[done:start], terms.get(spelled, full)]
            done = end
        return "".join([*pieces, text[done:]])

    def leaks_into(self, sentence: str) -> bool:
        """Tell whether a name may still be in ``sentence``: also inside of longer words."""
        folded, _ = fold(sentence)
        for term in {*self.full, *self.first, *self.others, *self.company}:
            if term in ORDINARY:
                continue
            if len(term) > 4 or not term.isascii():
                if _stem(term) in folded:
                    return True
            elif re.search(rf"(?<![^\W\d_]){re.escape(term)}(?:s|es)?(?![^\W\d_])", folded):
                return True
        return False


def _counts(word: str) -> bool:
    """Tell whether a word of a name says who it is: no title, particle or Latin initial."""
    folded = fold(word)[0]
    return bool(folded) and folded not in PARTICLES and (len(folded) > 1 or not folded.isascii())


def _stem(term: str) -> str:
    """Drop the ending that Greek and Slavic names change by case."""
    inflected = unicodedata.name(term[-1], "").startswith(("CYRILLIC", "GREEK"))
    return term[:-1] if inflected and len(term) > 3 else term


def _variants(words: str) -> list[str]:
    """Return the folded spellings: accents dropped, umlauts also written out."""
    spelled = fold(words.lower().translate(_UMLAUTS))[0]
    return list(dict.fromkeys(spelling for spelling in (fold(words)[0], spelled) if spelling))


def _bounded(term: str) -> str:
    """Bound a term at word boundaries where its script has them."""
    body = re.escape(term).replace(r"\ ", r"[\s,.]+") + r"\d*"
    before = "" if _spaceless(term[0]) else r"(?<![^\W_])"
    after = "" if _spaceless(term[-1]) else r"(?=(?:'?s|'?)(?![^\W_]))"
    return before + body + after


def _spaceless(character: str) -> bool:
    """Tell whether a script writes words without spaces, or puts endings straight after."""
    return character.isalpha() and not unicodedata.name(character, "").startswith(
        ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC")
    )


def _meant_as_name(text: str, start: int, end: int) -> bool:
    """Tell whether an ordinary word stands here for a person."""
    word = text[start:end]
    if not word[0].isupper() or (len(word) > 1 and word.isupper()):
        return False
    if _SENTENCE_START.search(text[max(0, start - 20) : start]):
        return not _GENERAL_AFTER.match(text, end)
    return True
