"""Phrases found in text word by word: no regular expression a writer of rules could make slow.

A phrase is a row of words. Case, accents and apostrophes do not matter. ``charg*`` stands for
every word that begins so, ``*ausfall`` for every word that ends so, ``cannot|cant`` for either,
and ``..`` between two words for up to four words in between. A phrase stays within a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GAP = ".."
GAP_WORDS = 4
MAX_GAPS = 3
STEM_MIN = 3

_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:['\u2019]\w+)*")
# French writes the article to its noun: l'eau must be found as eau.
_ELISION = re.compile(r"(?:l|d|j|n|s|m|t|c|qu)['\u2019]", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;…]|\n\s*\n")
_CLAUSE_END = re.compile(r"[,:()\u2013\u2014]")
_SCOPE = 3
_NEGATOR_WORDS = """
    no not never without nobody noone none neither isnt wasnt arent werent hasnt havent hadnt
    didnt doesnt dont
    kein keine keinen keinem keiner nicht nie niemand ohne
    pas jamais sans aucun aucune personne
    sin nunca nadie ningun ninguna ninguno nao sem nenhum nenhuma ninguem
    nikt bez zaden zadna
"""
_NEGATORS = frozenset(_NEGATOR_WORDS.split())
# After these words a negation before them no longer speaks of what follows.
_RELEASE_WORDS = """
    who why how what when where if whether until only just but because since idea
    warum wer wie wann ob bis nur sondern weil
    qui pourquoi comment quand seulement mais
    quien porque como cuando solo sino pero quem quando apenas mas
    kto dlaczego jak kiedy tylko ale
"""
_RELEASES = frozenset(_RELEASE_WORDS.split())
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "'": "", "\u2019": ""})

Key = TypeVar("Key")
Place = TypeVar("Place")


class Word(NamedTuple):
    """A word in its plain form, where it stands in the text, and in which sentence and clause."""

    plain: str
    start: int
    end: int
    sentence: int
    clause: int


class Found(NamedTuple, Generic[Key]):
    """A phrase found from word ``first`` to word ``last``, both included."""

    key: Key
    first: int
    last: int


def words_of(text: str) -> list[Word]:
    words: list[Word] = []
    sentence = clause = end = 0
    for match in _WORD.finditer(text):
        start = match.start()
        between = text[end:start]
        if between != " ":
            sentence += _SENTENCE_END.search(between) is not None
            clause += _CLAUSE_END.search(between) is not None
        end = match.end()
        word = match.group()
        if word.isascii() and word.isalnum():
            words.append(Word(word.lower(), start, end, sentence, clause))
            continue
        elided = _ELISION.match(word)
        if elided:
            middle = start + elided.end()
            words.append(Word(plain(text[start:middle]), start, middle, sentence, clause))
            start = middle
        words.append(Word(plain(text[start:end]), start, end, sentence, clause))
    return words


def plain(word: str) -> str:
    """Return a word without case, accents and apostrophes."""
    folded = word.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded)
        folded = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return folded.translate(_LETTERS)


def negated(words: Sequence[Word], first: int, last: int) -> bool:
    """Tell whether the words are denied: ``no data was lost``, ``data was not lost``."""
    if any(words[place].plain in _NEGATORS for place in range(first, last + 1)):
        return True
    here = words[first]
    for place in range(first - 1, max(-1, first - 1 - _SCOPE), -1):
        word = words[place]
        if (word.sentence, word.clause) != (here.sentence, here.clause):
            return False
        if word.plain in _RELEASES:
            return False
        if word.plain in _NEGATORS:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Slot:
    """One place of a phrase: the words, beginnings and ends it accepts."""

    exact: frozenset[str]
    stems: tuple[str, ...]
    endings: tuple[str, ...]
    after_gap: bool

    @property
    def fixed(self) -> frozenset[str]:
        """The words of a slot that must come next and holds nothing else; else nothing."""
        free = self.after_gap or self.stems or self.endings
        return frozenset() if free else self.exact

    def accepts(self, word: str) -> bool:
        if word in self.exact:
            return True
        return bool(self.stems and word.startswith(self.stems)) or bool(
            self.endings and word.endswith(self.endings)
        )


@dataclass(frozen=True, slots=True)
class Phrase:
    """A compiled phrase; ``denies`` where it contains a negation itself (``no service``)."""

    slots: tuple[_Slot, ...]
    denies: bool

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """Read a phrase. Raises ValueError with a sentence on what to mend."""
        parts = text.split()
        if not parts or GAP in {parts[0], parts[-1]}:
            raise ValueError(f"needs words, also before and after '{GAP}'")
        if parts.count(GAP) > MAX_GAPS:
            raise ValueError(f"holds more than {MAX_GAPS} gaps; split it into two phrases")
        slots: list[_Slot] = []
        gap = False
        for part in parts:
            if part == GAP:
                gap = True
                continue
            for piece in [part] if "|" in part or "*" in part else _pieces(part):
                slots.append(_slot(piece, after_gap=gap))
                gap = False
        if not slots:
            raise ValueError("needs at least one word with letters or digits")
        return cls(tuple(slots), any(slot.exact & _NEGATORS for slot in slots))

    def match(self, words: Sequence[Word], at: int, index: int = 0) -> int | None:
        """Return the last word's place where the slots after ``index`` follow the word ``at``."""
        index += 1
        if index == len(self.slots):
            return at
        slot = self.slots[index]
        reach = at + 2 + (GAP_WORDS if slot.after_gap else 0)
        for place in range(at + 1, min(reach, len(words))):
            if words[place].sentence != words[at].sentence:
                return None
            if slot.accepts(words[place].plain):
                last = self.match(words, place, index)
                if last is not None:
                    return last
        return None


_Index = dict[Place, list[tuple[Key, Phrase]]]


class PhraseBook(Generic[Key]):
    """Many phrases, found in one walk over a text, trying only what can begin at a word."""

    def __init__(self, phrases: Iterable[tuple[Key, Phrase]]) -> None:
        self._words: _Index[str, Key] = defaultdict(list)
        self._pairs: _Index[tuple[str, str], Key] = defaultdict(list)
        self._stems: _Index[str, Key] = defaultdict(list)
        self._endings: _Index[str, Key] = defaultdict(list)
        for key, phrase in phrases:
            slot, *others = phrase.slots
            follows = others[0].fixed if others else frozenset[str]()
            for word in slot.exact:
                for second in follows:
                    self._pairs[word, second].append((key, phrase))
                if not follows:
                    self._words[word].append((key, phrase))
            for stem in {stem[:STEM_MIN] for stem in slot.stems}:
                self._stems[stem].append((key, phrase))
            for ending in {ending[-STEM_MIN:] for ending in slot.endings}:
                self._endings[ending].append((key, phrase))

    def find(self, words: Sequence[Word]) -> Iterator[tuple[Found[Key], Phrase]]:
        nothing: list[tuple[Key, Phrase]] = []
        texts = [*(word.plain for word in words), ""]
        for first, (text, second) in enumerate(pairwise(texts)):
            for candidates in (
                self._words.get(text, nothing),
                self._pairs.get((text, second), nothing),
                self._stems.get(text[:STEM_MIN], nothing),
                self._endings.get(text[-STEM_MIN:], nothing),
            ):
                for key, phrase in candidates:
                    if not phrase.slots[0].accepts(text):
                        continue
                    last = phrase.match(words, first)
                    if last is not None:
                        yield Found(key, first, last), phrase


def _pieces(part: str) -> list[str]:
    return [word.plain for word in words_of(part)]


def _slot(part: str, *, after_gap: bool) -> _Slot:
    exact: set[str] = set()
    stems: list[str] = []
    endings: list[str] = []
    for option in part.split("|"):
        word = plain(option.strip("*"))
        if not word or not all(letter.isalnum() or letter == "_" for letter in word):
            raise ValueError(f"'{option}' is not a word; write words, '*' at an end, '|' or '..'")
        if "*" in option and len(word) < STEM_MIN:
            raise ValueError(f"'{option}' would match too much; give at least {STEM_MIN} letters")
        if option.startswith("*") and option.endswith("*"):
            raise ValueError(f"'{option}' may have '*' at one end only")
        if option.startswith("*"):
            endings.append(word)
        elif option.endswith("*"):
            stems.append(word)
        else:
            exact.add(word)
    return _Slot(frozenset(exact), tuple(stems), tuple(endings), after_gap)
