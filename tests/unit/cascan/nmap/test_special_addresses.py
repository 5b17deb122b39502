"""The rows of the IANA registries of special-purpose addresses, and what becomes of an address of each."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from cascan.nmap.special_addresses import (
    IPV4,
    LOW_32_BITS,
    HiddenIPv4,
    Use,
    is_public,
    list_public_ipv4,
    special_blocks,
    to_effective_address,
)
from cascan.permissions.scope import Scope

# block → globally reachable, as the registry has it on 2026-11; what it calls N/A is no
IPV4_REGISTRY = {
    "0.0.0.0/8": False,
    "0.0.0.0/32": False,
    "10.0.0.0/8": False,
    "100.64.0.0/10": False,
    "127.0.0.0/8": False,
    "169.254.0.0/16": False,
    "172.16.0.0/12": False,
    "192.0.0.0/24": False,
    "192.0.0.0/29": False,
    "192.0.0.8/32": False,
    "192.0.0.9/32": True,
    "192.0.0.10/32": True,
    "192.0.0.170/31": False,
    "192.0.2.0/24": False,
    "192.31.196.0/24": True,
    "192.52.193.0/24": True,
    "192.88.99.0/24": False,
    "192.168.0.0/16": False,
    "192.175.48.0/24": True,
    "198.18.0.0/15": False,
    "198.51.100.0/24": False,
    "203.0.113.0/24": False,
    "240.0.0.0/4": False,
    "255.255.255.255/32": False,
}
IPV6_REGISTRY = {
    "::1/128": False,
    "::/128": False,
    "100::/64": False,
    "100:0:0:1::/64": False,
    "2001:1::1/128": True,
    "2001:1::2/128": True,
    "2001:1::3/128": True,
    "2001:2::/48": False,
    "2001:3::/32": True,
    "2001:4:112::/48": True,
    "2001:10::/28": False,
    "2001:db8::/32": False,
    "2620:4f:8000::/48": True,
    "3fff::/20": False,
    "5f00::/16": False,
    "fc00::/7": False,
    "fe80::/10": False,
}
IDENTIFIERS = ("2001:20::/28", "2001:30::/28")  # called reachable, but no host has one: ORCHIDv2, drones
ASSIGNED_OTHERWISE = ("224.0.0.0/4", "fec0::/10", "ff00::/8", "4000::/3", "e000::/4", "200::/7", "2001:100::/24")
EMBEDDING = [  # address of 8.8.8.8, of 10.1.0.1
    ("::ffff:8.8.8.8", "::ffff:10.1.0.1"),
    ("::8.8.8.8", "::10.1.0.1"),
    ("::ffff:0:808:808", "::ffff:0:a01:1"),
    ("64:ff9b::8.8.8.8", "64:ff9b::10.1.0.1"),
    ("2002:808:808::1", "2002:a01:1:7::1"),
    ("2600::5efe:8.8.8.8", "2600:0:0:1::5efe:10.1.0.1"),
    ("2600::200:5efe:8.8.8.8", "2600:1::200:5efe:10.1.0.1"),
]
HIDING = ["2001::1", "2001:0:5ef5:79fd::1", "64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"]


@pytest.mark.parametrize(("network", "is_reachable"), [*IPV4_REGISTRY.items(), *IPV6_REGISTRY.items()])
def test_a_block_of_the_registry_is_public_if_it_is_globally_reachable(network: str, is_reachable: bool) -> None:
    block = ip_network(network)
    for address in (block[0], block[-1]):
        if network != "::/128" or address != block[-1]:
            assert is_public(address.version, int(address)) is is_reachable, address


@pytest.mark.parametrize("network", [*IDENTIFIERS, *ASSIGNED_OTHERWISE])
def test_what_no_host_of_the_internet_has_is_not_public(network: str) -> None:
    block = ip_network(network)
    for address in (block[0], block[-1]):
        assert not is_public(address.version, int(address)), address


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00::1", "2001:200::1", "2003::1"])
def test_addresses_in_no_block_are_public(address: str) -> None:
    value = ip_address(address)
    assert is_public(value.version, int(value))


@pytest.mark.parametrize(("public", "private"), EMBEDDING)
def test_an_embedded_ipv4_address_is_judged_as_itself(public: str, private: str) -> None:
    assert (to_effective_address(public).text, to_effective_address(private).text) == ("8.8.8.8", "10.1.0.1")
    assert is_public(6, int(IPv6Address(public)))
    assert not is_public(6, int(IPv6Address(private)))


@pytest.mark.parametrize(("public", "private"), EMBEDDING)
def test_a_domain_covers_an_embedded_address_only_where_it_covers_the_ipv4_address(public: str, private: str) -> None:
    scope = Scope.of(["example.org"])
    isatap = public.startswith("2600")  # its prefix is a network of its own, which the domain does not name
    assert (scope.find_address_refusal(public, "www.example.org") is None) is not isatap
    assert scope.find_address_refusal(private, "www.example.org")


@pytest.mark.parametrize("embedded", ["169.254.169.254", "169.254.170.2", "0.0.0.0", "224.0.0.1", "255.255.255.255"])  # noqa: S104  # nothing is bound
def test_what_is_never_scanned_is_not_scanned_through_any_prefix(embedded: str) -> None:
    number = int(IPv4Address(embedded))
    forms = [1 << 127 >> 2 | number | 0x5EFE << 32, 0xFFFF << 32 | number, 0xFFFF << 48 | number]
    forms += [int(IPv6Address("64:ff9b::")) | number, int(IPv6Address("2002::")) | number << 80, number or 1 << 64]
    scope = Scope.of(["0.0.0.0/0", "::/0", "example.org"])
    for form in forms[:-1] if not number else forms:
        for name in ("", "example.org"):
            refusal = scope.find_address_refusal(str(IPv6Address(form)), name)
            assert "is never scanned" in str(refusal), (IPv6Address(form), refusal)


@pytest.mark.parametrize("address", HIDING)
def test_an_ipv4_address_that_cannot_be_read_keeps_its_ipv6_address_out(address: str) -> None:
    with pytest.raises(HiddenIPv4):
        to_effective_address(address)
    scope = Scope.of(["0.0.0.0/0", "::/0", "example.org"])
    assert "is not scanned" in str(scope.find_address_refusal(address))
    assert "is not scanned" in str(scope.find_address_refusal(address, "example.org"))


def test_the_most_specific_block_decides_and_no_block_stands_twice() -> None:
    assert len({block.text for block in special_blocks()}) == len(special_blocks())
    assert [block.bits for block in special_blocks()] == sorted(
        (block.bits for block in special_blocks()), reverse=True
    )
    assert {block.use for block in special_blocks()} == set(Use)


def test_the_public_ipv4_addresses_are_those_that_the_table_calls_public() -> None:
    edges = {edge for block in special_blocks() if block.family == IPV4 for edge in (block.low, block.high)}
    public = list_public_ipv4()
    for number in {0, 1 << 31, LOW_32_BITS} | {edge + step for edge in edges for step in (-1, 0, 1)}:
        if 0 <= number <= LOW_32_BITS:
            is_listed = any(low <= number <= high for low, high in public)
            assert is_listed == is_public(IPV4, number), IPv4Address(number)
