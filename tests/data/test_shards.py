from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clary.data.shards import host_items, share, shuffled
from clary.data.sources import Item, Source

_NAMES = st.lists(st.text(max_size=8), max_size=30, unique=True)
_SEEDS = st.integers(0, 2**32)


def _same(name: str) -> str:
    return name


@given(names=_NAMES, hosts=st.integers(1, 7))
def test_each_object_is_of_one_host_and_shares_are_equal(names: list[str], hosts: int) -> None:
    shares = [share(names, rank, hosts) for rank in range(hosts)]
    assert sorted(name for part in shares for name in part) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(names=_NAMES, seed=_SEEDS, epoch=st.integers(0, 9))
def test_a_part_is_shuffled_as_within_the_whole(names: list[str], seed: int, epoch: int) -> None:
    part = names[::2]
    whole = shuffled(names, seed, epoch, _same)
    assert shuffled(part, seed, epoch, _same) == [name for name in whole if name in set(part)]
    assert shuffled(names[::-1], seed, epoch, _same) == whole


def test_seed_and_epoch_decide_the_order() -> None:
    names = [f"part-{number}" for number in range(20)]
    orders = {
        (seed, epoch): tuple(shuffled(names, seed, epoch, _same))
        for seed in range(3)
        for epoch in range(3)
    }
    # 20! orders: no two of nine are equal by chance.
    assert len(set(orders.values())) == 9
    assert shuffled(names, None, 5, _same) == names


def test_the_order_is_the_same_on_every_machine() -> None:
    assert shuffled(["a", "b", "c", "d"], 7, 1, _same) == ["d", "b", "a", "c"]


def test_shuffled_shards_move_between_hosts() -> None:
    source = Source("train", "s3://b/p", distribution="ShardedByS3Key", shuffle_seed=1)
    items = [Item(f"part-{number}", ()) for number in range(12)]
    first = [{item.name for item in host_items(source, items, 0, 2, epoch)} for epoch in range(3)]
    assert all(len(part) == 6 for part in first)
    assert first[0] != first[1] != first[2]


def test_replicated_channels_give_everything_to_every_host() -> None:
    items = [Item(f"part-{number}", ()) for number in range(5)]
    assert host_items(Source("train", "s3://b/p"), items, 1, 3, 0) == items
