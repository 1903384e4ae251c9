"""Addresses are what Python's `ipaddress` takes them for."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs.addresses import is_address, parsed


def known(text: str) -> tuple[int, int]:
    """Family, or 0, and number as `ipaddress` has them; an IPv4 address within IPv6 is that."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return 0, 0
    if isinstance(found, ipaddress.IPv6Address):
        # Here no zone is taken, which is of one machine
        if found.scope_id is not None:
            return 0, 0
        found = found.ipv4_mapped or found
    return found.version, int(found)


def read(text: str) -> tuple[int, int]:
    found = parsed(pa.array([text], pa.string()))
    family = int(found.family[0])
    return (family, int(found.high[0]) << 64 | int(found.low[0])) if family else (0, 0)


@given(st.ip_addresses())
def test_every_address_is_read(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    for text in (str(address), address.exploded, str(address).upper()):
        assert read(text) == known(text) != (0, 0)


@given(st.text("0123456789abF:. %/", max_size=20))
def test_nothing_else_is(text: str) -> None:
    assert read(text) == known(text)


@given(st.ip_addresses(v=6), st.integers(0, 40), st.sampled_from("0:.g1 "))
def test_a_character_more_is_told(address: ipaddress.IPv6Address, at: int, more: str) -> None:
    text = str(address)[:at] + more + str(address)[at:]
    assert read(text) == known(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.2.3", "1.2.3.4.5", "999.1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1..2.3",
     "1.2.3.4:80", "1.2.3.0/24", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
     "12345::", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "localhost", "\uff11.2.3.4"],
)  # fmt: skip
def test_these_are_none(text: str) -> None:
    assert not is_address(text)


def test_a_part_of_a_column_is_read_as_such() -> None:
    column = pa.array(["1.2.3.4", "192.0.2.7", "2001:db8::1", "x"]).slice(1, 2)
    found = parsed(column)
    assert found.family.tolist() == [4, 6]
    assert found.low.tolist() == [0xC0000207, 1]
    assert found.high.tolist() == [0, 0x20010DB800000000]
    assert len(parsed(column.slice(0, 0)).family) == 0
