import asyncio

import pytest

from support_copilot.analysis.together import Together


async def test_what_arrives_together_is_done_together():
    batches = []

    async def work(ids):
        batches.append(list(ids))

    together = Together(work)
    await asyncio.gather(*(together.add(i) for i in range(10)))
    assert batches == [list(range(10))]
    await together.add(11)
    assert batches[1:] == [[11]]


async def test_one_that_cannot_be_done_spoils_no_other():
    done = []

    async def work(ids):
        if 3 in ids:
            raise ValueError("three")
        done.extend(ids)

    together = Together(work)
    results = await asyncio.gather(*(together.add(i) for i in range(5)), return_exceptions=True)
    assert sorted(done) == [0, 1, 2, 4]
    assert [isinstance(result, ValueError) for result in results] == [i == 3 for i in range(5)]


async def test_one_who_gives_up_leaves_the_others_alone():
    async def work(ids):
        await asyncio.sleep(0.01)

    together = Together(work)
    gone = asyncio.create_task(together.add(1))
    stays = asyncio.create_task(together.add(2))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
