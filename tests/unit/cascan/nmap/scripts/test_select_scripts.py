"""--script: which scripts a selection names, as the nmap of this machine reads it; and what is no selection."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cascan.nmap.scripts.expression import matches_name, parse_rule
from cascan.nmap.scripts.select_scripts import Selection, select_scripts
from cascan.nmap.scripts.table import CATEGORIES, script_table, scripts_by_name

DATABASE = Path("/usr/share/nmap/scripts/script.db")


@cache
def why_not_here() -> str:
    """Why nmap cannot be asked: it must have the table's scripts, and no network to load them beside."""
    if not shutil.which("nmap") or not shutil.which("unshare"):
        return "nmap or unshare is not installed"
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode:
        return "no network namespace of its own is to be had: not root"
    version = subprocess.run(["nmap", "--version"], check=True, capture_output=True, text=True).stdout
    return "" if f"Nmap version {script_table().nmap}" in version else "this nmap has other scripts than the table"


def needs_nmap() -> None:
    if why := why_not_here():
        pytest.skip(why)


def nmap_selects(selection: str) -> list[str] | None:
    """The scripts nmap loads for a selection, without a network; None where it refuses."""
    command = ["unshare", "-n", "nmap", "--script-help", selection, "-oX", "-"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    if run.returncode:
        assert "did not match" in run.stderr, run
        return None
    return sorted(re.findall(r'<script filename="[^"]*?/([^/"]+)\.nse"', run.stdout))


def names(selection: Selection) -> list[str]:
    return [one.script.name for one in selection.scripts]


def errors_of(*selections: str) -> str:
    return "\n".join(error.reason for error in select_scripts(selections).errors)


def test_the_table_holds_nmaps_scripts_with_their_categories() -> None:
    needs_nmap()
    rows = re.findall(r'filename = "([^"]+)\.nse", categories = \{ ([^}]*)', DATABASE.read_text())
    theirs = {name: frozenset(re.findall(r'"(\w+)"', categories)) for name, categories in rows}
    assert {script.name: script.categories for script in script_table().scripts} == theirs
    assert frozenset().union(*theirs.values()) == CATEGORIES


SELECTIONS = [
    "banner", "banner.nse", "banner,ssl-cert", " banner , ssl-cert ", "banner,,ssl-cert,", "+banner",
    "+banner,ssl-cert",
    "safe", "SAFE", "Default", "vuln", "all and dos", "not safe", "NOT safe", "not not dos", "not (safe or intrusive)",
    "safe and default", "safe AND default", "default or dos and brute",
    "dos and safe or vuln",
    "brute or dos or fuzzer", "(brute or dos) and vuln", "((dos))", "( dos )",
    "(dos)or(fuzzer)",
    "not(safe)and dos", "dos or not safe and vuln", "not dos and vuln", "not (dos) and vuln", "http-*", "*", "*-brute",
    "http-*-*", "*smb*vuln*", "ssl-*.nse", "http-robots.txt", "http-robots.txt.nse", "http-robots.txt and safe",
    "true and banner", "banner or false", "False or banner", "ALL and banner", "not false and fuzzer",
    "dos  or  fuzzer",
    "dos and http-*", "malware and not http-*", "(malware) and not (http-* or smb-*)", "external and (safe)",
    "version and not default", "http-* and (default or safe) and not vuln", "not intrusive", "auth or exploit",
    "smb* or ssl* and safe", "smb* and ssl* or safe", "*a*b*c*", "**", "s*v*1", "banner and banner", "broadcast",
]  # fmt: skip
REFUSED_BY_BOTH = [
    "http-titel", "nobody", "banner and", "and banner", "(banner", "banner)", "banner ssl-cert", "(banner,ssl-cert)",
    "Banner", "http-title?", "[bs]anner", "false", "not", "or", "()", "banner or", "(", "not all",
    "brute and fuzzer and auth",
    "banner.nse.nse", "banner.lua", "default and dos or brute", "brute and dos and vuln", "not true", "http_title",
]  # fmt: skip


@pytest.mark.parametrize("text", SELECTIONS)
def test_a_selection_names_the_scripts_that_nmap_loads_for_it(text: str) -> None:
    needs_nmap()
    selection = select_scripts([text])
    assert (selection.errors, names(selection)) == ((), nmap_selects(text))


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_a_selection_that_nmap_refuses_is_refused(text: str) -> None:
    needs_nmap()
    assert nmap_selects(text) is None
    assert "never a file" in errors_of(text) or "cannot be read" in errors_of(text)


WORDS = st.sampled_from(
    ["banner", "ssl-cert", "dos", "fuzzer", "Malware", "external", "all", "FALSE", "true", "smb-v*", "*-info", "snmp-*",
     "http-*-brute", "version", "not", "and", "or"]
)  # fmt: skip
PIECES = st.lists(
    st.one_of(WORDS, st.sampled_from([" ", " and ", " or ", "not ", "(", ")", " AND ", "  "])), max_size=9
)
WELL_FORMED = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("( {} )".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(WELL_FORMED, PIECES.map("".join)))
def test_random_expressions_name_the_scripts_that_nmap_loads_for_them(text: str) -> None:
    needs_nmap()
    assume(text.strip(" +"))
    selection = select_scripts([text])
    theirs = nmap_selects(text)
    if selection.errors:  # stricter than nmap alone where a word means nothing: `dos or nobody`
        assert theirs is None or "is not a script" in selection.errors[0].reason
    else:
        assert names(selection) == theirs


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_star_stands_for_any_text_and_nothing_else_does(pattern: str, name: str) -> None:
    assert matches_name(pattern, name) == bool(re.fullmatch(pattern.replace("*", ".*"), name))


def test_the_two_ends_of_a_pattern_do_not_share_a_letter() -> None:
    assert matches_name("ab*ba", "abba")
    assert not matches_name("ab*ba", "aba")


@pytest.mark.parametrize("text", ["dos andsafe", "dos orsafe", "notdos and safe", "safe and notdos"])
def test_a_keyword_ends_where_a_word_does(text: str) -> None:
    assert re.search("cannot be read|is not a script", errors_of(text))


def test_a_word_of_an_expression_that_means_nothing_is_refused_though_nmap_would_not() -> None:
    assert "'http-titel' is not a script of nmap 7.93; did you mean http-title" in errors_of("safe and not http-titel")


def test_near_matches_are_offered_for_categories_too() -> None:
    assert "did you mean" in errors_of("defualt")
    assert "default" in errors_of("defualt")


@pytest.mark.parametrize("path", ["/tmp/x.nse", "./x", "../x", "..", ".", "x/", "scripts/", r"a\b", "safe and /tmp/x",
                                  "not ../../x", "(./banner)", "+/tmp/x", "/", "banner/", "http-*/../x"])  # fmt: skip
def test_a_path_is_refused_wherever_it_stands(path: str) -> None:
    assert "is a path: nmap would load and run that file" in errors_of(path)
    assert "is a path" in errors_of(f"banner,{path}")


@pytest.mark.parametrize("text", ["", ",", "+", " , + ,"])
def test_a_selection_of_nothing_is_refused(text: str) -> None:
    assert "selects nothing" in errors_of(text)


def test_every_word_is_remembered_as_named_or_brought_in() -> None:
    chosen = {one.script.name: one for one in select_scripts(["fuzzer or banner", "dns-fuzz.nse,ssl-cert*"]).scripts}
    assert {name: one.named for name, one in chosen.items()} == {
        "banner": False, "dns-fuzz": True, "http-form-fuzzer": False, "http-phpself-xss": False, "ssl-cert": False,
        "ssl-cert-intaddr": False,
    }  # fmt: skip


def test_several_options_add_up_in_the_order_of_the_table() -> None:
    assert names(select_scripts(["ssl-cert", "banner,address-info"])) == ["address-info", "banner", "ssl-cert"]


def test_a_rule_that_begins_with_plus_is_forced_and_the_last_of_two_equal_ones_counts() -> None:
    def forced(*texts: str) -> list[str]:
        return [one.script.name for one in select_scripts(texts).scripts if one.forced]

    assert forced("+banner,ssl-cert") == ["banner"]
    assert forced("+banner", "banner") == []


@pytest.mark.parametrize("text", ["(" * 500 + "dos", "not " * 500 + "dos", "dos and " * 200 + "dos",
                                  "dos or " * 200 + "dos",
                                  ",".join(f"*a*{n}" for n in range(400)), "a" * 40_000])  # fmt: skip
def test_a_selection_made_to_exhaust_the_reader_is_refused(text: str) -> None:
    assert re.search("operators inside one another|too long", errors_of(text))


@given(st.text(" ~!()*+,-./:abn\\odrt", max_size=30))
def test_no_text_breaks_the_reader_and_only_names_of_the_table_come_out(text: str) -> None:
    chosen = names(select_scripts([text]))
    assert set(chosen) <= scripts_by_name().keys()
    assert chosen == sorted(chosen, key=list(scripts_by_name()).index)


def test_and_takes_everything_to_its_right() -> None:
    def matching(text: str) -> Iterable[str]:
        return {script.name for script in script_table().scripts if parse_rule(text).matches(script)}

    assert (
        matching("fuzzer and dos or safe")
        == matching("fuzzer and (dos or safe)")
        != matching("(fuzzer and dos) or safe")
    )
