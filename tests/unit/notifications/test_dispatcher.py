from datetime import UTC, datetime

import pytest

from support_copilot.domain.errors import Unavailable
from support_copilot.notifications.dispatcher import Dispatcher
from support_copilot.ports import Notification
from support_copilot.web.circuit_breaker import FAILURES

NEWS = Notification(
    1, "critical", 2, "SC-1 is critical", "It is HIGH.", datetime(2026, 3, 2, tzinfo=UTC)
)


class Channel:
    def __init__(self, name: str, *, works: bool = True) -> None:
        self.name = name
        self.works = works
        self.asked = 0

    async def send(self, notification: Notification) -> None:
        self.asked += 1
        if not self.works:
            raise Unavailable("no answer")


async def test_a_channel_that_is_down_is_left_alone_and_the_others_go_on():
    down, up = Channel("webhook", works=False), Channel("email")
    dispatcher = Dispatcher([down, up])
    for _ in range(FAILURES + 5):
        with pytest.raises(Unavailable):
            await dispatcher.send("webhook", NEWS)
        await dispatcher.send("email", NEWS)
    assert (down.asked, up.asked) == (FAILURES, FAILURES + 5)


async def test_what_is_for_a_channel_no_longer_configured_is_dropped():
    await Dispatcher().send("webhook", NEWS)
