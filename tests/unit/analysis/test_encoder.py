import importlib.util
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from support_copilot.analysis.encoder import Encoder, encoder
from support_copilot.analysis.encoder.graph import build_graph
from support_copilot.analysis.model_store import read_model, write_model

pytestmark = [
    pytest.mark.encoder,
    pytest.mark.skipif(
        importlib.util.find_spec(encoder.PACKAGE) is None, reason="the weights are not installed"
    ),
]

TEXTS = [
    "The parcel shows as delivered but nothing has arrived.",
    "My package was marked delivered, yet I never received it.",
    "How do I change the language of the app?",
    "Hi",
    "I was charged twice for the same booking and the second payment is still missing. " * 6,
    "",
]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def loaded(cache_dir):
    return Encoder.load(cache_dir)


@pytest.fixture
def model(loaded):
    loaded.clear_cache()
    return loaded


def test_a_vector_is_a_unit_row_of_384_for_each_text(model):
    vectors = model.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert model.dimension == 384
    assert model.version == "all-MiniLM-L6-v2-int8-53aa5117"


def test_no_texts_give_no_rows(model):
    assert model.encode([]).shape == (0, 384)


def test_a_paraphrase_is_closer_than_another_matter(model):
    delivered, never_arrived, language = model.encode(TEXTS[:3])
    assert delivered @ never_arrived > 0.5
    assert delivered @ language < 0.3


def test_a_text_has_the_same_vector_alone_and_in_company(model):
    together = model.encode(TEXTS)
    model.clear_cache()
    alone = np.vstack([model.encode([text]) for text in TEXTS])
    assert np.sum(together * alone, axis=1).min() > 0.9999


def test_int8_stays_close_to_the_full_precision(model):
    weights = Path(importlib.util.find_spec(encoder.PACKAGE).origin).parent / "model"
    full = Encoder(
        encoder.open_session(
            build_graph(load_file(weights / "model.safetensors"), int8=False), threads=2
        ),
        model._tokenizer,
    )
    sentences = [text for text in TEXTS if len(text) > 20]
    cosines = np.sum(full.encode(sentences) * model.encode(sentences), axis=1)
    assert cosines.mean() > 0.995


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=3_000))
def test_any_text_has_a_finite_unit_vector(model, text):
    assert abs(float(np.linalg.norm(model.encode([text]))) - 1) < 1e-4


def test_a_known_text_is_not_encoded_again_until_it_is_forgotten(model):
    runs = []
    run = model._run
    model._run = lambda texts: runs.append(list(texts)) or run(texts)
    try:
        first = model.encode(["one", "two", "one"])
        np.testing.assert_array_equal(model.encode(["two", "one"]), first[[1, 0]])
        model.forget(["one", "never seen"])
        model.encode(["one", "two"])
        model.encode(["three"], keep=False)
        model.encode(["three"])
    finally:
        del model._run
    assert runs == [["one", "two"], ["one"], ["three"], ["three"]]


def test_the_oldest_texts_leave_a_full_cache(model):
    small = Encoder(model._session, model._tokenizer, cache_entries=2)
    small.encode(["a", "b"])
    small.encode(["a", "c"])
    assert set(small._cache) == {encoder._key("a"), encoder._key("c")}


def test_threads_get_their_own_answers(model):
    expected = {text: model.encode([text])[0] for text in TEXTS}
    wrong = []

    def ask(text):
        for _ in range(5):
            model.forget([text])
            if model.encode([text])[0] @ expected[text] < 0.9999:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_second_start_reads_the_graph_it_kept(model, cache_dir):
    started = time.perf_counter()
    assert Encoder.load(cache_dir) is not None
    assert time.perf_counter() - started < 1
    assert len(list((cache_dir / "models").iterdir())) == 1


def test_a_damaged_graph_is_built_anew(model, tmp_path, cache_dir):
    (kept,) = (cache_dir / "models").iterdir()
    damaged = tmp_path / "models" / kept.name
    damaged.parent.mkdir()
    damaged.write_bytes(kept.read_bytes()[: 1 << 20])
    again = Encoder.load(tmp_path)
    np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))
    assert damaged.read_bytes() == kept.read_bytes()


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, caplog):
    (tmp_path / "models").write_text("a file in the way")
    assert Encoder.load(tmp_path) is not None
    assert "cannot write" in caplog.text


def test_without_the_weights_there_is_no_encoder_and_a_reason(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(encoder, "PACKAGE", "weights_that_nobody_has")
    assert Encoder.load(tmp_path) is None
    assert "weights_that_nobody_has is not installed" in caplog.text


def test_other_weights_are_refused(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    assert Encoder.load(tmp_path) is None
    assert "model.safetensors is not the file" in caplog.text


def test_a_model_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "file"
    assert read_model(path) is None
    write_model(path, b"first")
    write_model(path, b"second")
    assert read_model(path) == b"second"
    assert [file.name for file in path.parent.iterdir()] == ["file"]
    path.write_bytes(path.read_bytes()[:-1])
    assert read_model(path) is None
