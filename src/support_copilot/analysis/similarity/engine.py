"""Past issues like a new one, by words and by meaning, explained in the words of the query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from support_copilot.analysis.similarity import analyser
from support_copilot.analysis.similarity.index import Match, SimilarityIndex
from support_copilot.domain.similarity import IndexEntry, SimilarHit

MATCHED_WORDS = 6
NO_ENCODER = "no-encoder"


class SimilarityEngine:
    """The similarity index with its analyser. Safe to use from several threads.

    ``encoder_version`` names what made the vectors given here, None where there is no encoder.
    Vectors are float32 of ``dimension`` and of unit length.
    """

    def __init__(self, encoder_version: str | None, dimension: int = 384) -> None:
        self._encoder = encoder_version or NO_ENCODER
        self._index = SimilarityIndex(dimension)

    @property
    def fingerprint(self) -> str:
        """Names the encoder and the analyser that make entries now."""
        return _fingerprint(self._encoder)

    def __len__(self) -> int:
        return len(self._index)

    def entries(
        self, texts: Sequence[tuple[int, str, str]], vectors: NDArray[np.float32] | None
    ) -> list[IndexEntry]:
        """Return entries for ``(issue id, title, description)``, one vector a text.

        Made without vectors, they carry the fingerprint of an engine without an encoder, so that
        they are recognised as out of date once it is back.
        """
        if vectors is None:
            rows, fingerprint = [b""] * len(texts), _fingerprint(NO_ENCODER)
        else:
            rows = [row.tobytes() for row in np.asarray(vectors).astype("<f2")]
            fingerprint = self.fingerprint
        return [
            IndexEntry(issue_id, row, analyser.analyse(title, description).pack(), fingerprint)
            for (issue_id, title, description), row in zip(texts, rows, strict=True)
        ]

    def index(self, entries: Sequence[IndexEntry]) -> None:
        """Make entries searchable; one that is there is replaced.

        Of entries made by another encoder the words alone are used; entries made by another
        analyser are left out, as nothing in them can be compared.
        """
        ours = _fingerprint(self._encoder)
        self._index.add(
            [
                entry
                if entry.fingerprint == ours
                else IndexEntry(entry.issue_id, b"", entry.terms, entry.fingerprint)
                for entry in entries
                if entry.fingerprint.endswith(_fingerprint(""))
            ]
        )

    def forget(self, issue_ids: Iterable[int]) -> None:
        """Make issues unfindable before this returns."""
        self._index.remove(issue_ids)

    def search(
        self,
        title: str,
        description: str,
        vector: NDArray[np.float32] | None,
        limit: int = 5,
        without: AbstractSet[int] = frozenset(),
    ) -> list[SimilarHit]:
        """Return the issues most like a text, best first; none where nothing is like it."""
        return self.search_for(self.read(title, description), vector, limit, without)

    def read(self, title: str, description: str) -> analyser.QueryTerms:
        """Do what needs no vector; ``search_for`` does the rest."""
        return analyser.analyse_query(title, description)

    def search_for(
        self,
        query: analyser.QueryTerms,
        vector: NDArray[np.float32] | None,
        limit: int = 5,
        without: AbstractSet[int] = frozenset(),
    ) -> list[SimilarHit]:
        return [
            SimilarHit(match.issue_id, match.score, _words(match, query))
            for match in self._index.search(vector, query, limit, without)
        ]


def _fingerprint(encoder: str) -> str:
    return f"{encoder}+{analyser.VERSION}"


def _words(match: Match, query: analyser.QueryTerms) -> tuple[str, ...]:
    """Return the words of the query that brought the match about, the most telling first."""
    weights = dict(zip(query.terms.keys.tolist(), query.weights.tolist(), strict=True))
    told: defaultdict[str, float] = defaultdict(float)
    for key, gain in match.gains:
        if weights[key] == 1:
            for surface in query.surfaces[key]:
                told[surface] += gain
    return tuple(sorted(told, key=lambda word: -told[word])[:MATCHED_WORDS])
