"""Train the severity classifier on our own messages and write the packaged model file.

    python training/severity/train.py [--encoder-cache DIR]

Every choice (regularisation, the two heads' shares, the weight of the rules, the temperatures)
is made on out-of-fold predictions of grouped cross-validation; a group is a pair of contrasting
messages, else an industry. Takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score
from sklearn.model_selection import GroupKFold

from support_copilot.analysis.encoder import Encoder
from support_copilot.analysis.severity.classifier import LEVELS, save_classifier
from support_copilot.analysis.severity.features import (
    TOTAL_BUCKETS,
    Features,
    features_of,
    weigh,
)
from support_copilot.domain.issue import Severity
from support_copilot.domain.severity_rules import SeverityRules, combine

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "src/support_copilot/analysis/severity/severity.model"
FOLDS = 5
WORD_C = (10.0, 30.0, 100.0)
VECTOR_C = (1.0, 3.0, 10.0)
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7)
RULE_SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
Array = np.ndarray[Any, np.dtype[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder-cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    messages = read_messages()
    texts = [message["text"] for message in messages]
    truth = np.array([LEVELS.index(Severity(message["severity"])) for message in messages])
    groups = [message["pair"] or message["industry"] for message in messages]
    features = [features_of(text) for text in texts]
    encoder = Encoder.load(arguments.encoder_cache)
    if encoder is None:
        raise SystemExit("The encoder's weights are needed for training")
    vectors = encoder.encode(texts)
    rules = SeverityRules.parse(
        (files("support_copilot.defaults") / "severity_rules.toml").read_text("utf-8")
    )
    hits = [rules.match("", text) for text in texts]
    folds = list(
        GroupKFold(FOLDS, shuffle=True, random_state=0).split(truth, truth, np.array(groups))
    )

    matrices = [word_matrix(features, inverse_frequencies(features, train)) for train, _ in folds]
    words = {c: out_of_fold(lambda fold: matrices[fold], truth, folds, c) for c in WORD_C}
    meanings = {c: out_of_fold(lambda _: vectors, truth, folds, c) for c in VECTOR_C}

    def judged(logs: Array, scale: float, temperature: float) -> tuple[Array, Array]:
        scaled = np.exp(logs / temperature)
        rows = scaled / scaled.sum(axis=1, keepdims=True)
        levels, after = [], []
        for row, row_hits in zip(rows, hits, strict=True):
            level, probabilities = combine(
                row_hits, dict(zip(LEVELS, row.tolist(), strict=True)), scale
            )
            levels.append(LEVELS.index(level))
            after.append([probabilities[level] for level in LEVELS])
        return np.array(levels), np.array(after)

    def calibrated(logs: Array, scale: float) -> float:
        def loss(temperature: float) -> float:
            _, after = judged(logs, scale, temperature)
            return float(-np.log(after[np.arange(len(truth)), truth] + 1e-12).mean())

        return float(minimize_scalar(loss, bounds=(0.3, 3), method="bounded").x)

    def macro_f1(logs: Array, scale: float) -> float:
        return float(f1_score(truth, judged(logs, scale, 1.0)[0], average="macro"))

    word_c, vector_c, share, scale = max(
        product(WORD_C, VECTOR_C, SHARES, RULE_SCALES),
        key=lambda choice: macro_f1(
            joined(words[choice[0]], meanings[choice[1]], choice[2]), choice[3]
        ),
    )
    words_scale = max(RULE_SCALES, key=lambda choice: macro_f1(words[word_c], choice))
    both = joined(words[word_c], meanings[vector_c], share)
    temperature = calibrated(both, scale)
    words_temperature = calibrated(words[word_c], words_scale)
    report("words and vector, with rules", truth, *judged(both, scale, temperature))
    plain = np.exp(both / temperature)
    plain /= plain.sum(axis=1, keepdims=True)
    report("words and vector, without rules", truth, plain.argmax(axis=1), plain)
    report("words alone, with rules", truth, *judged(words[word_c], words_scale, words_temperature))

    idf = inverse_frequencies(features, range(len(texts)))
    word_head = fit(word_matrix(features, idf), truth, word_c)
    vector_head = fit(vectors, truth, vector_c)
    settings = {
        "encoder": encoder.version,
        "messages": len(texts),
        "rule_scale": scale,
        "temperature": temperature,
        "vector_c": vector_c,
        "vector_share": share,
        "word_c": word_c,
        "words_rule_scale": words_scale,
        "words_temperature": words_temperature,
    }
    arrays = {
        "idf": idf.astype(np.float16),
        "word_weights": word_head.coef_.T.astype(np.float16),
        "word_bias": word_head.intercept_.astype(np.float32),
        "vector_weights": vector_head.coef_.T.astype(np.float32),
        "vector_bias": vector_head.intercept_.astype(np.float32),
    }
    version = save_classifier(MODEL, settings, arrays)
    print(f"{version}: {MODEL.stat().st_size:,} bytes, {json.dumps(settings)}")


def read_messages() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for file in sorted((HERE / "messages").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
        if line.strip()
    ]


def inverse_frequencies(features: Sequence[Features], rows: Sequence[int]) -> Array:
    found = np.zeros(TOTAL_BUCKETS)
    for row in rows:
        found[list(features[row].words)] += 1
        found[list(features[row].parts)] += 1
    return np.log((1 + len(rows)) / (1 + found)) + 1


def word_matrix(features: Sequence[Features], idf: Array) -> csr_matrix:
    scale = idf.tolist()
    rows = [weigh(row.words, scale) | weigh(row.parts, scale) for row in features]
    return csr_matrix(
        (
            np.array([value for row in rows for value in row.values()]),
            np.array([bucket for row in rows for bucket in row]),
            np.cumsum([0, *(len(row) for row in rows)]),
        ),
        shape=(len(rows), TOTAL_BUCKETS),
    )


def fit(inputs: Any, truth: Array, c: float) -> LogisticRegression:
    # Balanced: a desk's share of HIGH is not ours, and a missed one costs most.
    return LogisticRegression(C=c, max_iter=1_000, class_weight="balanced").fit(inputs, truth)


def out_of_fold(
    inputs: Callable[[int], Any], truth: Array, folds: Sequence[tuple[Array, Array]], c: float
) -> Array:
    logs = np.zeros((len(truth), len(LEVELS)))
    for number, (train, test) in enumerate(folds):
        matrix = inputs(number)
        logs[test] = fit(matrix[train], truth[train], c).predict_log_proba(matrix[test])
    return logs


def joined(words: Array, meanings: Array, share: float) -> Array:
    return (1 - share) * words + share * meanings


def expected_calibration_error(confidence: Array, right: Array, bins: int = 10) -> float:
    """Return the mean gap of confidence and accuracy over equal-width bins (Naeini 2015)."""
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[places == place].mean() - right[places == place].mean())
        * (places == place).mean()
        for place in np.unique(places)
    ]
    return float(sum(gaps))


def report(name: str, truth: Array, levels: Array, probabilities: Array) -> None:
    high = LEVELS.index(Severity.HIGH)
    confidence = probabilities[np.arange(len(truth)), levels]
    figures = {
        "macro-F1": f1_score(truth, levels, average="macro"),
        "HIGH recall": recall_score(truth == high, levels == high),
        "HIGH precision": precision_score(truth == high, levels == high),
        "kappa": cohen_kappa_score(truth, levels, weights="quadratic"),
        "ECE": expected_calibration_error(confidence, levels == truth),
    }
    print(name, {key: round(float(value), 3) for key, value in figures.items()})


if __name__ == "__main__":
    main()
