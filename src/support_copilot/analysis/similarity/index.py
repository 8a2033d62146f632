"""The similarity index in memory: searched without locks, changed without waiting searches.

Issues live in immutable segments that are merged by size, so adding one is cheap at any size
and a search sees few segments. A removal takes effect, and overwrites the issue's content,
before it returns.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from math import log

import numpy as np
from numpy.typing import NDArray

from support_copilot.analysis.similarity import fusion
from support_copilot.analysis.similarity.analyser import QueryTerms, unpack
from support_copilot.analysis.similarity.segment import Ranked, Rows, Segment, Slots, encode
from support_copilot.domain.similarity import IndexEntry

CANDIDATES = 100
"""The best so many by words and by meaning are scored on both."""

POSTINGS = 300_000
"""A search reads at most about so many postings; beyond, the commonest words choose no candidate.

Candidates are still scored on all words.
"""

FANOUT = 8
# Issues come singly: every search pays for each segment, building one this small takes a few ms.
SMALL = 1_024
LARGEST = 1 << 18
"""Segments are not merged beyond this, which bounds the longest pause and the memory of one."""


@dataclass(frozen=True, slots=True)
class Match:
    """``score`` is 0..1; ``gains`` are the matched terms and what each gave, the most first."""

    issue_id: int
    score: float
    gains: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class _Weighing:
    """What the words of one query are worth in the whole index now.

    ``best`` is the score of an issue that says the same; ``affordable`` marks the words whose
    posting lists choose candidates; ``places`` tells, by segment, where it keeps each word.
    """

    keys: NDArray[np.uint32]
    worth: NDArray[np.float32]
    best: float
    mean_length: float
    affordable: NDArray[np.bool_]
    places: list[Slots]


class SimilarityIndex:
    """Issues by vector and by words. Safe to use from several threads.

    ``dimension`` is the length of the vectors; entries without a vector are found by words.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._segments: tuple[Segment, ...] = ()
        self._changing = threading.Lock()
        self._swapping = threading.Lock()

    def __len__(self) -> int:
        return sum(segment.live for segment in self._segments)

    def __contains__(self, issue_id: int) -> bool:
        return any(segment.slot_of(issue_id) is not None for segment in self._segments)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Make entries searchable; one that is there is replaced.

        Raises ValueError where an entry's bytes are not what the analyser or encoder made.
        """
        if not entries:
            return
        with self._changing:
            latest = {entry.issue_id: entry for entry in entries}
            new = Segment.build(self._rows(list(latest.values())), self._dimension)
            with self._swapping:
                self._bury(latest)
                self._segments = (*(old for old in self._segments if old.live), new)
            while due := self._due():
                self._merge(due)

    def remove(self, issue_ids: Iterable[int]) -> None:
        """Make issues unfindable, and overwrite their content, before this returns."""
        with self._swapping:
            self._bury(issue_ids)

    def search(
        self,
        vector: NDArray[np.float32] | None,
        query: QueryTerms,
        limit: int,
        without: AbstractSet[int] = frozenset(),
    ) -> list[Match]:
        """Return the issues most like a query, best first; none where nothing is like it.

        ``vector`` is of unit length; without one, words alone decide.
        """
        segments = self._segments
        banned = np.fromiter(without, np.int64, len(without))
        weighing = _weigh(segments, query)
        by_words = _best(
            [
                _word_candidates(segment, places, weighing, banned)
                for segment, places in zip(segments, weighing.places, strict=True)
            ]
        )
        by_meaning = _best(
            [
                Ranked.nothing() if vector is None else segment.nearest(vector, CANDIDATES, banned)
                for segment in segments
            ]
        )
        found: list[tuple[float, int, Segment, int]] = []
        for segment, first, second in zip(segments, by_words, by_meaning, strict=True):
            slots = np.union1d(first, second)
            if not len(slots):
                continue
            words = _word_scores(segment, slots, weighing)
            cosines = None if vector is None else segment.cosines(vector, slots)
            scores = fusion.fuse(words, cosines, foreign=query.foreign)
            found.extend(
                (-score, int(segment.ids[slot]), segment, slot)
                for score, slot, like in zip(
                    scores.tolist(),
                    slots.tolist(),
                    fusion.alike(words, cosines).tolist(),
                    strict=True,
                )
                if like
            )
        found.sort(key=lambda one: one[:2])
        with self._swapping:
            return [
                Match(issue_id, min(-score, 1.0), _gains(segment, slot, weighing))
                for score, issue_id, segment, slot in islice(
                    (one for one in found if one[2].alive[one[3]]), limit
                )
            ]

    # ------------------------------------------------------------ changing

    def _rows(self, entries: Sequence[IndexEntry]) -> Rows:
        keys, counts, sizes = unpack([entry.terms for entry in entries])
        dense = np.array([bool(entry.vector) for entry in entries], np.bool_)
        codes = np.zeros((len(entries), self._dimension), np.uint8)
        if dense.any():
            raw = np.frombuffer(b"".join([entry.vector for entry in entries]), "<f2")
            vectors = raw.astype(np.float32).reshape(int(dense.sum()), self._dimension)
            codes[dense] = encode(vectors)
        ids = np.array([entry.issue_id for entry in entries], np.int64)
        return Rows(ids, codes, dense, keys, counts, np.array(sizes, np.int64))

    def _bury(self, issue_ids: Iterable[int]) -> None:
        for issue_id in issue_ids:
            for segment in self._segments:
                slot = segment.slot_of(issue_id)
                if slot is not None:
                    segment.bury(slot)

    def _due(self) -> list[Segment]:
        """Return segments to become one: small ones, some of a size, or a half empty one."""
        tiers: defaultdict[int, list[Segment]] = defaultdict(list)
        small: list[Segment] = []
        for segment in self._segments:
            if segment.live * 2 < len(segment):
                return [segment]
            if segment.live < SMALL:
                small.append(segment)
                continue
            tiers[int(log(segment.live, FANOUT) + 1e-9)].append(segment)
        if len(small) > 1:
            return small
        for tier in tiers.values():
            if len(tier) >= FANOUT:
                due: list[Segment] = []
                total = 0
                for segment in sorted(tier, key=lambda one: one.live):
                    total += segment.live
                    if total <= LARGEST:
                        due.append(segment)
                if len(due) > 1:
                    return due
        return []

    def _merge(self, due: list[Segment]) -> None:
        before = [segment.alive.copy() for segment in due]
        rows = Rows.joined(
            [segment.rows(alive) for segment, alive in zip(due, before, strict=True)]
        )
        merged = [Segment.build(rows, self._dimension)] if len(rows.ids) else []
        with self._swapping:
            kept = [segment for segment in self._segments if segment not in due]
            self._segments = (*kept, *merged)
            for segment, alive in zip(due, before, strict=True):
                self._bury(segment.ids[alive & ~segment.alive].tolist())


def _weigh(segments: Sequence[Segment], query: QueryTerms) -> _Weighing:
    keys = query.terms.keys
    places: list[Slots] = []
    frequencies = np.zeros(len(keys), np.int64)
    for segment in segments:
        at, found = segment.frequencies(keys)
        places.append(at)
        frequencies += found
    total = max(sum(segment.live for segment in segments), 1)
    frequencies = np.clip(frequencies, 0, total)
    length = sum(segment.live_length for segment in segments) / total
    told = fusion.saturation(query.terms.counts, 1.0, 1.0)
    worth = query.weights * told * fusion.rarity(frequencies, total)
    return _Weighing(
        keys,
        worth,
        best=max(float((worth * told).sum()), 1e-9),
        mean_length=max(length, 1.0),
        affordable=_affordable(frequencies, worth),
        places=places,
    )


def _affordable(frequencies: NDArray[np.int64], worth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the most telling words whose posting lists together are short enough to read."""
    order = np.argsort(-worth, kind="stable")
    within = np.cumsum(frequencies[order]) <= POSTINGS
    within[:1] = True
    marked = np.zeros(len(worth), np.bool_)
    marked[order[within]] = True
    return marked


def _word_candidates(segment: Segment, places: Slots, weighing: _Weighing, banned: Slots) -> Ranked:
    read = weighing.affordable & (places >= 0)
    owners, slots, counts = segment.postings_of(places[read])
    told = fusion.saturation(counts, segment.lengths[slots], weighing.mean_length)
    scores = np.bincount(slots, weighing.worth[read][owners] * told, len(segment))
    return segment.richest(scores.astype(np.float32), CANDIDATES, banned)


def _best(ranked: Sequence[Ranked]) -> list[Slots]:
    """Return, by segment, the slots that are among the best candidates of all segments."""
    scores = np.concatenate([one.scores for one in ranked]) if ranked else np.empty(0, np.float32)
    if len(scores) <= CANDIDATES:
        return [one.slots for one in ranked]
    least = np.partition(scores, -CANDIDATES)[-CANDIDATES]
    return [one.slots[one.scores >= least] for one in ranked]


def _shared_terms(
    segment: Segment, slots: Slots, weighing: _Weighing
) -> tuple[Slots, Slots, NDArray[np.float32]]:
    """Return the owner, the place among the query's terms, and the gain of each shared term."""
    owners, keys, counts = segment.terms_of(slots)
    if not len(weighing.keys):
        return owners[:0], owners[:0], np.empty(0, np.float32)
    places = np.minimum(np.searchsorted(weighing.keys, keys), len(weighing.keys) - 1)
    shared = weighing.keys[places] == keys
    owners, places = owners[shared], places[shared]
    told = fusion.saturation(counts[shared], segment.lengths[slots[owners]], weighing.mean_length)
    return owners, places, weighing.worth[places] * told / np.float32(weighing.best)


def _word_scores(segment: Segment, slots: Slots, weighing: _Weighing) -> NDArray[np.float32]:
    owners, _, gains = _shared_terms(segment, slots, weighing)
    return np.bincount(owners, gains, len(slots)).astype(np.float32)


def _gains(segment: Segment, slot: int, weighing: _Weighing) -> tuple[tuple[int, float], ...]:
    _, places, gains = _shared_terms(segment, np.array([slot]), weighing)
    pairs = zip(weighing.keys[places].tolist(), gains.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
