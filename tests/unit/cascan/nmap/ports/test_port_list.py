"""Lists of ports are read as nmap reads them: what it would stop at is refused, with its own reason."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.nmap.options.values import normalize_value
from cascan.nmap.ports.port_list import ILLEGAL, PortItem, parse_ports

STRICTER = ("a [ without its ]", "a letter without a port", ILLEGAL)  # some of these nmap takes; nobody means them
NOT_TOLD = ("No ports specified", "Found no matches for the service mask")  # what nmap's list of services decides
LISTS = st.lists(
    st.sampled_from(["T:", "U:", "S:", "P:", "X:", "t:", "80", "443-", "-5", "-", ",", ",", ",", "[", "]", " ", "0",
                     "65535", "65536", "9-3", "256", "7-7", "http", "_"]),
    min_size=1, max_size=7,
).map("".join)  # fmt: skip


def test_a_letter_holds_until_the_next_one() -> None:
    assert parse_ports("22,T:80,8000-,U:-53,http,-") == (
        PortItem("", 22, 22),
        PortItem("T", 80, 80),
        PortItem("T", 8000, None),
        PortItem("U", None, 53),
        PortItem("U", None, None, "http"),
        PortItem("U", None, None),
    )


def test_spaces_and_a_comma_at_the_end_change_nothing_of_the_ports() -> None:
    assert parse_ports("T:80, 443,") == parse_ports("T:80,443") == (PortItem("T", 80, 80), PortItem("T", 443, 443))


def test_what_is_in_brackets_is_marked_since_nmap_scans_only_what_its_list_has() -> None:
    assert parse_ports("22,[T:80, 443]") == (
        PortItem("", 22, 22),
        PortItem("T", 80, 80, known_only=True),
        PortItem("T", 443, 443, known_only=True),
    )


@pytest.mark.parametrize(
    "text", ["", ",", ",80", "80,,443", "80:90", "80.5", "1_0", "_x", "80-http", "80]", "X:1", "-0"]
)
def test_what_nmap_stops_at_is_refused(text: str) -> None:
    assert refusal_of(text)


@pytest.mark.parametrize(("text", "letters"), [("T:80", ""), ("U:53", "P")])
def test_a_letter_stands_only_where_nmap_takes_one(text: str, letters: str) -> None:
    with pytest.raises(ValueError, match=r"illegal|Unknown"):
        parse_ports(text, letters)


@pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
@settings(max_examples=100, deadline=None)
@given(LISTS)
def test_nmap_starts_with_what_is_accepted_and_stops_at_what_is_refused_in_its_words(text: str) -> None:
    why = refusal_of(text)
    argv = [
        "nmap",
        "-sT",
        "-p",
        text if why else normalize_value("ports", text),
        "-iL",
        "/dev/null",
    ]  # no target: it ends
    stopped = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
    if why:
        assert stopped.returncode or why in STRICTER, (text, why)
    else:
        assert not stopped.returncode or any(known in stopped.stderr for known in NOT_TOLD), (text, stopped.stderr)


def refusal_of(text: str) -> str:
    try:
        parse_ports(text)
    except ValueError as exc:
        return str(exc)
    return ""
