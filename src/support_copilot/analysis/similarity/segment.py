"""An immutable block of indexed issues: 8-bit vectors, posting lists, and each issue's terms.

A block is built whole and never changes, but for issues leaving it: their vector and terms are
overwritten at once, and they are skipped until a later merge drops their place. The position of
an issue within its block is its slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple, Self

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Keys = NDArray[np.uint32]
Counts = NDArray[np.uint8]
Codes = NDArray[np.uint8]
Slots = NDArray[np.int64]

SPREAD = 7
"""Components of a unit vector are kept up to so many times their root mean square."""

COUNT_BITS = 8

_faiss: Any = faiss  # its stubs do not know what its Python layer adds to the constructors


@dataclass(frozen=True, slots=True)
class Rows:
    """Issues on their way into a segment.

    ``codes`` are uint8 (n, dimension); ``dense`` tells which of them hold a vector. ``keys`` and
    ``counts`` are all issues' terms end to end, ``sizes`` says how many belong to each.
    """

    ids: Slots
    codes: Codes
    dense: NDArray[np.bool_]
    keys: Keys
    counts: Counts
    sizes: Slots

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("ids", "codes", "dense", "keys", "counts", "sizes")
            )
        )


class Ranked(NamedTuple):
    """Slots of one segment with their scores, in no order."""

    slots: Slots
    scores: Floats

    @classmethod
    def nothing(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.float32))


def encode(vectors: Floats) -> Codes:
    """Return unit vectors as 8-bit codes; the range is fixed, so that none has to be learnt."""
    return (_whole(vectors) + np.float32(128)).astype(np.uint8)


def _whole(vectors: Floats) -> Floats:
    scaled: Floats = vectors * np.float32(_scale(vectors.shape[-1]))
    return np.rint(scaled).clip(-127, 127)


def _decode(codes: Codes) -> Floats:
    return (codes.astype(np.float32) - 128) / np.float32(_scale(codes.shape[1]))


def _scale(dimension: int) -> float:
    return 127 / min(1.0, SPREAD / sqrt(dimension))


@dataclass(slots=True, eq=False)
class Segment:
    """See the module; made by `Segment.build`."""

    ids: Slots
    order: NDArray[np.int32]
    alive: NDArray[np.bool_]
    dense: NDArray[np.bool_]
    lengths: Floats
    offsets: Slots
    keys: Keys
    counts: Counts
    vocabulary: Keys
    starts: Keys
    postings: Keys
    vectors: Any
    codes: Codes
    live: int
    live_length: float
    gone: Counter[int] = field(default_factory=Counter)

    @classmethod
    def build(cls, rows: Rows, dimension: int) -> Self:
        count = len(rows.ids)
        offsets = np.concatenate(([0], np.cumsum(rows.sizes))).astype(np.int64)
        slots = np.repeat(np.arange(count, dtype=np.uint64), rows.sizes)
        packed = rows.keys.astype(np.uint64) << np.uint64(32)
        packed |= slots << np.uint64(COUNT_BITS)
        packed |= rows.counts
        packed.sort()
        sorted_keys = (packed >> np.uint64(32)).astype(np.uint32)
        postings = packed.astype(np.uint32)
        firsts = np.flatnonzero(np.diff(sorted_keys, prepend=np.uint32(0)))
        if len(sorted_keys) and sorted_keys[0] == 0:
            firsts = np.concatenate(([0], firsts))
        lengths = _sums(rows.counts, offsets)
        vectors = _faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        vectors.add_sa_codes(np.ascontiguousarray(rows.codes))
        return cls(
            ids=rows.ids,
            order=np.argsort(rows.ids).astype(np.int32),
            alive=np.ones(count, np.bool_),
            dense=rows.dense.copy(),
            lengths=lengths,
            offsets=offsets,
            keys=rows.keys.copy(),
            counts=rows.counts,
            vocabulary=sorted_keys[firsts],
            starts=np.concatenate((firsts, [len(postings)])).astype(np.uint32),
            postings=postings,
            vectors=vectors,
            codes=faiss.rev_swig_ptr(vectors.codes.data(), count * dimension).reshape(count, -1),
            live=count,
            live_length=float(lengths.sum()),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def slot_of(self, issue_id: int) -> int | None:
        """Return the slot of a live issue."""
        place = int(np.searchsorted(self.ids, issue_id, sorter=self.order))
        if place == len(self.ids):
            return None
        slot = int(self.order[place])
        return slot if self.ids[slot] == issue_id and self.alive[slot] else None

    def bury(self, slot: int) -> None:
        """Take an issue out, overwriting what was kept of it."""
        self.alive[slot] = False
        self.dense[slot] = False
        row = slice(self.offsets[slot], self.offsets[slot + 1])
        self.gone.update(self.keys[row].tolist())
        self.live -= 1
        self.live_length -= float(self.lengths[slot])
        self.codes[slot] = 0
        self.keys[row] = 0

    def rows(self, alive: NDArray[np.bool_]) -> Rows:
        """Return some of the issues, to build another segment from."""
        sizes = np.diff(self.offsets)
        kept = np.repeat(alive, sizes)
        return Rows(
            self.ids[alive],
            self.codes[alive],
            self.dense[alive],
            self.keys[kept],
            self.counts[kept],
            sizes[alive],
        )

    # ------------------------------------------------------------ searching

    def frequencies(self, keys: Keys) -> tuple[Slots, Slots]:
        """Return the place of each key in the vocabulary (-1: not there) and its live issues."""
        if not len(self.vocabulary):
            return np.full(len(keys), -1, np.int64), np.zeros(len(keys), np.int64)
        places = np.searchsorted(self.vocabulary, keys).astype(np.int64)
        places[places == len(self.vocabulary)] = 0
        found = self.vocabulary[places] == keys
        frequencies = np.where(found, self.starts[places + 1] - self.starts[places], 0).astype(
            np.int64
        )
        if self.gone:
            frequencies = frequencies - np.array(
                [self.gone[key] for key in keys.tolist()], np.int64
            )
        return np.where(found, places, -1), frequencies

    def nearest(self, vector: Floats, limit: int, banned: Slots) -> Ranked:
        """Return the slots with the vectors nearest to a unit vector; scores are unscaled."""
        wanted = self.allowed(banned) & self.dense
        available = int(wanted.sum())
        if not available:
            return Ranked.nothing()
        parameters = None
        if available < len(self):
            bits = np.packbits(wanted, bitorder="little")
            parameters = _faiss.SearchParameters(sel=_faiss.IDSelectorBitmap(bits))
        # One query cannot be split, yet idle helper threads would make it wait on a busy machine.
        # The setting belongs to the calling thread.
        _faiss.omp_set_num_threads(1)
        scores, slots = self.vectors.search(
            _whole(vector).reshape(1, -1), min(limit, available), params=parameters
        )
        return Ranked(slots[0], scores[0])

    def richest(self, scores: Floats, limit: int, banned: Slots) -> Ranked:
        """Return the slots with the highest scores above 0, given one for each slot."""
        slots = np.flatnonzero((scores > 0) & self.allowed(banned))
        if len(slots) > limit:
            slots = slots[np.argpartition(scores[slots], -limit)[-limit:]]
        return Ranked(slots, scores[slots])

    def cosines(self, vector: Floats, slots: Slots) -> Floats:
        """Return the cosine of each slot's vector, 0 where there is none."""
        if not len(slots):
            return np.empty(0, np.float32)
        return np.where(self.dense[slots], _decode(self.codes[slots]) @ vector, 0).astype(
            np.float32
        )

    def postings_of(self, places: Slots) -> tuple[Slots, Slots, Counts]:
        """Return for each posting of some words: the word's place in ``places``, slot, count."""
        owners, found = _gather(self.starts, places)
        postings = self.postings[found]
        return owners, (postings >> COUNT_BITS).astype(np.int64), postings.astype(np.uint8)

    def terms_of(self, slots: Slots) -> tuple[Slots, Keys, Counts]:
        """Return for each term of the slots: the slot's place in ``slots``, its key, its count."""
        owners, found = _gather(self.offsets, slots)
        return owners, self.keys[found], self.counts[found]

    def allowed(self, banned: Slots) -> NDArray[np.bool_]:
        """Return which slots are alive and not among the banned issues."""
        if not len(banned):
            return self.alive.copy()
        return self.alive & ~np.isin(self.ids, banned)


def _gather(starts: NDArray[Any], rows: Slots) -> tuple[Slots, Slots]:
    """Return, for all elements of some rows of a packed table, their row and their place."""
    firsts = starts[rows].astype(np.int64)
    sizes = starts[rows + 1].astype(np.int64) - firsts
    owners = np.repeat(np.arange(len(rows)), sizes)
    shift = np.repeat(firsts - (np.cumsum(sizes) - sizes), sizes)
    return owners, np.arange(len(owners)) + shift


def _sums(counts: Counts, offsets: Slots) -> Floats:
    totals = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    return (totals[offsets[1:]] - totals[offsets[:-1]]).astype(np.float32)
