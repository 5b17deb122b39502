"""The comparison of rules with findings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.rules.matching import matches
from tests.support.no_hang import no_hang

FINDING: dict[str, Any] = {
    "name": "Open Port: 443 (https)",
    "category": "Open Port",
    "location": "tcp://files.example:443",
    "severity": "INFORMATIONAL",
    "attributes": {
        "port": 443,
        "state": "open",
        "smb_protocol_version": 3.0,
        "hostname": None,
        "hostnames": ["files.example", "www.example"],
        "scripts": {"http-title": "Files!"},
        "timed_out": False,
    },
}
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"category": "Open Port"},
        {"category": "Open Port", "attributes": {"port": 443}},
        {"attributes": {"port": 443, "state": "open"}},
        {"attributes": {}},
        {"attributes": {"smb_protocol_version": 3}},
        {"attributes": {"hostname": None}},
        {"attributes": {"timed_out": False}},
        {"attributes": {"hostnames": ["www.example"]}},
        {"attributes": {"hostnames": ["www.*", "*.example"]}},
        {"attributes": {"hostnames": []}},
    ],
)
def test_c4_every_given_field_is_equal_and_the_others_do_not_matter(pattern: dict[str, Any]) -> None:
    assert matches(pattern, FINDING)


@pytest.mark.parametrize(
    "pattern",
    [
        {"category": "Open"},
        {"category": "Open Port", "severity": "HIGH"},
        {"attributes": {"port": 443, "state": "closed"}},
        {"attributes": {"no_such": None}},
        {"attributes": {"no_such": "!anything"}},
        {"attributes": {"hostnames": ["files.example", "other.example"]}},
        {"attributes": {"hostnames": "files.example"}},
        {"attributes": {"hostnames": {"0": "files.example"}}},
        {"attributes": []},
        {"category": {"Open Port": True}},
    ],
)
def test_c4_one_given_field_that_differs_or_is_missing_is_enough_to_fail(pattern: dict[str, Any]) -> None:
    assert not matches(pattern, FINDING)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (443, "443"),
        ("443", 443),
        (1, True),
        (True, 1),
        (0, False),
        (False, None),
        ("*", 443),
        ("!80", 443),
        ("*", None),
    ],
)
def test_c5_c7_types_are_strict_and_wildcards_are_between_texts_alone(pattern: Any, value: Any) -> None:
    assert not matches({"attributes": {"x": pattern}}, {"attributes": {"x": value}})


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*", ""),
        ("*", "any\nlines"),
        ("Open*", "Open Port"),
        ("*Port", "Open Port"),
        ("*n P*", "Open Port"),
        ("tcp://*:443", "tcp://files.example:443"),
        ("a*a", "aa"),
        ("*a*b*", "xaxbx"),
        ("!closed", "open"),
        ("!*Port", "Host"),
        ("!", "open"),
        ("!closed", "!closed"),  # the same text is always a match
        (r"\*", "*"),
        (r"\!x", "!x"),
        (r"a\\*", "a\\b"),
        ("a\\", "a\\"),
        ("**", "x"),
    ],
)
def test_c6_a_star_matches_any_text_and_an_exclamation_mark_negates(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("open*", "Open Port"),  # case
        ("Open", "Open Port"),  # the whole text
        ("Port", "Open Port"),
        ("a*a", "a"),  # a letter cannot be both ends
        ("ab*ba", "aba"),
        ("*a*b*", "ba"),
        ("a*b*b", "axb"),  # nor the middle and the end
        ("!Open*", "Open Port"),
        ("!open", "open"),
        ("!*", "open"),
        (r"\*", "x"),
        ("[a-z]", "a"),
        ("o?en", "open"),
    ],
)
def test_c6_the_comparison_is_of_the_whole_text_with_case_and_knows_no_other_signs(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@given(TREES)
def test_every_value_matches_itself(value: Any) -> None:
    assert matches(value, value)


@given(st.dictionaries(st.text(), TREES), st.dictionaries(st.text(), TREES))
def test_more_fields_never_undo_a_match(pattern: dict[str, Any], more: dict[str, Any]) -> None:
    assert matches(pattern, more | pattern)


@given(st.text("ab*!", max_size=8), st.text("ab", max_size=12))
def test_an_exclamation_mark_turns_every_answer_of_a_pattern_around(pattern: str, text: str) -> None:
    plain = pattern.lstrip("!")
    assert matches(f"!{plain}", text) is not matches(plain, text)


def test_a_pattern_of_many_stars_against_a_hosts_long_text_ends() -> None:
    with no_hang():
        assert not matches("*a" * 200 + "b", "a" * 1_000_000)
