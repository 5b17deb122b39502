"""Findings come in order of their hosts' addresses, whatever a report has in place of one."""

from __future__ import annotations

import random
from string import printable

import pytest

from cascan.findings.by_host import address_key, find_address, group_by_host, read_address_key
from tests.integration.gateways.examples import a_finding

IN_ORDER = [
    "0.0.0.1",
    "9.255.255.255",
    "10.0.0.0",
    "10.0.0.200",
    "255.255.255.255",
    "::",
    "2001:db8::9",
    "2001:db8::10",
]


def test_addresses_sort_as_numbers_ipv4_first() -> None:
    assert sorted(random.Random(3).sample(IN_ORDER, len(IN_ORDER)), key=address_key) == IN_ORDER  # noqa: S311


@pytest.mark.parametrize("text", ["", "AA:BB:CC:DD:EE:FF", "a/b", "\ud800", "x" * 5_000, printable, "10.0.0.256"])
def test_what_is_no_address_sorts_last_under_a_short_key_without_slashes(text: str) -> None:
    key = address_key(text)
    assert key > address_key("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    assert "/" not in key
    assert key.isascii()
    assert len(key) < 100


def test_the_key_of_an_address_tells_the_address_and_no_other_key_does() -> None:
    assert [read_address_key(address_key(address)) for address in IN_ORDER] == IN_ORDER
    assert {read_address_key(address_key(text)) for text in ("", "4.x", "a/b", "6.", "AA:BB:CC:DD:EE:FF")} == {""}


def test_distinct_texts_have_distinct_keys() -> None:
    texts = ["", "a", "A", "%61", "a/", "x" * 64, "x" * 65, "x" * 66, "\ud800", "?", "~"]
    assert len(set(map(address_key, texts))) == len(texts)


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ({"ip_addresses": ["10.0.0.5", "2001:db8::1"], "mac_address": "AA:BB:CC:DD:EE:FF"}, "10.0.0.5"),
        ({"ip_addresses": [], "mac_address": "AA:BB:CC:DD:EE:FF"}, "AA:BB:CC:DD:EE:FF"),
        ({"ip_addresses": None, "mac_address": None}, ""),
        ({"ip_addresses": "10.0.0.5"}, ""),
        ({}, ""),
    ],
)
def test_a_findings_host_is_found_in_its_attributes(attributes: dict[str, object], address: str) -> None:
    assert find_address(a_finding(attributes=attributes)) == address


def test_findings_that_follow_each_other_are_grouped_by_their_host() -> None:
    findings = [a_finding(n, attributes={"ip_addresses": [f"10.0.0.{n // 2}"]}) for n in range(5)]
    groups = [(host.address, list(host.findings)) for host in group_by_host(findings)]
    assert groups == [("10.0.0.0", findings[:2]), ("10.0.0.1", findings[2:4]), ("10.0.0.2", findings[4:])]
