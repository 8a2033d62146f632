import importlib.util
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support_copilot.analysis.encoder import Encoder, encoder
from support_copilot.analysis.model_store import read_model, write_model
from support_copilot.analysis.severity.classifier import SeverityClassifier
from support_copilot.analysis.severity.features import features_of
from support_copilot.analysis.severity.judge import SeverityJudge
from support_copilot.domain.errors import Unavailable
from support_copilot.domain.issue import Severity
from support_copilot.domain.severity_rules import SeverityRules

RULES = SeverityRules.parse(
    (files("support_copilot.defaults") / "severity_rules.toml").read_text("utf-8")
)
PACKAGED = files("support_copilot.analysis.severity") / "severity.model"
QUESTION = ("Opening hours", "When are you open on Sundays, and is there parking?")
BROKEN = ("Parcel late", "My parcel is three days late, could somebody have a look?")
CHARGED = ("Payment", "I was charged twice for one booking. Thank you for your lovely app!")
STUCK = ("Transfer", "My rent money left the account but never arrived, landlord wants me out.")


@pytest.fixture(scope="module")
def classifier():
    return SeverityClassifier.load()


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    if importlib.util.find_spec(encoder.PACKAGE) is None:
        pytest.skip("the weights are not installed")
    return Encoder.load(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def judge(classifier):
    return SeverityJudge(RULES, classifier)


@pytest.fixture(scope="module")
def words_judge(classifier):
    return SeverityJudge(RULES, classifier)


def rated(judge, vectors, issue):
    return judge.judge(*issue, vectors.encode(["\n".join(issue)])[0])


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("issue", "level"),
    [
        (QUESTION, Severity.LOW),
        (BROKEN, Severity.NORMAL),
        (CHARGED, Severity.HIGH),
        (STUCK, Severity.HIGH),
    ],
)
def test_harm_decides_the_level(judge, vectors, issue, level):
    judged = rated(judge, vectors, issue)
    assert judged.level is level
    assert judged.confidence == judged.probabilities[level]
    assert sum(judged.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert not judged.degraded
    assert judged.model_version == judge.version


def test_the_version_names_rules_and_model(words_judge, classifier):
    assert words_judge.version == f"rules-{RULES.version}+{classifier.version}"
    assert classifier.version.startswith("severity-")


def test_without_a_vector_the_words_are_judged_and_it_is_said(words_judge):
    judged = words_judge.judge(*QUESTION)
    assert judged.degraded
    assert judged.level is Severity.LOW


def test_a_floor_holds_however_sure_the_model_is(classifier):
    rules = SeverityRules.parse(
        """
        [[rule]]
        id = "parking"
        description = "Parking is our core service"
        level = "HIGH"
        effect = "floor"
        phrases = ["parking"]
        """
    )
    judged = SeverityJudge(rules, classifier).judge(*QUESTION)
    assert judged.level is Severity.HIGH
    (reason,) = [reason for reason in judged.reasons if reason.kind == "rule"]
    assert (reason.rule, reason.words) == ("parking", ("parking",))
    (change,) = [reason for reason in judged.reasons if reason.kind == "change"]
    assert (change.rule, change.level) == ("parking", Severity.LOW)


@pytest.mark.encoder
def test_reasons_show_the_model_its_words_and_its_version(judge, vectors):
    judged = rated(judge, vectors, BROKEN)
    (model,) = [reason for reason in judged.reasons if reason.kind == "model"]
    assert judge.version.endswith(model.text.rsplit("(", 1)[1].rstrip(")"))
    assert "late" in [word.casefold() for word in model.words]
    assert 0 < model.weight <= 1
    text = " ".join(BROKEN)
    assert all(word in text for word in model.words)


@pytest.mark.encoder
@pytest.mark.parametrize("issue", [QUESTION, BROKEN, CHARGED, STUCK])
def test_what_would_change_the_level_really_does(judge, vectors, issue):
    judged = rated(judge, vectors, issue)
    for change in judged.reasons:
        if change.kind != "change":
            continue
        assert change.level is not judged.level
        if change.level is None:
            assert judged.level is Severity.HIGH
            continue
        if change.rule is None:
            title, description = issue
            vector = vectors.encode(["\n".join(issue)])[0]
            if not change.words:
                assert "compromised" in change.text
                description += " And my account was hacked."
            for word in change.words:
                title = title.replace(word, "").replace(word.lower(), "")
                description = description.replace(word, "").replace(word.lower(), "")
            assert judge.judge(title, description, vector).level is change.level


def test_words_that_speak_for_a_level_are_named(classifier):
    text = "Please add a dark mode, the light one is fine but my account was hacked"
    assert "hacked" in [word for word, _ in classifier.explain(text, Severity.HIGH)]
    assert "add" in [word for word, _ in classifier.explain(text, Severity.LOW)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300), st.text(max_size=600))
def test_any_text_is_judged(title, description):
    judged = SeverityJudge(RULES, SeverityClassifier.load()).judge(title, description)
    assert 0 <= judged.confidence <= 1
    assert judged.reasons


def test_spelling_case_and_accents_hardly_matter():
    assert features_of("PRĄD nie działa").words == features_of("prad nie dziala").words
    assert features_of("at 14:20").words == features_of("at 09:55").words
    assert features_of("").words == {}


def test_a_damaged_model_is_refused(tmp_path):
    path = tmp_path / "severity.model"
    content = read_model(PACKAGED)
    write_model(path, content)
    assert SeverityClassifier.load(path).version == SeverityClassifier.load().version
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Unavailable, match="missing or damaged"):
        SeverityClassifier.load(path)
    write_model(path, b"not a model")
    with pytest.raises(Unavailable, match="cannot be read"):
        SeverityClassifier.load(path)


def test_the_model_is_small_and_learnt_with_the_encoder_in_use(classifier):
    assert PACKAGED.stat().st_size < 1_500_000
    assert classifier.encoder_version == encoder.VERSION
    assert np.isfinite(list(classifier.probabilities("hello").values())).all()
