"""A host that is asked once more is given longer than before, and never longer than a host may have."""

from __future__ import annotations

import pytest

from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.options.host_timeout import lengthen_host_timeout


@pytest.mark.parametrize(
    ("given", "longer"),
    [
        ("--host-timeout 30m", "--host-timeout 30m --host-timeout 3600000ms"),
        ("--host-timeout 30 -p 80", "--host-timeout 30 -p 80 --host-timeout 60000ms"),
        ("--host-timeout 2h --host-timeout 5s", "--host-timeout 2h --host-timeout 5s --host-timeout 10000ms"),
        ("--host-timeout 10h", "--host-timeout 10h --host-timeout 43200000ms"),
        ("-T5", "-T5 --host-timeout 1800000ms"),  # insane: 15 minutes
        ("-T5 --host-timeout 1m", "-T5 --host-timeout 1m --host-timeout 120000ms"),
        ("--host-timeout 12h", ""),
        ("--host-timeout 0", ""),
        ("-T5 --host-timeout 0", ""),
        ("-T4 -p 80", ""),
    ],
)
def test_the_limit_is_doubled_where_there_is_one_and_twelve_hours_are_the_most(given: str, longer: str) -> None:
    assert " ".join(lengthen_host_timeout(given.split())) == longer


def test_what_it_adds_is_an_option_that_nmap_takes() -> None:
    options = lengthen_host_timeout(("--host-timeout", "1.5m"))
    assert parse_arguments([*options, "127.0.0.1"]).check("connect").options == options
