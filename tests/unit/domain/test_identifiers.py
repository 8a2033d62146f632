import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.domain.identifiers import (
    MAX_ID,
    IdGenerator,
    created_at,
    first_id_at,
    shard_of,
)


@given(
    times=st.lists(st.integers(1_704_067_200_000, 3_800_000_000_000), min_size=1, max_size=50),
    shard=st.integers(0, 255),
    node=st.integers(0, 31),
)
def test_ids_grow_and_fit_whatever_the_clock_does(times, shard, node):
    clock = iter(times)
    ids = IdGenerator(node, lambda: next(clock))
    made = [ids.new(shard) for _ in times]
    assert sorted(set(made)) == made
    assert 0 <= made[0] <= made[-1] <= MAX_ID
    assert {shard_of(one) for one in made} == {shard}


def test_an_id_tells_when_it_was_made():
    moment = datetime(2026, 3, 4, 5, 6, 7, 123000, tzinfo=UTC)
    ids = IdGenerator(clock_ms=lambda: int(moment.timestamp() * 1000))
    one = ids.new()
    assert created_at(one) == moment
    assert first_id_at(moment) <= one < first_id_at(moment.replace(microsecond=124000))


def test_more_ids_than_a_millisecond_holds_are_still_different():
    ids = IdGenerator(clock_ms=lambda: 1_800_000_000_000)
    made = [ids.new() for _ in range(2_000)]
    assert len(set(made)) == 2_000
    assert made == sorted(made)


def test_threads_and_nodes_never_share_an_id():
    made: list[int] = []
    generators = [IdGenerator(node) for node in (0, 1)]

    def make(ids):
        made.extend([ids.new() for _ in range(500)])

    threads = [threading.Thread(target=make, args=(ids,)) for ids in generators for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4_000


@pytest.mark.parametrize(("node", "shard"), [(32, 0), (-1, 0)])
def test_a_node_out_of_range_is_refused(node, shard):
    with pytest.raises(ValueError, match="node"):
        IdGenerator(node).new(shard)


def test_a_shard_out_of_range_is_refused():
    with pytest.raises(ValueError, match="shard"):
        IdGenerator().new(256)
