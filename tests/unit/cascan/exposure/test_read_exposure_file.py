"""The operator's file of expected exposure: what it says, and every problem with its line."""

from __future__ import annotations

from datetime import date

import pytest

from cascan.errors import RequestRefused
from cascan.exposure.expectations import ExpectedPorts, ExposureFile
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.limits import MAX_EXPECTED_ENTRIES, MAX_EXPOSURE_FILE_BYTES, MAX_REASONS
from cascan.model.finding import Severity

COMPLETE = """\
settings:
  confirm: true
  untestedAfterDays: 3
  findings: high
groups:
  payments:
    owner: payments@example.com
    hosts: [10.0.0.0/28, web.example.com, "2001:db8::/64"]
expected:
  - who: payments         # a group
    ports: [443, 53/udp, 8000-8010]
    service: HTTPS
    from: [internet, office]
    until: 2026-12-31
    why: card payments front end
  - {who: 10.1.0.7, ports: [22]}
  - who: Web.Example.com.
    ports: ["8080"]
    required: false
"""


def read_problems(text: str) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        read_exposure_file(text)
    return list(refused.value.reasons)


def list_warnings(text: str) -> list[str]:
    return list(map(str, read_exposure_file(text).warnings))


def test_a_file_with_everything_is_read() -> None:
    file = read_exposure_file(COMPLETE)
    assert file.settings.confirm
    assert file.settings.untested_after_days == 3
    assert file.settings.findings is Severity.HIGH
    assert not file.settings.changes
    payments, _, web = file.entries
    assert payments.owner == "payments@example.com"
    assert payments.ports == (
        ExpectedPorts("tcp", 443, 443),
        ExpectedPorts("udp", 53, 53),
        ExpectedPorts("tcp", 8000, 8010),
    )
    assert (payments.service, payments.until) == ("https", date(2026, 12, 31))
    assert payments.vantages == ("internet", "office")
    assert web.hosts.names == ("web.example.com",)
    assert [entry.line for entry in file.entries] == [10, 16, 17]
    assert [group.line for group in file.groups] == [6]
    assert file.warnings == ()


def test_single_hosts_are_required_and_networks_only_allowed() -> None:
    payments, ssh, web = read_exposure_file(COMPLETE).entries
    assert (payments.required, ssh.required, web.required) == (False, True, False)


def test_a_file_that_expects_nothing_is_valid() -> None:
    assert read_exposure_file("expected: []\n") == ExposureFile()


def test_json_is_read_too() -> None:
    (entry,) = read_exposure_file('{"expected": [{"who": "::1", "ports": [22]}]}').entries
    assert entry.hosts.find_width("::1") == 1


def test_every_problem_is_reported_at_once_with_its_line() -> None:
    text = """\
setings: {}
groups:
  empty: {hosts: []}
  odd: {hosts: [300.1.1.1], ownr: me}
expected:
  - who: paymnts
    ports: [80]
  - who: 10.0.0.1
    ports:
      - 70000
      - 90-80
      - 53/ucp
      - http
    until: soon
    from: [The Office]
  - 10.0.0.2
  - who: 10.0.0.3
    port: [22]
"""
    problems = read_problems(text)
    expected = {
        1: "setings is not a field here; did you mean settings?",
        3: "groups.empty.hosts is empty",
        4: "300.1.1.1",
        6: "there is no group 'paymnts'",
        10: "70000 is beyond the last port",
        11: "'90-80' is backwards; write 80-90",
        12: "'ucp' is none of the protocols",
        13: "'http' is not a port",
        14: "'soon' is not a date",
        15: "'The Office' is not a vantage name",
        16: "expected[2]: has to be a mapping",
        17: "expected[3].ports is missing",
        18: "expected[3].port is not a field here; did you mean ports",
    }
    for line, sentence in expected.items():
        assert any(problem.startswith(f"line {line}: ") and sentence in problem for problem in problems), (
            line,
            problems,
        )
    lines = [int(problem.split(":")[0].removeprefix("line ")) for problem in problems]
    assert lines == sorted(lines)


def test_a_near_group_name_is_suggested() -> None:
    (problem,) = read_problems("groups: {payments: {hosts: [10.0.0.1]}}\nexpected:\n- {who: paymnts, ports: [1]}\n")
    assert problem == "line 3: expected[0].who: there is no group 'paymnts'; did you mean payments?"


def test_yaml_that_cannot_be_read_names_its_line() -> None:
    (problem,) = read_problems("expected:\n  - who: [\n")
    assert "line 2" in problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is empty"),
        ("- a\n", "has to be a mapping with the keys"),
        ("expected: {}\n", "expected: has to be a list"),
        ("settings: {findings: loud}\n", "settings.findings: 'loud' is none of informational"),
        ("settings: {untestedAfterDays: 0}\n", "settings.untestedAfterDays"),
        ("expected:\n- {who: web.example.com/24, ports: [1]}\n", "a name with a mask"),
        ("expected:\n- {who: 'fe80::1%eth0', ports: [1]}\n", "has a zone"),
        ("expected:\n- {who: 10.0.0.0/8, ports: [443], required: true}\n", "requires 16777216 ports of addresses"),
        ("expected:\n- {who: 10.0.0.1, ports: []}\n", "ports is empty"),
        ("groups: {a.b: {hosts: [10.0.0.1]}}\n", "'a.b' has to be 1 to 64 letters"),
    ],
)
def test_a_refused_file_names_the_field(text: str, sentence: str) -> None:
    assert sentence in "; ".join(read_problems(text))


def test_limits_are_named() -> None:
    assert str(MAX_EXPOSURE_FILE_BYTES) in read_problems("#" * (MAX_EXPOSURE_FILE_BYTES + 1))[0]
    entries = "- {who: 10.0.0.1, ports: [1]}\n" * (MAX_EXPECTED_ENTRIES + 1)
    assert str(MAX_EXPECTED_ENTRIES) in read_problems(f"expected:\n{entries}")[0]
    many = read_problems("expected:\n" + "- {who: 10.0.0.1, ports: [x]}\n" * 50)
    assert len(many) == MAX_REASONS + 1
    assert many[-1] == f"and {50 - MAX_REASONS} more reasons"


def test_host_bits_are_warned_of_and_dropped() -> None:
    text = "expected:\n- {who: 10.0.0.5/24, ports: [22]}\n"
    assert list_warnings(text) == ["line 2: 10.0.0.5/24 has host bits; it means 10.0.0.0/24"]
    (entry,) = read_exposure_file(text).entries
    assert entry.hosts.find_width("10.0.0.200") == 256


def test_a_group_that_no_entry_uses_is_warned_of() -> None:
    assert list_warnings("groups:\n  a: {hosts: [10.0.0.1]}\n") == ["line 2: no entry uses the group a"]


@pytest.mark.parametrize(
    ("second", "warning"),
    [
        ("{who: 10.0.0.1, ports: [20-30]}", "line 3: repeats ports of line 2"),
        ("{who: 10.0.0.1, ports: [22], service: telnet}", "line 3: contradicts line 2, which decides"),
        ("{who: 10.0.0.1, ports: [22], required: false}", "line 3: contradicts line 2, which decides"),
        ("{who: 10.0.0.1, ports: [22/udp]}", None),
        ("{who: 10.0.0.0/24, ports: [22]}", None),
        ("{who: 10.0.0.1, ports: [22], until: 2026-01-01}", None),
    ],
)
def test_repeated_and_contradicting_entries_are_warned_of(second: str, warning: str | None) -> None:
    text = f"expected:\n- {{who: 10.0.0.1, ports: [22]}}\n- {second}\n"
    assert list_warnings(text) == ([warning] if warning else [])


def test_entries_of_different_vantages_do_not_contradict_each_other() -> None:
    text = (
        "expected:\n- {who: 10.0.0.1, ports: [22], from: [a]}\n- {who: 10.0.0.1, ports: [22], from: [b], service: x}\n"
    )
    assert list_warnings(text) == []
