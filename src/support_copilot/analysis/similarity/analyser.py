"""Text to counted, hashed terms: stemmed words and pairs of neighbouring words.

Terms are 32-bit hashes, so the index holds no readable text. Words that carry digits (error
codes, versions, order numbers) are kept whole beside their parts. Scripts written without
spaces are cut into pairs of characters.
"""

from __future__ import annotations

import re
import threading
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import snowballstemmer
from numpy.typing import NDArray

from support_copilot.analysis.similarity.words import STOP_WORDS, is_foreign

VERSION = "words-1"
"""Changes whenever the same text would give other terms, so that stored entries are remade."""

TITLE_WEIGHT = 3
STOP_WORD_WEIGHT = 0.2
MAX_WORDS = 2000
MAX_CHARACTERS = 40_000
MAX_WORD_LENGTH = 64
MAX_COUNT = 255
BYTES_A_TERM = 5

_MARKS = "".join(c for c in map(chr, range(0x300, 0x1200)) if unicodedata.category(c)[0] == "M")
_WORD = re.compile(rf"(?:[^\W_]|[{_MARKS}])+(?:[._-](?:[^\W_]|[{_MARKS}])+)*")
_PART = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_DIGIT = re.compile(r"\d")

_stemmer = snowballstemmer.stemmer("english")
_stemmer_lock = threading.Lock()


class Term(NamedTuple):
    """One word of a text: the hash of its stem, its folded form, and how it was written."""

    key: int
    folded: str
    surface: str


@dataclass(frozen=True, slots=True)
class TermCounts:
    """What is indexed of one text: distinct ascending uint32 ``keys`` with uint8 ``counts``."""

    keys: NDArray[np.uint32]
    counts: NDArray[np.uint8]

    def pack(self) -> bytes:
        """Return all keys, then all counts, little-endian: five bytes a term."""
        return self.keys.astype("<u4").tobytes() + self.counts.tobytes()


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """The terms of a query.

    ``weights`` lowers words that say little; ``surfaces`` gives, for each key, the words of the
    text as they were written (two for a pair of words); ``foreign`` tells that the text is
    probably not English.
    """

    terms: TermCounts
    weights: NDArray[np.float32]
    surfaces: dict[int, tuple[str, ...]]
    foreign: bool


def analyse(title: str, description: str) -> TermCounts:
    """Return the terms of an issue; a term of the title counts three times."""
    return _counted(*_fields(title, description))


def analyse_query(title: str, description: str) -> QueryTerms:
    """Return the terms of a query with what is needed to explain a hit in its own words."""
    fields = _fields(title, description)
    terms = _counted(*fields)
    surfaces: dict[int, tuple[str, ...]] = {}
    for words in fields:
        for word in words:
            surfaces.setdefault(word.key, (word.surface,))
        for first, second in pairwise(_content(words)):
            surfaces.setdefault(_pair_key(first.key, second.key), (first.surface, second.surface))
    stops = _stop_keys()
    weights = np.array(
        [STOP_WORD_WEIGHT if key in stops else 1.0 for key in terms.keys.tolist()], np.float32
    )
    foreign = is_foreign([word.folded for words in fields for word in words])
    return QueryTerms(terms, weights, surfaces, foreign)


def unpack(packed: Sequence[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.uint8], list[int]]:
    """Return keys and counts of many packed texts, end to end, and the number of terms of each.

    Raises ValueError where a text's bytes are not whole terms.
    """
    sizes = [len(one) // BYTES_A_TERM for one in packed]
    if any(len(one) % BYTES_A_TERM for one in packed):
        raise ValueError("packed terms must be five bytes each")
    keys = np.frombuffer(
        b"".join([one[: size * 4] for one, size in zip(packed, sizes, strict=True)]), "<u4"
    )
    counts = np.frombuffer(
        b"".join([one[size * 4 :] for one, size in zip(packed, sizes, strict=True)]), np.uint8
    )
    return keys.astype(np.uint32), counts, sizes


def _fields(title: str, description: str) -> tuple[list[Term], list[Term]]:
    return list(_words(title)), list(_words(description))


def _counted(title: list[Term], description: list[Term]) -> TermCounts:
    counts: dict[int, int] = {}
    for words, weight in ((title, TITLE_WEIGHT), (description, 1)):
        for word in words:
            counts[word.key] = counts.get(word.key, 0) + weight
        for first, second in pairwise(_content(words)):
            key = _pair_key(first.key, second.key)
            counts[key] = counts.get(key, 0) + weight
    ordered = sorted(counts)
    return TermCounts(
        np.array(ordered, np.uint32),
        np.array([min(counts[key], MAX_COUNT) for key in ordered], np.uint8),
    )


def _words(text: str) -> Iterator[Term]:
    text = unicodedata.normalize("NFC", text[:MAX_CHARACTERS])
    found = 0
    for match in _WORD.finditer(text):
        for surface in _pieces(match.group()):
            key, folded = _key(surface[:MAX_WORD_LENGTH])
            if folded:
                yield Term(key, folded, surface)
                found += 1
        if found >= MAX_WORDS:
            return


def _pieces(word: str) -> list[str]:
    if _UNSPACED.search(word):
        return [word[i : i + 2] for i in range(max(1, len(word) - 1))]
    parts = _PART.findall(word)
    if len(parts) > 1 and _DIGIT.search(word):
        return [word, *(part for part in parts if len(part) > 1)]
    return parts


def _content(words: list[Term]) -> list[Term]:
    stops = _stop_keys()
    return [word for word in words if word.key not in stops]


@lru_cache(maxsize=1 << 16)
def _key(surface: str) -> tuple[int, str]:
    """Return the hash of a word's stem and the word without case and accents."""
    folded = surface.casefold()
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded)
        folded = unicodedata.normalize(
            "NFKC", "".join(c for c in apart if unicodedata.category(c) != "Mn")
        )
    stem = folded
    if folded.isascii() and folded.isalpha():
        with _stemmer_lock:  # a stemmer keeps the word it is working on in itself
            stem = _stemmer.stemWord(folded)
    return zlib.crc32(stem.encode("utf-8", "surrogatepass")), folded


def _pair_key(first: int, second: int) -> int:
    return zlib.crc32(second.to_bytes(4, "little"), first ^ 0x9E3779B9)


@lru_cache(maxsize=1)
def _stop_keys() -> frozenset[int]:
    return frozenset(_key(word)[0] for word in STOP_WORDS)
