"""A judgement of severity, with its reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from support_copilot.domain.issue import Severity

ReasonKind = Literal["rule", "model", "change"]


@dataclass(frozen=True, slots=True)
class SeverityReason:
    """One reason: a rule that fired, what the model weighed, or what would change the judgement.

    ``words`` are quoted from the text as the customer wrote them; ``weight`` is the model's
    probability for its level, or the weight a rule adds.
    """

    kind: ReasonKind
    text: str
    level: Severity | None = None
    rule: str | None = None
    words: tuple[str, ...] = ()
    weight: float | None = None

    def as_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["words"] = list(self.words)
        return data


@dataclass(frozen=True, slots=True)
class SeverityAssessment:
    """Level, probability that the level is right (0..1), reasons, and who judged.

    ``degraded`` is true where the judgement was made without the text classifier's encoder.
    """

    level: Severity
    confidence: float
    reasons: tuple[SeverityReason, ...]
    model_version: str
    probabilities: dict[Severity, float] = field(default_factory=dict)
    degraded: bool = False
