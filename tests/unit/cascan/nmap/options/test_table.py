"""nmap's options, against the nmap of this machine: no command line here gets as far as doing anything."""

import re
import shutil
import subprocess

import pytest

from cascan.nmap.options.table import Decision, Takes, find_option, option_table
from cascan.nmap.options.values import KINDS, SPECIAL

needs_nmap = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
LONG = option_table().long


def nmap_says(*words: str) -> str:
    """nmap's first complaint about words that it does not take."""
    run = subprocess.run(["nmap", *words], capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 255, run
    return run.stderr.splitlines()[0].removeprefix("nmap: ")


def test_the_table_holds_every_long_option_and_every_letter_of_nmap() -> None:
    assert len(LONG) == len({row.name for row in LONG}) == 101
    letters = {row.name[1] for row in option_table().short}
    assert letters == set("46AbDdeFfghIiMmnOopqRrSTVv")
    assert {row.name for row in option_table().scan} == {f"-s{letter}" for letter in "ACFLMNOPRSTUVWXYZn"}


@needs_nmap
@pytest.mark.parametrize("row", LONG, ids=lambda row: row.name)
def test_nmap_knows_each_long_option_and_takes_the_same_argument(row) -> None:  # type: ignore[no-untyped-def]
    if row.takes is Takes.NONE:
        assert nmap_says(f"{row.name}=x") == f"option '{row.name}' doesn't allow an argument"
    elif row.takes is Takes.REQUIRED:
        assert nmap_says(row.name) == f"option '{row.name}' requires an argument"
    else:
        assert nmap_says(f"{row.name}=1", "--no-such") == "unrecognized option '--no-such'"


@needs_nmap
def test_every_option_of_nmaps_help_is_in_the_table() -> None:
    text = subprocess.run(["nmap", "--help"], capture_output=True, text=True, check=True).stdout
    long = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--"}
    assert len(long) > 50
    assert [name for name in long if not find_option(name)] == []
    short = set(re.findall(r"^  (-[A-Za-z0-9])(?=[ :,</\[])", text, re.MULTILINE))
    assert len(short) > 10
    assert [name for name in short if not find_option(name)] == []


def test_every_row_has_a_reason_that_completes_a_sentence() -> None:
    for row in option_table().rows():
        assert re.match(r"[a-z]+s\b", row.reason), row
        assert not row.reason.endswith("."), row


def test_what_needs_permission_says_so_and_names_the_profile_that_gives_it() -> None:
    rows = [row for row in option_table().rows() if row.decision is Decision.OPT_IN]
    assert len(rows) > 10
    assert all(row.policy and "the operator does not allow" in row.reason for row in rows)
    assert not [row for row in option_table().rows() if row.policy and row.decision is not Decision.OPT_IN]


def test_every_option_that_is_passed_on_with_a_value_has_it_checked() -> None:
    passed_on = [
        row for row in option_table().rows() if row.decision in (Decision.ALLOW, Decision.RAW, Decision.OPT_IN)
    ]
    unchecked = [row.name for row in passed_on if row.takes is not Takes.NONE and not row.value]
    assert unchecked == []
    assert {row.value for row in passed_on if row.value} <= KINDS.keys() | SPECIAL.keys() | {"script", "script-args"}


def test_what_an_option_stands_for_is_an_option_with_the_same_decision() -> None:
    for row in option_table().rows():
        if row.stands_for:
            other = find_option(row.stands_for)
            assert other, row
            assert (other.decision, other.value) == (row.decision, row.value), row
