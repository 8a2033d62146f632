import threading

import numpy as np
import pytest

from support_copilot.analysis.encoder import Encoder
from support_copilot.analysis.similarity import analyser
from support_copilot.analysis.similarity.engine import SimilarityEngine
from support_copilot.domain.similarity import IndexEntry

ISSUES = [
    (1, "Cannot sign in since yesterday", "The login page says my password is wrong."),
    (2, "Invoice shows the wrong amount", "I was charged twice for the March subscription."),
    (3, "Printer offline", "The office printer stops with error 0x80070005 after the update."),
    (4, "Export to CSV is empty", "The downloaded file has a header but no rows."),
    (5, "App crashes on start", "It closes on my phone right after the splash screen."),
    (6, "Parcel never arrived", "Tracking says delivered, but there is nothing at the door."),
]


def words_only(issues=ISSUES):
    engine = SimilarityEngine(None)
    engine.index(engine.entries(issues, None))
    return engine


def ids(hits):
    return [hit.issue_id for hit in hits]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    loaded = Encoder.load(tmp_path_factory.mktemp("encoder"))
    if loaded is None:
        pytest.skip("the encoder's weights are not installed")
    return loaded


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("title", "description", "expected"),
    [
        ("Locked out of my account", "It does not accept my credentials any more", 1),
        ("Billing mistake", "You took the money two times this month", 2),
        ("Package lost", "The courier claims it was handed over, I got nothing", 6),
    ],
)
def test_the_same_problem_in_other_words_is_found_first(encoder, title, description, expected):
    engine = SimilarityEngine(encoder.version)
    vectors = encoder.encode([f"{title}\n{description}" for _, title, description in ISSUES])
    engine.index(engine.entries(ISSUES, vectors))
    vector = encoder.encode([f"{title}\n{description}"])[0]
    hits = engine.search(title, description, vector)
    assert hits[0].issue_id == expected
    assert all(0 <= hit.score <= 1 for hit in hits)


@pytest.mark.encoder
def test_nothing_is_similar_to_a_text_about_something_else(encoder):
    engine = SimilarityEngine(encoder.version)
    vectors = encoder.encode([f"{title}\n{description}" for _, title, description in ISSUES])
    engine.index(engine.entries(ISSUES, vectors))
    title = "Which wine goes with grilled salmon"
    assert engine.search(title, "", encoder.encode([title])[0]) == []


def test_without_vectors_words_find_issues_in_other_inflections():
    assert ids(words_only().search("Printers keep printing errors after updating", "", None))[
        :1
    ] == [3]


def test_an_error_code_finds_its_issue():
    hits = words_only().search("What is 0x80070005?", "", None)
    assert ids(hits) == [3]
    assert hits[0].matched_words == ("0x80070005",)


def test_matched_words_are_words_of_the_query_as_written():
    title, description = "INVOICES wrong", "Charged twice! Naïve Subscriptions…"
    hits = words_only().search(title, description, None)
    assert hits[0].issue_id == 2
    assert {"INVOICES", "wrong", "Charged", "Subscriptions"} <= set(hits[0].matched_words)
    assert all(word in f"{title} {description}" for word in hits[0].matched_words)


def test_the_issue_itself_can_be_left_out():
    _, title, description = ISSUES[0]
    engine = words_only()
    assert ids(engine.search(title, description, None))[0] == 1
    assert 1 not in ids(engine.search(title, description, None, without={1}))


def test_an_identical_text_scores_nearly_one():
    _, title, description = ISSUES[2]
    assert words_only().search(title, description, None)[0].score > 0.9


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Der Drucker druckt nicht mehr über WLAN", "Drucker druckt nicht UEBER WLAN".lower()),
        ("Café-Bestellung nicht angekommen", "CAFE\u0301 Bestellung"),
        ("プリンターが印刷できません", "プリンターの印刷が止まる"),
        ("登录页面提示密码错误", "密码错误怎么办"),
        ("प्रिंटर काम नहीं कर रहा है", "प्रिंटर काम नहीं"),
        ("Принтер не печатает", "ПРИНТЕР сломан"),
        ("الطابعة لا تعمل", "الطابعة معطلة"),
    ],
)
def test_other_scripts_are_found_by_their_words(stored, asked):
    engine = words_only([*ISSUES, (7, stored, "")])
    hits = engine.search(asked, "", None)
    assert hits[0].issue_id == 7
    assert hits[0].matched_words


@pytest.mark.parametrize("text", ["", " \n\t", "😀😀", "!!! ??? …", "\u0000\ud800", "\u0301"])
def test_texts_without_words_are_like_nothing_and_harm_nothing(text):
    engine = words_only([*ISSUES, (7, text, text)])
    assert engine.search(text, text, None) == []
    assert ids(engine.search(*ISSUES[3][1:], None))[0] == 4


def test_huge_texts_are_indexed_by_their_beginning():
    huge = "the quarterly ledger import fails " + "lorem ipsum dolor " * 100_000
    engine = words_only([*ISSUES, (7, "x" * 100_000, huge)])
    assert ids(engine.search("quarterly ledger import", "", None)) == [7]
    assert len(engine.entries([(7, "", huge)], None)[0].terms) < 100


def test_entries_give_the_same_answers_after_a_restart():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(ISSUES), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    before = SimilarityEngine("encoder-1")
    entries = before.entries(ISSUES, vectors)
    before.index(entries)
    after = SimilarityEngine("encoder-1")
    for entry in reversed(entries):
        after.index([entry])
    for row, (_, title, description) in enumerate(ISSUES):
        expected = before.search(title, description, vectors[row], limit=10)
        again = after.search(title, description, vectors[row], limit=10)
        assert ids(again) == ids(expected)
        assert [hit.score for hit in again] == pytest.approx([hit.score for hit in expected])
        assert [hit.matched_words for hit in again] == [hit.matched_words for hit in expected]


def test_an_issue_indexed_again_is_found_by_its_new_text_only():
    engine = words_only()
    engine.index(engine.entries([(3, "Keyboard layout changes", "Umlauts are gone")], None))
    assert len(engine) == len(ISSUES)
    assert ids(engine.search("printer 0x80070005", "", None)) == []
    assert ids(engine.search("keyboard umlauts", "", None)) == [3]


def test_entries_made_without_an_encoder_are_recognised_as_out_of_date():
    engine = SimilarityEngine("encoder-1")
    (entry,) = engine.entries([ISSUES[0]], None)
    assert entry.fingerprint == SimilarityEngine(None).fingerprint
    assert entry.fingerprint != engine.fingerprint
    engine.index([entry])
    assert ids(engine.search(*ISSUES[0][1:], None)) == [1]


def test_vectors_of_another_encoder_are_not_compared():
    vector = np.full((1, 384), 384**-0.5, np.float32)
    engine = SimilarityEngine("encoder-2")
    engine.index(SimilarityEngine("encoder-1").entries([ISSUES[0]], vector))
    assert engine.search("", "", vector[0]) == []
    engine.index(engine.entries([ISSUES[0]], vector))
    assert ids(engine.search("", "", vector[0])) == [1]


def test_entries_of_another_analyser_are_left_out():
    engine = SimilarityEngine(None)
    engine.index([IndexEntry(1, b"", b"", "no-encoder+words-0")])
    assert len(engine) == 0


def test_words_weigh_more_where_the_text_is_not_english():
    german = analyser.analyse_query("Ich kann mich nicht anmelden und das Passwort ist falsch", "")
    english = analyser.analyse_query("I cannot sign in and the password is wrong", "")
    assert german.foreign
    assert not english.foreign
    assert analyser.analyse_query("密码错误怎么办", "").foreign


def test_an_erased_issue_is_never_found_again_while_others_search_and_write():
    issues = [(i, f"Printer {i} offline", f"Error {i % 7} on floor {i % 11}") for i in range(400)]
    engine = words_only(issues)
    erased: set[int] = set()
    wrong: list[int] = []
    done = threading.Event()

    def search():
        while not done.is_set():
            gone = set(erased)
            found = ids(engine.search("Printer offline", "Error on floor", None, limit=400))
            wrong.extend(gone & set(found))

    def write():
        number = 1_000
        while not done.is_set():
            number += 1
            engine.index(engine.entries([(number, "Printer offline", "Error on floor")], None))

    threads = [threading.Thread(target=search), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for start in range(0, 400, 8):
        batch = list(range(start, start + 8))
        engine.forget(batch)
        erased.update(batch)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not set(range(400)) & set(ids(engine.search("Printer offline", "", None, limit=2000)))
