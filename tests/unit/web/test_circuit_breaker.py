import asyncio

import pytest

from support_copilot.domain.errors import Unavailable
from support_copilot.web.circuit_breaker import CircuitBreaker


class Hands:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def call(breaker, error=None):
    async with breaker.guard():
        if error:
            raise error
        return "answered"


async def fail(breaker, times):
    for _ in range(times):
        with pytest.raises(ConnectionError):
            await call(breaker, ConnectionError())


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def breaker(hands) -> CircuitBreaker:
    return CircuitBreaker("the webhook", failures=3, open_seconds=30, monotonic=hands)


async def test_it_stays_closed_while_calls_succeed_in_between(breaker):
    await fail(breaker, 2)
    assert await call(breaker) == "answered"
    await fail(breaker, 2)
    assert breaker.state == "closed"


async def test_after_failures_in_a_row_nobody_is_asked_until_the_time_is_over(breaker, hands):
    await fail(breaker, 3)
    assert breaker.state == "open"
    with pytest.raises(Unavailable, match="the webhook"):
        await call(breaker)
    hands.now = 31
    assert breaker.state == "half-open"
    assert await call(breaker) == "answered"
    assert breaker.state == "closed"


async def test_a_failed_probe_opens_it_again_at_once(breaker, hands):
    await fail(breaker, 3)
    hands.now = 31
    await fail(breaker, 1)
    assert breaker.state == "open"
    hands.now = 62
    assert await call(breaker) == "answered"


async def test_one_probe_at_a_time(breaker, hands):
    await fail(breaker, 3)
    hands.now = 31
    entered, leave = asyncio.Event(), asyncio.Event()

    async def probe():
        async with breaker.guard():
            entered.set()
            await leave.wait()

    task = asyncio.create_task(probe())
    await entered.wait()
    with pytest.raises(Unavailable):
        await call(breaker)
    leave.set()
    await task
    assert await call(breaker) == "answered"


async def test_a_cancelled_call_is_nobodys_failure(breaker, hands):
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError):
            await call(breaker, asyncio.CancelledError())
    assert breaker.state == "closed"
    await fail(breaker, 3)
    hands.now = 31
    with pytest.raises(asyncio.CancelledError):
        await call(breaker, asyncio.CancelledError())
    assert await call(breaker) == "answered"
