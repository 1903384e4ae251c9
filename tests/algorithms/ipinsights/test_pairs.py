"""What becomes of the texts of a pair, and of the pairs that are generated."""

from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
import pytest

from clary.algorithms.ipinsights import hashing
from clary.algorithms.ipinsights.pairs import pairs_of
from clary.algorithms.ipinsights.sampling import Negatives
from clary.algorithms.ipinsights.spec import PAIR
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.ipinsights.training import TRAIN, batch

# Of the xxHash library itself, seed 0
XXH64 = {
    "": 0xEF46DB3751D8E999,
    "a": 0xD24EC4F1A98C6E5B,
    "abc": 0x44BC2CF5AD770999,
    "Nobody inspects the spammish repetition": 0xFBCEA83C8A378BF1,
}


@pytest.mark.parametrize("text", XXH64)
def test_entities_are_hashed_by_xxh64(text: str) -> None:
    data = np.frombuffer(b"x" + text.encode(), np.uint8)
    assert hashing.xxh64(data, 1, len(data)) == XXH64[text]


def test_an_entity_is_its_bytes_whatever_stands_around_it() -> None:
    texts = pa.array(["ignored", "abc", "ü", "abc"]).slice(1)
    places = [XXH64["abc"] % 10**6, _of("ü"), XXH64["abc"] % 10**6]
    assert hashing.places(texts, 10**6).tolist() == places


def _of(text: str) -> int:
    data = np.frombuffer(text.encode(), np.uint8)
    return int(hashing.xxh64(data, 0, len(data)) % np.uint64(10**6))


def test_numbers_are_no_pairs() -> None:
    with pytest.raises(CallerError, match="must be 2 strings"):
        pairs_of(Batch(np.ones((3, 2), np.float32)), 10, PAIR)


def test_each_pair_has_its_own_address_then_random_ones_then_those_of_others() -> None:
    pairs = pairs_of(batch(TRAIN[:1000]), 50, PAIR)
    negatives = Negatives.drawn(1000, 2, 3, np.random.default_rng(0))
    found = negatives.addresses(pairs, np.arange(1000))
    low = found.low.reshape(1000, 6)
    own = pairs.addresses.low
    assert (low[:, 0] == own).all()
    for at, offset in enumerate(negatives.offsets):
        assert offset % 1000 != 0
        assert (low[:, 3 + at] == np.roll(own, -offset)).all()
    octets = low[:, 1:3].reshape(-1, 1).astype(np.uint32).view(np.uint8)
    # Each of 8,000 octets is uniform: the mean is within five of its standard deviations of 127.5
    assert abs(octets.mean() - 127.5) < 5 * np.sqrt((256**2 - 1) / 12 / octets.size)
    assert len(np.unique(octets)) == 256


def test_a_part_of_a_mini_batch_draws_as_the_whole_does() -> None:
    pairs = pairs_of(batch(TRAIN[:100]), 50, PAIR)
    negatives = Negatives.drawn(100, 3, 1, np.random.default_rng(0))
    whole = negatives.addresses(pairs, np.arange(100)).low.reshape(100, 5)
    part = negatives.addresses(pairs, np.array([70, 7])).low.reshape(2, 5)
    assert (part == whole[[70, 7]]).all()


def test_random_addresses_are_of_the_family_of_the_pair() -> None:
    pairs = pairs_of(batch([("a", "2001:db8::1"), ("b", "192.0.2.7")] * 500), 50, PAIR)
    negatives = Negatives.drawn(1000, 1, 0, np.random.default_rng(0))
    found = negatives.addresses(pairs, np.arange(1000))
    six = (found.high.astype(object) << 64) | found.low.astype(object)
    assert (found.family.reshape(-1, 2) == pairs.addresses.family[:, None]).all()
    drawn = [ipaddress.IPv6Address(int(one)) for one in six[1::4]]
    assert all(one in ipaddress.IPv6Network("2000::/3") for one in drawn)
    assert len(set(drawn)) == 500
    assert (found.high[3::4] == 0).all()
    assert found.low[3::4].max() < 2**32
