from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_copilot.analysis.similarity import analyser, fusion
from support_copilot.analysis.similarity.index import SimilarityIndex
from support_copilot.domain.similarity import IndexEntry

DIMENSION = 16
WORDS = ("printer", "paper", "login", "password", "invoice", "error", "the", "cable")
VECTORS = np.random.default_rng(5).normal(size=(12, DIMENSION)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


def entry(issue_id, text, vector=None):
    packed = b"" if vector is None else VECTORS[vector].astype("<f2").tobytes()
    return IndexEntry(issue_id, packed, analyser.analyse("", text).pack(), "")


def alike(words, cosine, slack):
    if cosine is None:
        return words >= fusion.LIKE_IN_WORDS_ALONE - slack
    return words >= fusion.LIKE_IN_WORDS - slack or cosine >= fusion.LIKE_IN_MEANING - slack


def reference(live, query, vector):
    """Return word score, cosine and score of every live issue, one at a time."""
    texts = {
        issue_id: dict(zip(terms.keys.tolist(), terms.counts.tolist(), strict=True))
        for issue_id, (text, _) in live.items()
        for terms in [analyser.analyse("", text)]
    }
    frequency = Counter(key for counts in texts.values() for key in counts)
    mean = max(sum(sum(counts.values()) for counts in texts.values()) / max(len(live), 1), 1)
    scores = {}
    for issue_id, (_, row) in live.items():
        counts = texts[issue_id]
        length = sum(counts.values())
        gained = best = 0.0
        for key, count, weight in zip(
            query.terms.keys.tolist(),
            query.terms.counts.tolist(),
            query.weights.tolist(),
            strict=True,
        ):
            found = frequency[key]
            rarity = np.log1p((len(live) - found + 0.5) / (found + 0.5))
            told = 2.2 * count / (count + 1.2)
            said = counts.get(key, 0)
            gained += (
                weight * rarity * told * 2.2 * said / (said + 1.2 * (0.25 + 0.75 * length / mean))
            )
            best += weight * rarity * told * told
        words = gained / best if best else 0
        if vector is None:
            scores[issue_id] = words, None, min(words, 1)
        else:
            cosine = float(VECTORS[row] @ VECTORS[vector]) if row is not None else 0
            scores[issue_id] = words, cosine, min(0.5 * words + 0.5 * max(cosine, 0), 1)
    return scores


texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
rows = st.none() | st.integers(0, len(VECTORS) - 1)
steps = st.lists(
    st.lists(st.tuples(st.integers(1, 30), texts, rows), min_size=1, max_size=4)
    | st.lists(st.integers(1, 30), max_size=6).map(frozenset),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(steps=steps, asked=texts, vector=rows, without=st.frozensets(st.integers(1, 30), max_size=2))
def test_search_equals_scoring_every_live_issue(steps, asked, vector, without):
    index = SimilarityIndex(DIMENSION)
    live = {}
    for step in steps:
        if isinstance(step, frozenset):
            index.remove(step)
            live = {key: value for key, value in live.items() if key not in step}
        else:
            index.add([entry(*one) for one in step])
            live.update({issue_id: (text, row) for issue_id, text, row in step})
    assert len(index) == len(live)
    assert all((issue_id in index) == (issue_id in live) for issue_id in range(1, 31))
    query = analyser.analyse_query("", asked)
    found = index.search(None if vector is None else VECTORS[vector], query, 100, without)
    scores = reference(live, query, vector)
    assert len({match.issue_id for match in found}) == len(found)
    for match in found:
        assert match.issue_id not in without
        assert match.score == pytest.approx(scores[match.issue_id][2], abs=0.02)
        assert alike(*scores[match.issue_id][:2], slack=0.02)
    missed = scores.keys() - without - {match.issue_id for match in found}
    assert not any(alike(*scores[issue_id][:2], slack=-0.02) for issue_id in missed)
    assert [match.score for match in found] == sorted(
        (match.score for match in found), reverse=True
    )


def test_what_is_kept_of_a_removed_issue_is_overwritten():
    index = SimilarityIndex(DIMENSION)
    index.add([entry(1, "printer login", 1), entry(2, "invoice password", 2)])
    (segment,) = index._segments
    index.remove([1])
    assert not segment.codes[0].any()
    assert not segment.keys[segment.offsets[0] : segment.offsets[1]].any()
    assert segment.codes[1].any()


def test_issues_added_one_by_one_end_in_few_segments():
    index = SimilarityIndex(DIMENSION)
    for issue_id in range(1, 1_001):
        index.add([entry(issue_id, WORDS[issue_id % 7], issue_id % 12)])
    assert len(index) == 1_000
    assert len(index._segments) < 24


def test_removing_most_gives_the_room_back_with_the_next_add():
    index = SimilarityIndex(DIMENSION)
    index.add([entry(issue_id, "printer", 1) for issue_id in range(1, 101)])
    index.remove(range(1, 91))
    index.add([entry(200, "login", 2)])
    assert sum(len(segment) for segment in index._segments) == len(index) == 11


def test_common_words_beyond_the_budget_still_count_in_the_score(monkeypatch):
    entries = [entry(i, f"printer {'paper' if i % 2 else 'cable'}") for i in range(1, 60)]
    entries.append(entry(99, "printer login"))
    index = SimilarityIndex(DIMENSION)
    index.add(entries)
    query = analyser.analyse_query("", "printer login")
    whole = index.search(None, query, 1)
    monkeypatch.setattr("support_copilot.analysis.similarity.index.POSTINGS", 3)
    assert index.search(None, query, 1) == whole


def test_the_nearest_vectors_are_found_among_many():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = SimilarityIndex(384)
    stored = [IndexEntry(i, v.astype("<f2").tobytes(), b"", "") for i, v in enumerate(vectors)]
    for start in range(0, 2_000, 700):
        index.add(stored[start : start + 700])
    query = analyser.analyse_query("", "")
    found = kept = 0
    for vector in vectors[:20]:
        near = (vector + 0.5 * vectors[0]).astype(np.float32)
        near /= np.linalg.norm(near)
        exact = {row for row, cosine in enumerate(vectors @ near) if cosine > 0.42}
        found += len(exact & {match.issue_id for match in index.search(near, query, 10)})
        kept += len(exact)
    assert found == kept >= 30


def test_damaged_entries_are_refused_and_leave_the_index_as_it_was():
    index = SimilarityIndex(DIMENSION)
    index.add([entry(1, "printer", 1)])
    for vector, terms in ((b"", b"1234567"), (b"123456", b"")):
        with pytest.raises(ValueError, match=r"five bytes|reshape"):
            index.add([IndexEntry(2, vector, terms, "")])
    assert len(index) == 1


def test_an_empty_index_answers():
    index = SimilarityIndex(DIMENSION)
    index.add([])
    index.remove([1])
    assert index.search(VECTORS[0], analyser.analyse_query("", "printer"), 5) == []


def test_scores_without_vectors_are_the_words_alone():
    words = np.array([0.2, 1.4], np.float32)
    assert fusion.fuse(words, None, foreign=True).tolist() == words.tolist()
