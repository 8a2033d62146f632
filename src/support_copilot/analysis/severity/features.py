"""What the linear head of the severity classifier reads of a text.

Words and pairs of words, and the parts of words that make it forgiving of spelling and endings,
hashed into a fixed number of buckets: the model file holds no customer's words, and a model can
be trained anew without a vocabulary to keep.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from support_copilot.domain.phrases import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUCKETS = 1 << 15
TOTAL_BUCKETS = 2 * BUCKETS
PARTS = (3, 4)
MAX_WORDS = 600
_DIGITS = re.compile(r"\d")
_SIGNS = re.compile("[?!£$€%#@\u2190-\u2bff\U0001f300-\U0001faff]")


@dataclass(frozen=True, slots=True)
class Place:
    """A word from ``start`` to ``end``: its buckets, and that of the pair with the word before."""

    start: int
    end: int
    buckets: Sequence[int]
    pair: int


@dataclass(frozen=True, slots=True)
class Features:
    """Counts by bucket, of words and of parts of words, and where they stand in the text."""

    words: Mapping[int, int]
    parts: Mapping[int, int]
    places: Sequence[Place]


def features_of(text: str) -> Features:
    """Return the features of the first 600 words."""
    words: dict[int, int] = defaultdict(int)
    parts: dict[int, int] = defaultdict(int)
    places: list[Place] = []
    before = ""
    for word in words_of(text)[:MAX_WORDS]:
        plain = _DIGITS.sub("0", word.plain)
        single, pair = _bucket(plain), _bucket(f"{before} {plain}")
        words[single] += 1
        words[pair] += 1
        inner = _parts(plain)
        for bucket in inner:
            parts[bucket] += 1
        places.append(Place(word.start, word.end, (single, *inner), pair))
        before = plain
    for sign in _SIGNS.findall(text):
        words[_bucket(sign)] += 1
    return Features(words, parts, places)


def weigh(counts: Mapping[int, int], idf: Sequence[float]) -> dict[int, float]:
    """Return TF-IDF values of unit length, the counts damped by their logarithm."""
    values = {bucket: (1 + math.log(count)) * idf[bucket] for bucket, count in counts.items()}
    length = math.sqrt(sum(value * value for value in values.values()))
    return {bucket: value / length for bucket, value in values.items()} if length else {}


@lru_cache(maxsize=20_000)
def _parts(word: str) -> tuple[int, ...]:
    padded = f"<{word}>".encode()
    return tuple(
        BUCKETS + crc32(padded[start : start + size]) % BUCKETS
        for size in PARTS
        for start in range(len(padded) - size + 1)
    )


def _bucket(gram: str) -> int:
    return crc32(gram.encode()) % BUCKETS
