import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.analysis.recommendation.candidates import best_replies, candidates, substance
from support_copilot.analysis.recommendation.confidence import (
    CEILING,
    WITH_ENCODER,
    WITHOUT_ENCODER,
    ConfidenceModel,
    Evidence,
    Outcome,
)
from support_copilot.analysis.recommendation.recommender import Recommender
from support_copilot.domain.recommendation import PastReply, Template

TEMPLATES = [
    Template(
        1,
        "Reset a bulb that is offline",
        "Hi {customer.first_name},\nswitch the bulb off and on five times to reset it, then add it "
        "to the app again.",
        "connection",
    ),
    Template(
        2,
        "Refund for a cancelled order",
        "Your order is cancelled and the refund reaches your bank in five days.",
        "orders",
    ),
    Template(
        3, "Change the delivery address", "Open Orders, choose Delivery and edit it.", "orders"
    ),
]


def reply(issue, message, text, title="Bulb offline", similarity=0.5, name="Anna Weber"):
    return PastReply(
        issue, 100 + issue, title, message, text, name, "anna@x.test", None, similarity
    )


@pytest.fixture(params=["words", "encoder"])
def recommender(request):
    return Recommender(hashing if request.param == "encoder" else None)


def hashing(texts):
    """Encode by shared letter triples: a small encoder with the real one's shape."""
    rows = np.full((len(texts), 384), 1e-6, dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        padded = f" {text.lower()} "
        for i in range(len(padded) - 2):
            row[sum(ord(c) * 31**k for k, c in enumerate(padded[i : i + 3])) % 384] += 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def test_the_fitting_template_comes_first(recommender):
    found = recommender.propose(
        "My bulb is offline, how can I reset the bulb?", templates=TEMPLATES, replies=[]
    )
    assert found[0].template_text.startswith("Hi {customer.first_name},")
    assert found[0].sources[0].kind == "template"
    assert found[0].sources[0].id == "1"
    assert 0 < found[0].confidence < 1
    assert found[0].model_version == recommender.version


@pytest.mark.parametrize(
    "text", ["", "   ", "!!! ???", "xq zzv wwkkpl", "You are wonderful people"]
)
def test_no_good_proposal_is_an_answer(recommender, text):
    assert recommender.propose(text, templates=TEMPLATES, replies=[]) == []
    assert recommender.propose(text, templates=[], replies=[]) == []


def test_past_replies_are_proposed_without_the_other_customer(recommender):
    text = "Hi Anna, please hold the switch of bulb 48213-77 for ten seconds to reset it, Anna."
    found = recommender.propose(
        "The bulb is offline and the switch does not reset it",
        templates=[],
        replies=[reply(1, 5, text), reply(1, 6, "You're welcome, Anna! Closing this.")],
    )
    assert len(found) == 1
    assert "Anna" not in found[0].template_text
    assert "48213" not in found[0].template_text
    source = found[0].sources[0]
    assert (source.kind, source.id, source.number, source.message_id) == (
        "issue",
        "1",
        "SC-101",
        "5",
    )


def test_the_same_reply_is_proposed_once_with_all_its_sources(recommender):
    advice = "please hold the switch of the bulb for ten seconds to reset it."
    found = recommender.propose(
        "bulb offline, switch does not reset the bulb",
        templates=[],
        replies=[
            reply(1, 5, f"Hi Anna, {advice}"),
            reply(2, 6, f"Hi Ben, {advice}", name="Ben Ray"),
        ],
    )
    assert [[source.id for source in one.sources] for one in found] == [["1", "2"]]


def test_limit_and_order(recommender):
    found = recommender.propose(
        "cancelled order refund delivery address reset bulb",
        templates=TEMPLATES,
        replies=[],
        limit=2,
    )
    assert len(found) <= 2
    confidences = [one.confidence for one in found]
    assert confidences == sorted(confidences, reverse=True)
    ranked = recommender.ranked("cancelled order refund", TEMPLATES, [])
    scores = [evidence.score for _, evidence in ranked]
    assert scores == sorted(scores, reverse=True)


def test_the_reply_that_helped_is_chosen():
    chosen = best_replies(
        [
            reply(1, 1, "Thanks for contacting us! Could you please send us the serial number?"),
            reply(1, 2, "Please update the app and restart the bridge; that repairs the pairing."),
            reply(1, 3, "You're welcome! I am closing this ticket."),
            reply(2, 4, "Happy to hear that. Have a nice day!"),
        ]
    )
    assert [(one.message_id, text) for one, text in chosen] == [
        (2, "Please update the app and restart the bridge; that repairs the pairing.")
    ]
    assert substance("Thank you!") == 0


def test_empty_template_is_no_candidate():
    assert candidates([Template(1, "Empty", "  ")], []) == []


def test_many_long_candidates_are_quick(recommender):
    templates = [
        Template(i, f"Topic {i} lamp", f"Sentence about lamp {i} number. " * 40) for i in range(150)
    ]
    assert len(recommender.ranked("lamp number topic", templates, [])) <= 150


UNIT = st.floats(0, 1)


@given(
    st.sampled_from([WITH_ENCODER, WITHOUT_ENCODER]),
    UNIT, st.floats(-1, 1), UNIT, st.sampled_from([0.0, 1.0]),
    UNIT, UNIT, UNIT,
)  # fmt: skip
def test_confidence_never_falls_with_more_evidence(
    model, score, margin, agreement, curated, more_score, more_margin, more_agreement
):
    less = model.confidence(Evidence(score, margin, agreement, curated))
    more = model.confidence(
        Evidence(score + more_score, margin + more_margin, agreement + more_agreement, curated)
    )
    assert 0 < less <= more <= CEILING < 1


def outcomes(count, seed=1):
    random = np.random.default_rng(seed)
    rows = random.uniform(size=(count, 3))
    sent = random.uniform(size=count) < 1 / (1 + np.exp(4 - 8 * rows[:, 0]))
    return [
        Outcome(Evidence(float(a), float(b) - 0.5, float(c), 1.0), bool(s))
        for (a, b, c), s in zip(rows, sent, strict=True)
    ]


def test_fit_calibrates_on_outcomes():
    train, test = outcomes(600), outcomes(600, seed=2)
    fitted = WITHOUT_ENCODER.fit(train, "fitted-1")

    def brier(model):
        return np.mean([(model.confidence(one.evidence) - one.sent) ** 2 for one in test])

    assert fitted.version == "fitted-1"
    assert brier(fitted) < brier(WITHOUT_ENCODER)
    assert min(fitted.weights[:3]) >= 0


def test_fit_keeps_confidence_monotone_when_outcomes_speak_against_it():
    contrary = [Outcome(one.evidence, not one.sent) for one in outcomes(500)]
    assert min(WITH_ENCODER.fit(contrary, "x").weights[:3]) >= 0


@pytest.mark.parametrize(
    "given_outcomes", [outcomes(29), [Outcome(Evidence(1, 0, 0, 1), True)] * 50]
)
def test_too_few_or_uniform_outcomes_change_nothing(given_outcomes):
    assert WITH_ENCODER.fit(given_outcomes, "x") is WITH_ENCODER


def test_model_is_stored_as_json():
    assert ConfidenceModel.from_json(WITH_ENCODER.to_json()) == WITH_ENCODER


@pytest.mark.parametrize("text", ["", "[]", "{}", WITH_ENCODER.to_json().replace("6.5", "-1")])
def test_what_is_no_model_is_refused(text):
    with pytest.raises(ValueError, match=r"no confidence model|growing evidence"):
        ConfidenceModel.from_json(text)
