"""Command lines at random: what cascan would run holds nothing that an independent examiner finds dangerous."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.nmap.options.table import option_table
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from tests.data.nmap_reading import DANGEROUS_LONG, DANGEROUS_SHORT, LONG, SHORT, dangers
from tests.support.builders import a_request

SCOPE = Scope.of(["10.0.0.0/16", "2001:db8::/32", "example.test"])
LINES = 5_000
VALUES = (
    "newtargets=1",
    "/etc/passwd", "/tmp/x", "-", "--", "-oX", "22", "1-1024", "T:80,U:53", "http", "banner",
    "ssl-cert,http-title", "safe", "default and not intrusive", "./x.nse", "newtargets", "a={b=c}", "a=b},x",
    "http.useragent=x", "userdb=/x", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "0", "4", "-1",
    "nan", "0x10", "30m", "10.0.0.1", "10.0.0.0/24", "8.8.8.8", "169.254.169.254", "example.test", "127.1",
    "2001:db8::1", "::ffff:10.0.0.1", "http://192.0.2.1/", "a b", "", "\x00", "\n", "\u2010oX", "=", "a=", "ME",
    "epoll",
)  # fmt: skip
LETTERS = [*SHORT.replace(":", ""), *"sSPCVLnTUAFONXIoimwjZ0 /=-9"]


def some_line(dice: random.Random) -> list[str]:
    """Words as somebody who hides something would write them."""
    return [word for _ in range(dice.randint(1, 7)) for word in _option(dice)]


def _option(dice: random.Random) -> list[str]:
    value = dice.choice(VALUES)
    match dice.randrange(6):
        case 0 | 1:
            name = dice.choice(sorted(LONG))
            word = dice.choice(["-", "--"]) + name[: dice.choice([len(name), dice.randint(1, len(name))])]
            return [f"{word}={value}"] if dice.random() < 0.4 else [word, value][: dice.randint(1, 2)]
        case 2:
            return ["-" + "".join(dice.choices(LETTERS, k=dice.randint(1, 5))) + dice.choice(["", "", value])]
        case 3:
            row = dice.choice(option_table().rows())
            return [row.name, value][: dice.randint(1, 2)]
        case 4:
            return [dice.choice(["-sV", "-F", "-p22", "-T4", "-n", "-Pn", "-sC", "-A", "-6", "--open", "-sS", "-O"])]
        case _:
            return [value]


def emitted(words: list[str], scan_type: str) -> tuple[str, ...] | None:
    """nmap's options for the words; None: refused."""
    try:
        asked = a_request(targets=("10.0.0.1",), parameters=tuple(words), scan_type=scan_type)
        return plan(asked, Permissions(SCOPE)).arguments
    except RequestRefused:
        return None


@pytest.mark.parametrize("scan_type", ["nmap", "nmap-privileged"])
def test_of_thousands_of_command_lines_none_comes_out_dangerous(scan_type: str) -> None:
    dice = random.Random(f"{scan_type} attacks")  # noqa: S311 - a fixed seed: a failure can be repeated
    accepted = 0
    for _ in range(LINES):
        words = some_line(dice)
        argv = emitted(words, scan_type)
        if argv is not None:
            accepted += 1
            assert dangers(argv, raw=scan_type == "nmap-privileged") == [], (words, argv)
    assert accepted > LINES / 50  # enough to say something of


@given(st.lists(st.text(max_size=12), max_size=6))
def test_words_of_any_characters_are_refused_or_harmless(words: list[str]) -> None:
    argv = emitted(words, "nmap")
    assert argv is None or dangers(argv, raw=False) == []


class TestExaminer:
    """The examiner itself is no use unless it finds what it should."""

    def test_it_knows_every_long_option_that_cascan_knows_and_no_other(self) -> None:
        assert set(LONG) == {row.name[2:] for row in option_table().long}

    def test_it_finds_every_dangerous_option_however_it_is_written(self) -> None:
        for name in DANGEROUS_LONG:
            for dashes in ("-", "--"):
                assert dangers([f"{dashes}{name}", "x"], raw=True), name
                assert dangers([f"{dashes}{name}=x"], raw=True), name
        for letter in DANGEROUS_SHORT:
            assert dangers([f"-{letter}x"], raw=True), letter
            assert dangers([f"-nFr{letter}", "x"], raw=True), letter

    @pytest.mark.parametrize(
        "line",
        ["-no/tmp/x", "-resu x", "--oX=-", "-sV -- 8.8.8.8", "8.8.8.8", "-sVI", "--script /tmp/x", "-p",
         "--script x.nse", "--script-args newtargets", "-Fi x", "-iL x", "--exclude 10.0.0.1", "-j", "--foo", "-A"],
    )  # fmt: skip
    def test_it_finds_what_hides(self, line: str) -> None:
        assert dangers(line.split(), raw=True)

    @pytest.mark.parametrize("line", ["-sS", "-PE", "-O", "--traceroute", "-sVU", "-sN"])
    def test_raw_sockets_are_dangerous_where_there_are_none(self, line: str) -> None:
        assert dangers([line], raw=False)
        assert not dangers([line], raw=True)

    def test_it_lets_a_scan_be_a_scan(self) -> None:
        assert not dangers(
            [
                "-sV",
                "-p",
                "22,80",
                "-T4",
                "-Pn",
                "-n",
                "-F",
                "--open",
                "--script",
                "banner",
                "-PS22",
                "--max-rate",
                "5",
            ],
            raw=False,
        )


def test_every_row_of_the_option_table_is_judged_as_dangerous_by_both_or_by_neither() -> None:
    """Where the two disagree, one of them is wrong."""
    table = json.loads(
        (Path(__file__).parents[5] / "functions/cascan/nmap/options/options.json").read_text(encoding="utf-8")
    )
    refused = {row["name"][2:] for row in table["long"] if row["decision"] in ("refuse", "opt-in")}
    assert refused - DANGEROUS_LONG == set()
