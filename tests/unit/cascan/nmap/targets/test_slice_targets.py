"""What is left of targets: every address once, in nmap's order, without the excludes; counted, never enumerated."""

import itertools
import re
import shutil
import subprocess
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.target_set import (
    Exclusion,
    count_addresses,
    enumerate_slice,
    parse_target,
    parse_targets,
    slice_targets,
)
from tests.support.no_hang import no_hang

NEAR = st.integers(0, 9)  # small numbers, so that expressions meet
ITEM = st.one_of(
    NEAR.map(str),
    st.tuples(NEAR, NEAR).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    st.integers(253, 255).map(lambda low: f"{low}-"),
    st.integers(0, 2).map(lambda high: f"-{high}"),
)
OCTETS = st.one_of(NEAR.map(str), st.lists(ITEM, min_size=1, max_size=2).map(",".join))
FAR = st.integers(0, 255).map(str)
RANGE = st.one_of(
    st.tuples(FAR, FAR, OCTETS, OCTETS).map(".".join),
    st.tuples(st.just("10"), NEAR.map(str), OCTETS, OCTETS).map(".".join),
    st.builds(lambda octets, bits: f"10.0.{octets[0]}.{octets[1]}/{bits}", st.tuples(FAR, FAR), st.integers(25, 32)),
)
ENTRY = st.builds(lambda third, last, mask: f"10.0-9.{third}.{last}{mask}", NEAR, ITEM, st.sampled_from(["", "/28"]))


def left(expressions: Sequence[str], excludes: Sequence[str] = (), family: int = 4) -> list[TargetSlice]:
    return list(slice_targets(parse_targets(expressions, family), Exclusion.parse(excludes, family)))


def listed(slices: list[TargetSlice], family: int = 4) -> list[str]:
    return [address for part in slices for address in enumerate_slice(part, family, {})]


def held_by(expressions: Sequence[str]) -> list[str]:
    """Every address of every expression, by brute force."""
    targets = parse_targets(expressions)
    products = (itertools.product(*target.octets) for target in targets)  # type: ignore[union-attr]
    return [".".join(map(str, octets)) for octets in itertools.chain(*products)]


@pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
@settings(max_examples=40, deadline=None)
@given(st.lists(RANGE, min_size=50, max_size=50))
def test_fifty_expressions_at_a_time_are_the_addresses_of_nmap_in_its_order(expressions: list[str]) -> None:
    run = subprocess.run(["nmap", "-n", "-sL", *expressions], capture_output=True, text=True, timeout=250, check=True)
    by_nmap = re.findall(r"^Nmap scan report for (\S+)$", run.stdout, re.MULTILINE)
    assert held_by(expressions) == by_nmap
    assert listed(left(expressions)) == list(dict.fromkeys(by_nmap))  # nmap repeats what two expressions hold


@settings(max_examples=300, deadline=None)
@given(st.lists(RANGE, min_size=1, max_size=6), st.lists(st.one_of(ENTRY, RANGE), max_size=5))
def test_excludes_and_repeats_are_taken_out_as_by_brute_force(expressions: list[str], excludes: list[str]) -> None:
    excludes = [entry for entry in excludes if "," not in entry]
    excluded = set(held_by(excludes))
    slices = left(expressions, excludes)
    expected = [address for address in dict.fromkeys(held_by(expressions)) if address not in excluded]
    assert listed(slices) == expected
    assert count_addresses(slices) == len(expected)
    assert all(part.start < part.stop for part in slices)


@pytest.mark.parametrize(
    ("expressions", "excludes", "count"),
    [
        (["10.0.0.0/8"], ["10.0.0.1"], 2**24 - 1),
        (["10.0.0.0/8"], ["10.*.*.1"], 2**24 - 2**16),
        (["10.0.0.0/8"], ["*.*.*.1"], 2**24 - 2**16),  # of a wide exclude only what the targets reach is looked at
        (["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/2"], 2**30),
        (["10.0.0.0/8", "10.1.2.3", "10.0.0.0-255"], [], 2**24),
        (["10.1.2.3", "10.0.0.0/8"], [], 2**24),
        (["*.*.*.1,3,5"], [], 3 * 2**24),  # nothing else is near it: its gaps cost nothing
        (["10.0.0.1", "10.0.0.1/32", "10.0.0.1-1"], [], 1),
        (["10.0.0.0/24"], ["10.0.0.0/16"], 0),
    ],
)
def test_what_is_left_is_counted_in_arithmetic(expressions: list[str], excludes: list[str], count: int) -> None:
    assert count_addresses(left(expressions, excludes)) == count


def test_an_address_stays_with_the_first_target_that_holds_it() -> None:
    assert left(["10.0.0.4-5", "10.0.0.0/29", "10.0.0.6-9"]) == [
        TargetSlice("10.0.0.4-5", 0, 2),
        TargetSlice("10.0.0.0/29", 0, 4),
        TargetSlice("10.0.0.0/29", 6, 8),
        TargetSlice("10.0.0.6-9", 2, 4),
    ]


def test_names_are_compared_by_name() -> None:
    slices = left(["Example.org", "example.org.", "example.org/24", "10.0.0.1"], ["10.0.0.0/8"])
    assert [part.expression for part in slices] == ["Example.org", "example.org/24"]
    assert count_addresses(slices) == 1 + 256


def test_ipv6_networks_overlap_by_address_and_zone() -> None:
    slices = left(["2001:db8::/126", "2001:db8::2/127", "2001:db8::4"], ["2001:db8::1"], 6)
    assert listed(slices, 6) == ["2001:db8::", "2001:db8::2", "2001:db8::3", "2001:db8::4"]
    assert count_addresses(left(["fe80::1%a", "fe80::1%b", "fe80::1%a"], [], 6)) == 2
    assert count_addresses(left(["2001:db8::/32"], ["2001:db8::/33"], 6)) == 2**95


def test_overlaps_without_end_are_refused() -> None:
    with pytest.raises(RequestRefused, match="write networks"):
        left(["*.*.*.1,3,5", "10.0.0.0/8"])


def test_an_octet_range_knows_how_many_of_its_addresses_are_lower() -> None:
    target = parse_target("10.0-1.2,4.7-8")
    addresses = [int.from_bytes(map(int, address.split("."))) for address in target.addresses()]  # type: ignore[union-attr]
    for probe in [0, 10 << 24, *(number + step for number in addresses for step in (-1, 0, 1)), 1 << 32]:
        assert target.rank(probe) == sum(number < probe for number in addresses)  # type: ignore[union-attr]


def test_a_wide_network_minus_many_addresses_is_not_walked_through() -> None:
    excludes = [f"10.{n >> 4}.{n & 15}.{n % 200}" for n in range(4_000)]
    tracemalloc.start()
    with no_hang():
        assert count_addresses(left(["10.0.0.0/8"], excludes)) == 2**24 - 4_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
