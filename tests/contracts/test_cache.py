"""What every adapter of ``ports.Cache`` does."""

import pytest

from support_copilot.cache.memory_cache import MemoryCache


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory"])
async def cache(request, time):
    adapter = {"memory": lambda: MemoryCache(max_entries=3, monotonic=time)}[request.param]()
    yield adapter
    await adapter.close()


async def test_a_value_comes_back_until_its_time_is_up(cache, time):
    await cache.set("a", b"\x00one", 10)
    assert await cache.get("a") == b"\x00one"
    time.now += 9.9
    assert await cache.get("a") == b"\x00one"
    time.now += 0.2
    assert await cache.get("a") is None


async def test_setting_again_replaces_value_and_time(cache, time):
    await cache.set("a", b"1", 10)
    time.now += 9
    await cache.set("a", b"2", 10)
    time.now += 9
    assert await cache.get("a") == b"2"


async def test_a_value_without_time_is_not_kept(cache):
    await cache.set("a", b"1", 10)
    await cache.set("a", b"2", 0)
    assert await cache.get("a") is None


async def test_deleting(cache):
    await cache.set("a", b"1", 10)
    await cache.set("b", b"2", 10)
    await cache.delete("a", "b", "never there")
    assert [await cache.get("a"), await cache.get("b")] == [None, None]


async def test_a_full_cache_drops_what_was_used_least_recently(cache):
    for key in ("a", "b", "c"):
        await cache.set(key, b"x", 10)
    await cache.get("a")
    await cache.set("d", b"x", 10)
    kept = [key for key in ("a", "b", "c", "d") if await cache.get(key) is not None]
    assert kept == ["a", "c", "d"]


async def test_it_answers(cache):
    await cache.ping()
