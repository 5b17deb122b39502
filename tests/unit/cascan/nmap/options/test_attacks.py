"""Requests that would do more than scan what they may are refused, each for what it would have done."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.nmap.targets.target_set import Exclusion
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from tests.data.attacks import ATTACKS

SCOPE = Scope.of(
    ["10.0.0.0/16", "2001:db8::/32", "example.test"], ["127.0.0.0/8", "::1", "10.0.9.0/24", "secret.example.test"]
)
NAMES_ALONE = Scope.of(["example.test", "*.corp.test"], ["secret.example.test"])
ROWS = [(f"{kind}-{number}", row) for kind, rows in ATTACKS.items() for number, row in enumerate(rows)]


def reasons(fields: dict[str, Any], scope: Scope = SCOPE) -> list[str]:
    """Every reason a request is refused for, on its whole way from its bytes to its plan."""
    with pytest.raises(RequestRefused) as refused:
        plan(read_request(json.dumps(fields)).request, Permissions(scope))
    return list(refused.value.reasons)


def test_the_table_is_long_and_says_of_each_row_why_it_is_there() -> None:
    assert len(ROWS) >= 150
    assert all(why and danger for _, (_, why, danger) in ROWS)
    texts = [json.dumps(fields) for _, (fields, _, _) in ROWS]
    assert len(set(texts)) == len(texts)


def test_what_the_rows_hide_in_may_run_without_it() -> None:
    for harmless in ({"targets": ["10.0.0.1"]}, {"targets": ["2001:db8::1"], "parameters": ["-6"]}):
        assert plan(read_request(json.dumps(harmless)).request, Permissions(SCOPE)).addresses == 1


@pytest.mark.parametrize(("fields", "why", "danger"), [row for _, row in ROWS], ids=[name for name, _ in ROWS])
def test_an_attack_is_refused_for_what_it_does(fields: dict[str, Any], why: str, danger: str) -> None:
    found = reasons(fields)
    assert any(why in reason for reason in found), (danger, found)


@pytest.mark.parametrize(
    "name",
    [
        "example.test.evil.org",  # ends in another domain
        "evilexample.test",  # no dot before the suffix
        "corp.test.evil",
        "secret.example.test",
        "x.secret.example.test.",
        "example.org",
        "www.example.test/24",  # a mask leaves what the name stands for
    ],
)
def test_where_only_names_are_allowed_no_other_name_passes(name: str) -> None:
    assert reasons({"targets": [name]}, NAMES_ALONE)


@pytest.mark.parametrize("name", ["example.test", "example.test.", "WWW.Example.Test", "a.b.corp.test"])
def test_an_allowed_name_passes_however_it_is_spelled(name: str) -> None:
    assert plan(read_request(json.dumps({"targets": [name]})).request, Permissions(NAMES_ALONE)).addresses == 1


@pytest.mark.parametrize(
    "entries",
    ["10.0.0.129,10.0.0.0/24", "10.0.0.128/26,10.0.0.0/24", "10.0.0.1,10.0.0.1", "10.0.0.1,10.0.0.1/32,10.0.0.0/31"],
)
def test_nested_and_repeated_excludes_are_exact_where_nmaps_own_are_not(entries: str) -> None:
    fields = {"targets": ["10.0.0.0/23"], "parameters": ["--exclude", entries]}
    planned = plan(read_request(json.dumps(fields)).request, Permissions(SCOPE))
    exclusion = Exclusion.parse(planned.exclude)
    networks = [ipaddress.ip_network(entry) for entry in entries.split(",")]
    for address in map(str, ipaddress.ip_network("10.0.0.0/23")):
        assert exclusion.contains(address) == any(ipaddress.ip_address(address) in net for net in networks), address
    assert "--exclude" not in " ".join(planned.arguments)  # nmap's own would keep a part of them in
