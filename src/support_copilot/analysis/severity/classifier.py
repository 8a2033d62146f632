"""The text classifier of severity: two linear heads, averaged and calibrated.

One head reads words and parts of words, the other the sentence encoder's vector. Both are
multinomial logistic regressions, trained by ``training/severity/train.py`` and stored as arrays.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from support_copilot.analysis.model_store import read_model, write_model
from support_copilot.analysis.severity.features import Features, features_of, weigh
from support_copilot.domain.errors import Unavailable
from support_copilot.domain.issue import Severity
from support_copilot.domain.phrases import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = tuple(Severity)
SHORTEST_WORD = 3


@dataclass(frozen=True, slots=True)
class Words:
    """A text with what its words weigh: TF-IDF ``values`` by bucket, ``logits`` by level."""

    text: str
    features: Features
    values: Mapping[int, float]
    logits: NDArray[np.float32]


class SeverityClassifier:
    """Judges a text by itself; ``version`` names the model file's content.

    ``rule_scale`` is how much the rules' weights count beside this model.
    """

    def __init__(self, content: bytes) -> None:
        """Read a model. Raises ValueError or KeyError where the content is none."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            settings: dict[str, Any] = json.loads(arrays["settings"].tobytes())
            self._idf: list[float] = arrays["idf"].astype(np.float32).tolist()
            self._word_weights: NDArray[np.float32] = arrays["word_weights"].astype(np.float32)
            self._word_bias: NDArray[np.float32] = arrays["word_bias"]
            self._vector_weights: NDArray[np.float32] = arrays["vector_weights"]
            self._vector_bias: NDArray[np.float32] = arrays["vector_bias"]
        self._vector_share = float(settings["vector_share"])
        self._temperature = float(settings["temperature"])
        self._words_temperature = float(settings["words_temperature"])
        self.rule_scale = float(settings["rule_scale"])
        self.words_rule_scale = float(settings["words_rule_scale"])
        self.encoder_version = str(settings["encoder"])
        self.version = f"severity-{hashlib.sha256(content).hexdigest()[:8]}"

    @classmethod
    def load(cls, path: Path | None = None) -> SeverityClassifier:
        """Load a model file, the packaged one by default. Raises Unavailable for a damaged one."""
        source = path or Path(str(files("support_copilot.analysis.severity"))) / "severity.model"
        content = read_model(source)
        if content is None:
            raise Unavailable(f"The severity model {source} is missing or damaged; reinstall it")
        try:
            return cls(content)
        except (ValueError, KeyError) as error:
            raise Unavailable(f"The severity model {source} cannot be read: {error}") from error

    def read(self, text: str) -> Words:
        """Weigh the words of a text: once, however often it is asked about."""
        features = features_of(text)
        values = weigh(features.words, self._idf) | weigh(features.parts, self._idf)
        rows = self._word_weights[list(values)]
        weighed = np.fromiter(values.values(), np.float32, len(values)) @ rows
        return Words(text, features, values, np.asarray(weighed + self._word_bias, np.float32))

    def probabilities(
        self, text: str | Words, vector: NDArray[np.float32] | None = None
    ) -> dict[Severity, float]:
        """Return calibrated probabilities; without a vector those of the words alone."""
        words = (self.read(text) if isinstance(text, str) else text).logits
        if vector is None:
            return _softmax(words / self._words_temperature)
        meaning = vector @ self._vector_weights + self._vector_bias
        share = self._vector_share
        joined = (1 - share) * _log_softmax(words) + share * _log_softmax(meaning)
        return _softmax(joined / self._temperature)

    def explain(
        self, read: str | Words, level: Severity, limit: int = 5
    ) -> list[tuple[str, float]]:
        """Return the words that spoke most for ``level``, heaviest first, as they were written.

        The weights are log-odds of the words' head against the mean of the other levels.
        """
        words = self.read(read) if isinstance(read, str) else read
        text, features, values = words.text, words.features, words.values
        rows = self._word_weights[list(values)]
        # A level's weight less the mean of the two others.
        lean = 1.5 * rows[:, LEVELS.index(level)] - rows.sum(axis=1) / 2
        counts = {**features.words, **features.parts}
        share = {
            bucket: value * gain / counts[bucket]
            for (bucket, value), gain in zip(values.items(), lean.tolist(), strict=True)
        }
        gains: dict[str, float] = defaultdict(float)
        spelling: dict[str, str] = {}
        before = ""
        for place in features.places:
            word = text[place.start : place.end]
            key = plain(word)
            spelling.setdefault(key, word)
            gains[key] += sum(share[bucket] for bucket in place.buckets)
            # A pair speaks for both of its words.
            for half in (before, key) if before else (key, key):
                gains[half] += share[place.pair] / 2
            before = key
        heaviest = sorted(gains.items(), key=lambda gain: -gain[1])
        return [
            (spelling[key], gain)
            for key, gain in heaviest
            if gain > 0 and len(key) >= SHORTEST_WORD and key.isalpha()
        ][:limit]


def save_classifier(path: Path, settings: dict[str, Any], arrays: dict[str, Any]) -> str:
    """Write a model file and return its version. Raises OSError."""
    buffer = io.BytesIO()
    named = np.frombuffer(json.dumps(settings, sort_keys=True).encode(), np.uint8)
    np.savez_compressed(buffer, settings=named, **arrays)
    write_model(path, buffer.getvalue())
    return SeverityClassifier(buffer.getvalue()).version


def _log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    shifted = logits - logits.max()
    return np.asarray(shifted - math.log(float(np.exp(shifted).sum())), np.float32)


def _softmax(logits: NDArray[np.floating[Any]]) -> dict[Severity, float]:
    values = np.exp(_log_softmax(logits)).tolist()
    return dict(zip(LEVELS, values, strict=True))
