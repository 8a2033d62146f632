import re
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_copilot.analysis.summarization.sentences import MAX_CHARS, is_wrapping, sentences
from support_copilot.analysis.summarization.summarizer import MAX_SENTENCES, Summarizer
from support_copilot.domain.conversation import Message, Sender
from support_copilot.domain.issue import Status

C, S = Sender.CUSTOMER, Sender.SUPPORT


def conversation(*turns):
    now = datetime(2025, 1, 1, tzinfo=UTC)
    return [Message(i, 1, text, sender, now) for i, (sender, text) in enumerate(turns, 1)]


def texts(part):
    return [one.text for one in part]


def parts_of(summary):
    return (summary.problem, summary.tried, summary.outcome, summary.open_points)


@pytest.fixture(params=["words", "encoder"])
def summarizer(request):
    return Summarizer(lengths if request.param == "encoder" else None)


def lengths(found):
    rows = np.ones((len(found), 384), dtype=np.float32)
    rows[:, 0] = [len(text) for text in found]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


RESOLVED = conversation(
    (
        C,
        "Hi all,\nmy bridge lost all lamps with the update. The app shows error 42.\n\nCheers\nA.",
    ),
    (S, "Hi Anna, thank you for contacting us. Please restart the bridge and open the app again."),
    (C, "I restarted the bridge twice, it still does not find the lamps."),
    (S, "Thanks for trying. We have reset the pairing on our side. Best regards,\nTom"),
    (C, "Great, all lamps are working again now. Thank you!"),
    (S, "You're welcome! Have a nice day."),
)


def test_a_resolved_conversation(summarizer):
    summary = summarizer.summarise(RESOLVED, Status.RESOLVED)
    assert texts(summary.problem) == [
        "my bridge lost all lamps with the update.",
        "The app shows error 42.",
    ]
    assert texts(summary.tried) == [
        "Please restart the bridge and open the app again.",
        "I restarted the bridge twice, it still does not find the lamps.",
    ]
    assert texts(summary.outcome) == [
        "We have reset the pairing on our side.",
        "Great, all lamps are working again now.",
    ]
    assert summary.open_points == ()
    assert [one.message_ids for one in summary.tried] == [(2,), (3,)]
    assert summary.model_version == summarizer.version


def test_a_failure_after_the_repair_is_the_outcome(summarizer):
    summary = summarizer.summarise(
        [*RESOLVED[:4], *conversation((C, "It still does not work."))], Status.OPEN
    )
    assert texts(summary.outcome) == ["It still does not work."]


def test_open_points(summarizer):
    summary = summarizer.summarise(
        conversation(
            (C, "My parcel with the lamps never arrived."),
            (S, "We will send a replacement by Friday. Could you please confirm your address?"),
        ),
        Status.IN_PROGRESS,
    )
    assert texts(summary.open_points) == [
        "We will send a replacement by Friday.",
        "Could you please confirm your address?",
    ]
    assert summary.outcome == ()


def test_an_unanswered_question_is_open(summarizer):
    summary = summarizer.summarise(
        conversation(
            (C, "My lamp is broken."),
            (S, "We have replaced the lamp."),
            (C, "When will it arrive here?"),
        )
    )
    assert texts(summary.open_points) == ["When will it arrive here?"]


def test_a_closed_issue_takes_the_last_word_of_support(summarizer):
    turns = conversation((C, "Is the lamp dimmable?"), (S, "All bulbs of that series dim to 1 %."))
    assert summarizer.summarise(turns, Status.OPEN).outcome == ()
    assert texts(summarizer.summarise(turns, Status.CLOSED).outcome) == [
        "All bulbs of that series dim to 1 %."
    ]


@pytest.mark.parametrize(
    "turns",
    [[], [(C, "ok")], [(S, "Hello!")], [(C, ""), (S, " \n ")], [(C, "\U0001f62d\U0001f62d")]],
)
def test_conversations_that_say_nothing(summarizer, turns):
    assert not any(parts_of(summarizer.summarise(conversation(*turns))))


def test_only_the_customer_speaks(summarizer):
    summary = summarizer.summarise(conversation((C, "The lamp is dead. I want a refund.")))
    assert texts(summary.problem) == ["The lamp is dead.", "I want a refund."]
    assert summary.outcome == ()


def test_only_support_speaks(summarizer):
    summary = summarizer.summarise(conversation((S, "Please update the app to the new version.")))
    assert summary.problem == ()
    assert texts(summary.tried) == ["Please update the app to the new version."]


def test_five_hundred_messages_in_a_second(summarizer):
    long = conversation(
        *[
            (
                C if i % 2 else S,
                f"Lamp {i} still fails. I tried reset {i}. Please check device {i}?",
            )
            for i in range(500)
        ]
    )
    started = time.perf_counter()
    summarizer.summarise(long)
    assert time.perf_counter() - started < 1


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([C, S]),
            st.text(max_size=120)
            | st.lists(
                st.sampled_from(
                    [
                        "It fails.",
                        "please restart",
                        "we will call by Monday!",
                        "why?",
                        "@a http://x.y",
                    ]
                )
            ).map(" ".join),
        ),
        max_size=8,
    )
)
def test_every_sentence_is_quoted_and_bounded(turns):
    messages = conversation(*turns)
    by_id = {message.id: message.message for message in messages}
    for part in parts_of(Summarizer().summarise(messages, Status.CLOSED)):
        assert len(part) <= MAX_SENTENCES
        for one in part:
            assert 0 < len(one.text) <= MAX_CHARS
            (message_id,) = one.message_ids
            rest = iter(by_id[message_id])
            assert all(character in rest for character in re.sub(r"\s|\u2026$", "", one.text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We ship approx. 5 days to Dr. Weber, e.g. on Monday. ok then we wait",
         ["We ship approx. 5 days to Dr. Weber, e.g. on Monday.", "ok then we wait"]),
        ("i tried it. it failed! what now??", ["i tried it.", "it failed!", "what now??"]),
        ("Version 3.5.1 of Node.js fails. See www.x.com. It crashed",
         ["Version 3.5.1 of Node.js fails.", "See.", "It crashed"]),
        ("@shop @help it broke \U0001f621 https://t.co/x ^MG", ["it broke"]),
        ("Es geht z.B. nicht\nmehr an. Ab dem 3. Mai warten wir.",
         ["Es geht z.B. nicht mehr an.", "Ab dem 3. Mai warten wir."]),
        ("- item one\n- item two\n1. open it", ["item one", "item two", "open it"]),
        ("\u52d5\u304d\u307e\u305b\u3093\uff01\u3069\u3046\u3059\u308c\u3070\uff1f",
         ["\u52d5\u304d\u307e\u305b\u3093\uff01", "\u3069\u3046\u3059\u308c\u3070\uff1f"]),
        ("It broke.\n\nBest regards,\nAnna Weber\nTel 123", ["It broke."]),
        ("It broke.\n\nOn Mon, 3 May Anna wrote:\n> old text", ["It broke."]),
        ("On Mon, 3 May Anna wrote:\n> old text\n\nMy answer below.", ["My answer below."]),
        ("Dear team,\nthank you for your patience. It broke.\n--\nAnna", ["It broke."]),
    ],
)  # fmt: skip
def test_sentences(text, expected):
    assert sentences(text) == expected


def test_text_without_an_end_is_cut():
    found = sentences("the lamp blinks and " * 60)
    assert len(found) > 3
    assert all(len(one) <= MAX_CHARS for one in found)


@pytest.mark.parametrize(
    "text", ["Hi Anna,", "Thank you so much!", "You're welcome.", "Have a great day!", "ok", "123"]
)
def test_courtesy_says_nothing(text):
    assert is_wrapping(text)
