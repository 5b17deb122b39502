"""How many probes a host costs: an upper bound, to choose a lane."""

import shlex

import pytest

from cascan.nmap.ports.scanned_ports import count_ports


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("", 1000),
        ("-sV", 1000),
        ("-F", 100),
        ("--top-ports 50", 50),
        ("--port-ratio 0.1", 65_535),
        ("-p 22", 1),
        ("-p 22,80,8000-8010", 13),
        ("-p -", 65_535),
        ("-p 60000-", 5_536),
        ("-p -100", 100),
        ("-p http,ssh,22", 3),
        ("-p 1-10 -sU", 10),
        ("-p 1-10 -sU -sS", 20),
        ("-p T:1-10,U:1-3 -sU -sS", 13),
        ("-p T:1-10,U:1-3 -sS", 10),
        ("-p U:53 -sS", 1),  # nmap scans nothing; the shard still costs a start
        ("-p S:1-4 -sY", 4),
        ("-p [1-100]", 100),
        ("-p 99999-x", 65_535),
        ("-p 5-3", 65_535),
        ("-p 5-3 -sU -sS", 131_070),
        ("-F -sU -sS", 200),
        ("-sO", 256),
        ("-sO -p 1-3", 3),
        ("-sn", 1),
        ("-sL", 1),
        ("--top-ports 999999", 65_535),
    ],
)
def test_ports_are_counted_as_the_options_ask_for_them(options: str, count: int) -> None:
    assert count_ports(shlex.split(options)) == count
