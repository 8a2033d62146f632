"""Similar issues: how well they are found, beside BM25, and how fast at size.

    python benchmarks/similarity.py DATA_FOLDER --size 100000

DATA_FOLDER holds openoffice_*.parquet, stackfaq_*.parquet and askubuntu_*.parquet; without it
only speed is measured, on synthetic vectors and terms.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from support_copilot.analysis.encoder import Encoder
from support_copilot.analysis.similarity import analyser
from support_copilot.analysis.similarity.engine import SimilarityEngine
from support_copilot.analysis.similarity.index import SimilarityIndex
from support_copilot.domain.similarity import IndexEntry

DIMENSION = 384
Query = tuple[str, int | None, set[int]]
"""A text, the document it is itself, and the relevant documents."""


class BM25:
    """The peer: BM25 (k1 1.2, b 0.75) over words as sparse matrices."""

    def __init__(self, texts: list[str]) -> None:
        self.vectorizer = CountVectorizer()
        counts = self.vectorizer.fit_transform(texts).tocoo()
        lengths = np.bincount(counts.row, counts.data, len(texts))
        frequency = np.bincount(counts.col, minlength=counts.shape[1])
        rarity = np.log1p((len(texts) - frequency + 0.5) / (frequency + 0.5))
        room = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
        counts.data = rarity[counts.col] * 2.2 * counts.data / (counts.data + room[counts.row])
        self.weights = counts.tocsr().T.tocsr()

    def search(self, text: str) -> list[int]:
        words = self.vectorizer.transform([text])
        scores = (words.sign() @ self.weights).toarray()[0]
        best = np.argpartition(scores, -12)[-12:]
        return best[np.argsort(-scores[best], kind="stable")].tolist()


def corpora(data: Path) -> Iterator[tuple[str, list[tuple[int, str, str]], list[Query]]]:
    for name, every in (("openoffice", 1), ("askubuntu", 4)):
        corpus = pd.read_parquet(data / f"{name}_corpus.parquet").fillna("")
        if name == "askubuntu":
            corpus["body"] = ""
        number = {key: i for i, key in enumerate(corpus["doc_id"])}
        relevant: defaultdict[int, set[int]] = defaultdict(set)
        qrels = pd.read_parquet(data / f"{name}_qrels.parquet")
        for query, document in zip(qrels["query_id"], qrels["doc_id"], strict=True):
            relevant[number[query]].add(number[document])
        documents = list(zip(range(len(corpus)), corpus["title"], corpus["body"], strict=True))
        yield (
            f"{name}, {'title' if name == 'askubuntu' else 'title and body'}",
            documents,
            [
                (f"{documents[i][1]}\n{documents[i][2]}", i, relevant[i])
                for i in sorted(relevant)[::every]
            ],
        )
    corpus = pd.read_parquet(data / "stackfaq_corpus.parquet")
    queries = pd.read_parquet(data / "stackfaq_queries.parquet")
    number = {key: i for i, key in enumerate(corpus["faq_id"])}
    yield (
        "stackfaq, question and answers",
        [
            (i, question, "\n".join(answers))
            for i, (question, answers) in enumerate(
                zip(corpus["question"], corpus["answers"], strict=True)
            )
        ],
        [
            (f"{text}\n", None, {number[key]})
            for text, key in zip(queries["query"], queries["faq_id"], strict=True)
        ],
    )


def measure(
    queries: list[Query], search: Callable[[int, str, str], list[int]]
) -> tuple[float, float, float]:
    """Return hit@1, hit@10 and MRR@10."""
    ranks = []
    for row, (text, itself, relevant) in enumerate(queries):
        title, _, body = text.partition("\n")
        found = [one for one in search(row, title, body) if one != itself][:10]
        ranks.append(next((i for i, one in enumerate(found, 1) if one in relevant), 0))
    return (
        mean(rank == 1 for rank in ranks),
        mean(rank > 0 for rank in ranks),
        mean(1 / rank if rank else 0 for rank in ranks),
    )


def quality(data: Path, cache: Path) -> None:
    encoder = Encoder.load(cache)
    print(f"{'corpus':34}{'ranker':14}{'queries':>8}{'hit@1':>8}{'hit@10':>8}{'MRR@10':>8}")
    for name, documents, queries in corpora(data):
        texts = [f"{title}\n{body}" for _, title, body in documents]
        vectors = encoder.encode(texts) if encoder else None
        asked = None
        if encoder and vectors is not None:
            asked = np.stack(
                [
                    encoder.encode([text])[0] if itself is None else vectors[itself]
                    for text, itself, _ in queries
                ]
            )
        engine = SimilarityEngine(encoder.version if encoder else None)
        engine.index(engine.entries(documents, vectors))
        peer = BM25(texts)

        def by_words(_: int, title: str, body: str, engine: SimilarityEngine = engine) -> list[int]:
            return [hit.issue_id for hit in engine.search(title, body, None, 12)]

        rankers: dict[str, Callable[[int, str, str], list[int]]] = {
            "BM25 peer": lambda _, title, body, peer=peer: peer.search(f"{title}\n{body}"),
            "words alone": by_words,
        }
        if asked is not None:
            rankers["fused"] = lambda row, title, body, engine=engine, asked=asked: [
                hit.issue_id for hit in engine.search(title, body, asked[row], 12)
            ]
        for ranker, search in rankers.items():
            figures = measure(queries, search)
            print(f"{name:34}{ranker:14}{len(queries):8}" + "".join(f"{f:8.3f}" for f in figures))
    if encoder is None:
        print("fused: skipped, the encoder's weights are not installed")


def synthetic(size: int, seed: int) -> list[IndexEntry]:
    """Return entries with random vectors and words after Zipf: 60 words, 30 pairs each."""
    rng = np.random.default_rng(seed)
    words = np.minimum(rng.zipf(1.25, (size, 60)), 500_000)
    words = np.where(words == 500_000, rng.integers(1_000, 500_000, words.shape), words)
    pairs = words[:, :30].astype(np.uint64) * np.uint64(1 << 32) + words[:, 30:].astype(np.uint64)
    keys = np.concatenate((words.astype(np.uint64), pairs + np.uint64(1 << 52)), axis=1)
    keys = ((keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)).astype("<u4")
    vectors = rng.normal(size=(size, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    entries = []
    for i in range(size):
        found, counts = np.unique(keys[i], return_counts=True)
        packed = analyser.TermCounts(found, counts.astype(np.uint8)).pack()
        entries.append(IndexEntry(seed * 10**9 + i, vectors[i].astype("<f2").tobytes(), packed, ""))
    return entries


def query_of(entry: IndexEntry) -> tuple[np.ndarray, analyser.QueryTerms]:
    keys, counts, _ = analyser.unpack([entry.terms])
    terms = analyser.TermCounts(keys, counts)
    weights = np.ones(len(keys), np.float32)
    vector = np.frombuffer(entry.vector, "<f2").astype(np.float32)
    return vector, analyser.QueryTerms(terms, weights, {}, foreign=False)


def resident() -> float:
    """Return this process's memory in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    last = ordered[int(len(ordered) * 0.99)]
    figures = {"p50": median(ordered), "p99": last, "most": ordered[-1]}
    return ", ".join(f"{name} {figure * 1e3:.2f} ms" for name, figure in figures.items())


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def speed(size: int) -> None:
    index = SimilarityIndex(DIMENSION)
    loading = 0.0
    first = 0.0
    before = resident()
    held = 0.0
    for part in range(0, size, 5_000):
        entries = synthetic(min(5_000, size - part), seed=1 + part // 5_000)
        took = timed(lambda entries=entries: index.add(entries))
        first = first or took
        loading += took
        terms = mean(len(entry.terms) / analyser.BYTES_A_TERM for entry in entries)
    del entries
    held = resident() - before
    print(f"\n{len(index):,} issues of {terms:.0f} terms")
    print(f"load: {loading:.1f} s in batches of 5,000, the first {first:.2f} s; {held:.0f} MB")
    queries = [query_of(entry) for entry in synthetic(300, seed=900)]
    index.search(*queries[0], 5)
    print(f"search: {spread([timed(lambda q=q: index.search(*q, 5)) for q in queries])}")
    fresh = synthetic(1_000, seed=901)
    print(f"add one: {spread([timed(lambda e=e: index.add([e])) for e in fresh])}")
    print(
        f"search, after that: {spread([timed(lambda q=q: index.search(*q, 5)) for q in queries])}"
    )
    gone = [entry.issue_id for entry in fresh]
    print(f"remove one: {spread([timed(lambda i=i: index.remove([i])) for i in gone])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="?", type=Path, help="folder of the parquet files")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="for the encoder")
    chosen = parser.parse_args()
    if chosen.data and (chosen.data / "openoffice_corpus.parquet").exists():
        quality(chosen.data, chosen.cache)
    else:
        print("quality: skipped, no folder with openoffice_corpus.parquet was given")
    speed(chosen.size)


if __name__ == "__main__":
    main()
