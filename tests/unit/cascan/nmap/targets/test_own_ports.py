"""The grammar of targets with ports of their own."""

from __future__ import annotations

import random
import string

import pytest

from cascan.errors import RequestRefused
from cascan.nmap.targets.own_ports import OwnPorts, find_family, parse_target_with_ports, split_ports
from cascan.nmap.targets.target_set import parse_target

ACCEPTED = [
    ("10.0.0.5:22", "10.0.0.5", "22"),
    ("10.0.0.5:22,443,8000-8010", "10.0.0.5", "22,443,8000-8010"),
    ("10.0.0.5:443,22,22-25", "10.0.0.5", "22-25,443"),
    ("10.0.0.5:53/udp", "10.0.0.5", "U:53"),
    ("10.0.0.5:53/udp,53/tcp,9899/sctp", "10.0.0.5", "T:53,U:53,S:9899"),
    ("10.0.0.5:T:22,80,U:53,161", "10.0.0.5", "T:22,80,U:53,161"),
    ("10.0.0.5:22,U:53", "10.0.0.5", "T:22,U:53"),
    ("10.0.0.5:1-65535", "10.0.0.5", "1-65535"),
    ("10.0.0.0/28:80", "10.0.0.0/28", "80"),
    ("10.0.0-3.1,5:80", "10.0.0-3.1,5", "80"),
    ("[10.0.0.5]:22", "10.0.0.5", "22"),
    ("web.example.com:443", "web.example.com", "443"),
    ("cafe:443", "cafe", "443"),
    ("[2001:db8::5]:443", "2001:db8::5", "443"),
    ("[2001:db8::/64]:443,53/udp", "2001:db8::/64", "T:443,U:53"),
    ("[fe80::1%eth0]:22", "fe80::1%eth0", "22"),
]
REFUSED = [
    (":22", "there is no host before the colon"),
    ("10.0.0.5:", "there is no port after the colon"),
    ("10.0.0.5:0", "from 1 to 65535"),
    ("10.0.0.5:0-", "'0-' is not a port"),
    ("10.0.0.5:-", "'-' is not a port"),
    ("10.0.0.5:22-", "'22-' is not a port"),
    ("10.0.0.5:99999", "from 1 to 65535"),
    ("10.0.0.5:80-70", "backwards"),
    ("10.0.0.5:22,", "'' is not a port"),
    ("10.0.0.5:http", "'http' is not a port"),
    ("10.0.0.5:22/ip", "/ip is not a protocol of ports"),
    ("10.0.0.5:P:1", "P: is not a protocol of ports"),
    ("10.0.0.5:U:53/udp", "both name a protocol"),
    ("10.0.0.5:22:33", "is not a port"),
    ("10.0.0.5::22", "is not a port"),
    ("10.0.0.5:22,10.0.0.6:23", "is not a port"),
    ("10.0.0.5:22 10.0.0.6:23", "is not a port"),
    ("10.0.0.5:22\n", r"'22\n' is not a port"),
    ("10.0.0.5:\x1b[2J", r"'\x1b[2J' is not a port"),
    ("10.0.0.5:\uff12\uff12", "is not a port"),
    ("010.0.0.5:22", "reads as octal to some"),
    ("http://10.0.0.5:80", "a URL is not a target"),
    ("[10.0.0.5:22", "not an IPv6 address"),
    ("[]:22", "not an IPv6 address"),
    ("fe80::1%eth0:22", "follow its brackets"),
    ("-p:22", "-p"),
    ("$(id):22", "host name"),
    ("10.0.0.5:" + "1," * 1_024, "characters are more than 1024"),
]


@pytest.mark.parametrize(("expression", "host", "ports"), ACCEPTED)
def test_a_target_is_read_with_its_ports(expression: str, host: str, ports: str) -> None:
    family = find_family(expression)
    target, own_ports = parse_target_with_ports(expression, family)
    assert (target, str(own_ports)) == (parse_target(host, family), ports)


@pytest.mark.parametrize(("expression", "reason"), REFUSED)
def test_text_that_is_no_target_with_ports_is_refused_with_a_printable_reason(expression: str, reason: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_target_with_ports(expression, find_family(expression))
    (sentence,) = refused.value.reasons
    assert reason in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "expression", ["2001:db8::5:22", "::1", "2001:db8:0:0:0:0:0:22", "1:2:3:4:5:6:7:8", "::", "fe80::1"]
)
def test_an_ipv6_address_without_brackets_has_no_port(expression: str) -> None:
    target, ports = parse_target_with_ports(expression, 6)
    assert (target, ports) == (parse_target(expression, 6), None)


def test_no_text_raises_anything_but_a_refusal_and_none_is_both_an_address_and_ported() -> None:
    rng = random.Random("ported targets")  # noqa: S311 (repeatable)
    alphabet = string.hexdigits[:12] + ":::[]%/.,-TU\x00é "
    for _ in range(5_000):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 14)))
        for family in (4, 6):
            try:
                target, ports = parse_target_with_ports(text, family)
            except RequestRefused:
                continue
            assert (ports is None) == (split_ports(text)[1] is None)
            if ports is None:
                assert target == parse_target(text, family)


def test_ports_of_several_entries_are_united_by_protocol() -> None:
    first = parse_target_with_ports("10.0.0.5:22,53/udp")[1] or OwnPorts()
    second = parse_target_with_ports("10.0.0.5:23,53")[1] or OwnPorts()
    assert str(first | second) == "T:22-23,53,U:53"
    assert (first | second).count == 4
