"""How probable it is that a proposed reply is sent with at most small edits.

A logistic model over four figures that never decreases when the evidence grows. The starting
coefficients were set on public support data, where "right" was "answers the same intent"; a team's
own outcomes replace them by ``fit`` as soon as there are ``MIN_OUTCOMES``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_OUTCOMES = 30
#: No evidence makes it certain that a person will agree.
CEILING = 0.95
_PENALTY = 1.0
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a candidate, each 0..1 but ``margin``, which is -1..1.

    ``score`` is its relevance to the issue, ``margin`` its distance to the best candidate that says
    something else, ``agreement`` the share of its neighbours among the candidates that say the
    same, ``curated`` 1 for a template that the team wrote and 0 for a past reply.
    """

    score: float
    margin: float
    agreement: float
    curated: float

    def row(self) -> tuple[float, float, float, float]:
        return (self.score, self.margin, self.agreement, self.curated)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal: ``sent`` with at most small edits, or not."""

    evidence: Evidence
    sent: bool


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """``weights`` belong to score, margin, agreement, curated, in this order; the first three >= 0.

    A candidate below ``min_confidence`` or with a score below ``min_score`` is not worth showing:
    the score recognises what is out of scope better than the probability does.
    """

    version: str
    intercept: float
    weights: tuple[float, float, float, float]
    min_score: float
    min_confidence: float = 0.3

    def confidence(self, evidence: Evidence) -> float:
        """Return the probability, above 0 and at most ``CEILING``."""
        pairs = zip(self.weights, evidence.row(), strict=True)
        z = self.intercept + sum(weight * value for weight, value in pairs)
        return min(CEILING, max(0.001, 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))))

    def accepts(self, evidence: Evidence) -> bool:
        """Tell whether a proposal is worth an executive's look."""
        return evidence.score >= self.min_score and self.confidence(evidence) >= self.min_confidence

    def fit(self, outcomes: Sequence[Outcome], version: str) -> ConfidenceModel:
        """Return a model fitted to outcomes, or this one where they are too few or all alike.

        Logistic regression by Newton's method with a Gaussian prior around the present
        coefficients, so that few outcomes move it a little and many a lot; weights that would
        make the confidence fall with growing evidence are held at 0.
        """
        sent = np.array([outcome.sent for outcome in outcomes], dtype=np.float64)
        if len(outcomes) < MIN_OUTCOMES or sent.min() == sent.max():
            return self
        rows = np.array([(1.0, *outcome.evidence.row()) for outcome in outcomes])
        start = np.array([self.intercept, *self.weights])
        solution = _newton(rows, sent, start)
        falling = np.flatnonzero(solution[1:4] < 0) + 1
        if falling.size:
            rows, start = rows.copy(), start.copy()
            rows[:, falling] = 0.0
            start[falling] = 0.0
            solution = _newton(rows, sent, start)
        fitted = [float(value) for value in solution]
        return ConfidenceModel(
            version=version,
            intercept=fitted[0],
            weights=(max(0.0, fitted[1]), max(0.0, fitted[2]), max(0.0, fitted[3]), fitted[4]),
            min_score=self.min_score,
            min_confidence=self.min_confidence,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ConfidenceModel:
        """Read a stored model. Raises ValueError where it is none."""
        try:
            data = json.loads(text)
            score, margin, agreement, curated = (float(weight) for weight in data["weights"])
            model = cls(
                version=str(data["version"]),
                intercept=float(data["intercept"]),
                weights=(score, margin, agreement, curated),
                min_score=float(data["min_score"]),
                min_confidence=float(data["min_confidence"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"This is no confidence model: {error!r}") from error
        if min(model.weights[:3]) < 0:
            raise ValueError("The confidence would fall with growing evidence.")
        return model


def _newton(rows: np.ndarray, sent: np.ndarray, start: np.ndarray) -> np.ndarray:
    solution = start.copy()
    for _ in range(_STEPS):
        predicted = 1 / (1 + np.exp(-np.clip(rows @ solution, -30, 30)))
        gradient = rows.T @ (predicted - sent) + _PENALTY * (solution - start)
        curvature = (rows * (predicted * (1 - predicted))[:, None]).T @ rows
        step = np.linalg.solve(curvature + _PENALTY * np.eye(len(start)), gradient)
        solution = solution - np.clip(step, -2.0, 2.0)
        if float(np.abs(step).max()) < 1e-6:
            break
    return solution


#: Scores mix the encoder's cosine with shared words.
WITH_ENCODER = ConfidenceModel(
    version="start-encoder-1", intercept=-4.7, weights=(6.5, 4.5, 0.5, 1.2), min_score=0.3
)
#: Scores are shared words alone, which run lower and tell less.
WITHOUT_ENCODER = ConfidenceModel(
    version="start-words-1", intercept=-3.7, weights=(5.2, 3.6, 0.5, 1.2), min_score=0.2
)
