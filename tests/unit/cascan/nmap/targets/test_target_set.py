"""Targets: the same addresses in the same order as nmap's own list scan, which sends nothing."""

import ipaddress
import itertools
import re
import shutil
import subprocess
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.target_set import (
    Exclusion,
    Name,
    Network6,
    Octets,
    enumerate_slice,
    pack_shards,
    parse_target,
    parse_targets,
    slice_targets,
)
from tests.support.no_hang import no_hang

needs_nmap = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
against_nmap = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])

OCTET = st.integers(0, 255)
ITEM = st.one_of(
    OCTET.map(str),
    st.tuples(OCTET, st.integers(0, 5)).map(lambda t: f"{t[0]}-{min(255, t[0] + t[1])}"),
    st.integers(250, 255).map(lambda low: f"{low}-"),
    st.integers(0, 4).map(lambda high: f"-{high}"),
)
OCTETS = st.one_of(st.lists(ITEM, min_size=1, max_size=3).map(",".join), OCTET.map(str))
RANGE = st.builds(
    lambda octets, bits: ".".join(octets) + (f"/{bits}" if bits else ""),
    st.lists(OCTETS, min_size=4, max_size=4),
    st.one_of(st.none(), st.integers(24, 32)),
)
NETWORK6 = st.builds(
    lambda number, bits: str(ipaddress.IPv6Address(number)) + (f"/{bits}" if bits else ""),
    st.integers(1 << 33, (1 << 128) - 1),
    st.one_of(st.none(), st.integers(121, 128)),
)


def listed_by_nmap(expression: str, *options: str) -> list[str]:
    run = subprocess.run(
        ["nmap", "-n", "-sL", *options, "--", expression], capture_output=True, text=True, timeout=250, check=True
    )
    return re.findall(r"^Nmap scan report for (\S+)$", run.stdout, re.MULTILINE)


@needs_nmap
@against_nmap
@given(RANGE)
def test_octet_ranges_are_the_addresses_of_nmap_in_its_order(expression: str) -> None:
    target = parse_target(expression)
    if target.count > 600:
        return
    addresses = list(target.addresses())  # type: ignore[union-attr]
    assert addresses == listed_by_nmap(expression)
    assert len(addresses) == target.count


@needs_nmap
@settings(parent=against_nmap, max_examples=40)
@given(NETWORK6)
def test_ipv6_networks_are_the_addresses_of_nmap_in_its_order(expression: str) -> None:
    try:
        target = parse_target(expression, 6)
    except RequestRefused:
        assert expression.startswith("::ffff:")
        return
    assert isinstance(target, Network6)
    assert list(target.addresses()) == listed_by_nmap(expression, "-6")


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("10.0.0.0/8", 2**24),
        ("0.0.0.0/0", 2**32),
        ("*.*.*.*", 2**32),
        ("10.0.0-255.1,3-5", 1024),
        ("127.0.0.*/31", 256),
        ("10.0.0-3.1,5/30", 32),
        ("1.2.3.4/32", 1),
        ("example.org", 1),
        ("example.org/24", 256),
    ],
)
def test_targets_are_counted_without_enumerating(expression: str, count: int) -> None:
    assert parse_target(expression).count == count


def test_an_ipv6_network_is_counted_whatever_its_size() -> None:
    assert (parse_target("2001:db8::/32", 6).count, parse_target("fe80::1%eth0/127", 6).count) == (2**96, 2)


@given(RANGE, st.data())
def test_a_slice_is_what_the_whole_holds_there(expression: str, data: st.DataObject) -> None:
    target = parse_target(expression)
    assert isinstance(target, Octets)
    start = data.draw(st.integers(0, min(target.count, 2000)))
    stop = data.draw(st.integers(start, min(target.count, start + 500)))
    whole = itertools.islice(itertools.product(*target.octets), start, stop)
    assert list(target.addresses(start, stop)) == [".".join(map(str, octets)) for octets in whole]


AMBIGUOUS = [
    ("127.1", "written in full"),
    ("127.0.1", "written in full"),
    ("0", "written in full"),
    ("256", "written in full"),
    ("2130706433", "written in full"),
    ("2130706433/30", "written in full"),
    ("0x7f000001", "written in full"),
    ("0x7f.1", "written in full"),
    ("0x7f.0.0.1", "written in full"),
    ("017700000001", "written in full"),
    ("0177.0.0.1", "octal"),
    ("10.0.0.01", "octal"),
    ("10.0.0.1-010", "octal"),
    ("127.0.0.1.", "written in full"),
    ("1.2.3.256", "written in full"),
    ("1.2.3.5-3", "written in full"),
    ("1.2.3.4.5", "written in full"),
    ("1.2.3.", "written in full"),
    ("1.2.3,.4", "written in full"),
    ("example.1", "written in full"),
    ("example.0x7f", "written in full"),
    ("1.2.3.4/33", "from 0 to 32"),
    ("1.2.3.4/", "from 0 to 32"),
    ("1.2.3.4/+24", "from 0 to 32"),
    ("1.2.3.4/0x18", "from 0 to 32"),
    ("1.2.3.4/24/25", "written in full"),
    ("", "printable ASCII"),
    ("10.0.0.1 10.0.0.2", "entry of its own"),
    ("10.0.0.1\n", "printable ASCII"),
    ("ex\u00e4mple.org", "xn--exmple-cua.org"),
    ("b\u00fccher.example", "xn--bcher-kva.example"),
    ("fa\u00df.de", "xn--fa-hia.de"),  # not fass.de, which is somebody else's
    ("\u4f8b\u3048.jp", "xn--r8jz45g.jp"),
    ("a\u2010b.org", "printable ASCII"),
    ("127.0.0.1:8080", "write 127.0.0.1"),
    ("example.org:443", "write example.org"),
    ("[::1]:80", "write ::1"),
    ("-oX", "neither an address"),
    ("a..b", "neither an address"),
    ("-", "written in full"),
    (".", "neither an address"),
    ("http://example.org", "a URL is not a target"),
    ("example.org/index.html", "from 0 to 32"),
    ("[::1]", "not an IPv6 address"),
    ("::1", "needs -6"),
    ("x" * 64 + ".org", "neither an address"),
    ("a" * 2000, "more than 1024"),
    ("$(id)", "neither an address"),
    ("10.0.0.1;id", "neither an address"),
]


@pytest.mark.parametrize(("expression", "why"), AMBIGUOUS)
def test_a_spelling_that_could_mean_something_else_is_refused(expression: str, why: str) -> None:
    with pytest.raises(RequestRefused, match=re.escape(why)):
        parse_target(expression)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("127.0.0.1", "without -6"),
        ("::ffff:127.0.0.1", "embedded IPv4"),
        ("::ffff:7f00:1/120", "embedded IPv4"),
        ("::1%lo", "link-local"),
        ("2001:db8::1%eth0", "link-local"),
        ("fe80::1%", "not an IPv6 address"),
        ("fe80::1%a/b/64", "from 0 to 128"),
        ("2001:db8::/129", "from 0 to 128"),
        ("2001:db8::1::2", "not an IPv6 address"),
        ("1:2", "not an IPv6 address"),
    ],
)
def test_an_ipv6_spelling_that_could_mean_something_else_is_refused(expression: str, why: str) -> None:
    if expression == "fe80::1%a/b/64":
        why = "not an IPv6 address"
    with pytest.raises(RequestRefused, match=re.escape(why)):
        parse_target(expression, 6)


def test_every_refused_target_is_told_at_once() -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_targets(["127.1", "10.0.0.1", "::1"])
    assert [reason.split(":")[0] for reason in refused.value.reasons] == ["target '127.1'", "target '"]


def test_a_name_is_kept_in_lower_case_without_the_roots_dot() -> None:
    assert parse_target("DB-1.Example.ORG./24") == Name("DB-1.Example.ORG./24", "db-1.example.org", 4, 24)


def test_a_pinned_name_is_its_address_with_the_names_mask() -> None:
    name = parse_target("example.org/30")
    assert isinstance(name, Name)
    assert list(name.pin("10.0.0.6").addresses()) == ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]
    name6 = parse_target("example.org/127", 6)
    assert isinstance(name6, Name)
    assert list(name6.pin("2001:db8::1").addresses()) == ["2001:db8::", "2001:db8::1"]
    with pytest.raises(RequestRefused, match="not an IPv4 address"):
        name.pin("2001:db8::1")


def test_shards_together_hold_every_address_once_and_in_order() -> None:
    targets = parse_targets(["10.0.0.0/29", "10.1.0.1-3,7", "10.2.0.0"])
    shards = list(pack_shards(slice_targets(targets), 5))
    pinned = [[address for part in shard for address in enumerate_slice(part, 4, {})] for shard in shards]
    assert list(map(len, pinned)) == [5, 5, 3]
    assert list(itertools.chain(*pinned)) == [address for target in targets for address in target.addresses()]  # type: ignore[union-attr]


def test_a_shard_never_holds_more_slices_than_fit_its_item() -> None:
    shards = list(
        pack_shards(slice_targets(parse_targets([f"10.0.0.{last}" for last in range(10)])), 256, max_slices=4)
    )
    assert list(map(len, shards)) == [4, 4, 2]


def test_a_network_of_sixteen_million_is_packed_in_arithmetic() -> None:
    tracemalloc.start()
    with no_hang():
        shards = sum(1 for _ in pack_shards(slice_targets([parse_target("10.0.0.0/8")]), 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shards == 65_536
    assert peak < 2_000_000


def test_a_slice_of_a_name_is_cut_from_each_of_its_blocks_once() -> None:
    part = TargetSlice("example.org/30", 1, 3)
    resolved = {"example.org": ("10.0.0.6", "10.0.0.5", "10.9.9.9")}
    assert list(enumerate_slice(part, 4, resolved)) == ["10.0.0.5", "10.0.0.6", "10.9.9.9", "10.9.9.10"]
    assert list(enumerate_slice(part, 4, {})) == []


def test_excludes_are_exact_where_those_of_nmap_are_not() -> None:
    nested = Exclusion.parse(["10.200.0.0/16,10.0.0.0/8"])  # nmap would still scan 10.128.0.0/9
    assert all(nested.contains(address) for address in ("10.0.0.0", "10.128.0.1", "10.200.3.4", "10.255.255.255"))
    assert not nested.contains("11.0.0.0")
    assert nested.intervals == ((0x0A000000, 0x0AFFFFFF),)


@given(st.lists(RANGE, max_size=5), st.lists(RANGE, min_size=1, max_size=3))
def test_an_address_is_excluded_exactly_when_an_entry_holds_it(entries: list[str], probes: list[str]) -> None:
    entries = [entry for entry in entries if "," not in entry]
    exclusion = Exclusion.parse(entries)
    held = [set(parse_target(entry).addresses(0, 3000)) for entry in entries if parse_target(entry).count <= 3000]  # type: ignore[union-attr]
    if len(held) != len(entries):
        return
    for probe in [*probes, *entries]:
        for address in parse_target(probe).addresses(0, 50):  # type: ignore[union-attr]
            assert exclusion.contains(address) == any(address in addresses for addresses in held)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("example.org", "exclude the address itself"),
        ("127.1", "written in full"),
        ("0177.0.0.1", "octal"),  # as a target nmap reads 177.0.0.1, as an exclude 127.0.0.1
        ("10.0.0.1,3", "written in full"),
        ("::1", "needs -6"),
    ],
)
def test_an_exclude_that_is_no_plain_address_is_refused(entry: str, why: str) -> None:
    with pytest.raises(RequestRefused, match=re.escape(why)):
        Exclusion.parse([entry])


def test_ipv6_excludes_hold_networks_and_addresses() -> None:
    exclusion = Exclusion.parse(["2001:db8::/64", "2001:db8:1::7"], 6)
    assert exclusion.contains("2001:db8::ffff")
    assert exclusion.contains("2001:db8:1:0::7")
    assert not exclusion.contains("2001:db8:1::8")
