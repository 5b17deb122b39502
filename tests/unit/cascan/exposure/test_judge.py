"""The judge: a total table, and which entry decides."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.judge import STATES, VERDICTS, Expectation, ObservedPort, Verdict, VerdictKind, judge
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.model.history import HOST_NOT_UP, NOT_COVERED
from cascan.model.inventory import PortKey

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
FILE = """\
expected:
- {who: 10.0.0.0/24, ports: [80, 443]}
- {who: 10.0.0.5, ports: [443], service: https}
- {who: web.example.com, ports: [8443]}
- {who: 10.0.0.6, ports: [22], from: [internet]}
- {who: 10.0.0.7, ports: [22], until: 2026-06-14}
- {who: 10.0.0.8, ports: [22], until: 2026-06-15}
- {who: 10.0.0.9, ports: [80], required: false}
"""
EXPECTATIONS = ExpectationIndex(read_exposure_file(FILE))


def judge_port(
    address: str,
    number: int,
    state: str,
    *,
    service: str = "",
    vantage: str = "default",
    names: tuple[str, ...] = (),
    was_open: bool = False,
) -> Verdict:
    key: PortKey = ("tcp", number)
    port = ObservedPort(
        vantage=vantage, address=address, key=key, state=state, names=names, service=service, was_open=was_open
    )
    return judge(EXPECTATIONS, port, NOON)


def test_the_table_has_a_verdict_for_every_case() -> None:
    for expectation, state in product(Expectation, STATES):
        assert isinstance(VERDICTS[expectation][state], VerdictKind)


@pytest.mark.parametrize(
    ("state", "unexpected", "required", "allowed"),
    [
        ("open", "unexpected-open", "fine", "fine"),
        ("open|filtered", "untested", "untested", "fine"),
        ("closed", "fine", "missing", "fine"),
        ("filtered", "fine", "missing", "fine"),
        ("closed|filtered", "fine", "missing", "fine"),
        (HOST_NOT_UP, "fine", "absent", "fine"),
        (NOT_COVERED, "fine", "untested", "fine"),
        ("unfiltered", "fine", "untested", "fine"),
    ],
)
def test_a_state_is_judged_by_what_is_expected(state: str, unexpected: str, required: str, allowed: str) -> None:
    assert judge_port("10.0.0.5", 23, state).kind == unexpected
    assert judge_port("10.0.0.5", 443, state).kind == required
    assert judge_port("10.0.0.9", 80, state).kind == allowed


def test_an_unexpected_port_that_was_open_and_is_not_covered_is_untested() -> None:
    assert judge_port("10.0.0.5", 23, NOT_COVERED, was_open=True).kind == "untested"
    assert judge_port("10.0.0.5", 23, "closed", was_open=True).kind == "fine"


def test_the_narrowest_entry_decides() -> None:
    assert judge_port("10.0.0.5", 443, "closed").line == 3
    assert judge_port("10.0.0.4", 443, "closed").kind == "fine"  # the network only allows it
    assert judge_port("10.0.0.9", 80, "closed").kind == "fine"


def test_a_violation_points_at_the_narrowest_entry_that_holds_the_host() -> None:
    verdict = judge_port("10.0.0.5", 23, "open")
    assert verdict.is_violation
    assert verdict.line == 3
    assert verdict.sentence == "tcp/23 is open; line 3 of the exposure file does not list this port"


def test_a_violation_of_a_host_that_no_entry_holds_points_at_the_first_line() -> None:
    verdict = judge_port("192.0.2.1", 23, "open")
    assert (verdict.line, verdict.entry) == (1, None)
    assert verdict.sentence == "tcp/23 is open; no entry holds this host"


def test_another_service_on_an_expected_port_is_a_violation() -> None:
    verdict = judge_port("10.0.0.5", 443, "open", service="ssh")
    assert (verdict.kind, verdict.line) == (VerdictKind.OTHER_SERVICE, 3)
    assert verdict.sentence == "tcp/443 runs ssh; line 3 of the exposure file expects https"
    assert judge_port("10.0.0.5", 443, "open", service="HTTPS").kind == "fine"


def test_a_service_that_was_not_probed_is_no_violation_and_is_said_to_be_unknown() -> None:
    verdict = judge_port("10.0.0.5", 443, "open")
    assert (verdict.kind, verdict.is_service_known) == (VerdictKind.FINE, False)


def test_an_entry_holds_its_vantages_alone() -> None:
    assert judge_port("10.0.0.6", 22, "open", vantage="internet").kind == "fine"
    verdict = judge_port("10.0.0.6", 22, "open", vantage="office")
    assert verdict.kind == "unexpected-open"
    assert verdict.sentence == "tcp/22 is open; line 5 of the exposure file expects it from internet, not from office"
    assert judge_port("10.0.0.6", 22, "closed", vantage="office").kind == "fine"


def test_the_last_day_is_included_and_after_it_nothing_is_expected() -> None:
    assert judge_port("10.0.0.8", 22, "open").kind == "fine"
    verdict = judge_port("10.0.0.7", 22, "open")
    assert verdict.kind == "unexpected-open"
    assert (
        verdict.sentence == "tcp/22 is open; line 6 of the exposure file expected it until 2026-06-14, which has passed"
    )
    assert judge_port("10.0.0.7", 22, "closed").kind == "fine"


def test_a_name_holds_the_hosts_of_that_name() -> None:
    assert judge_port("203.0.113.9", 8443, "open", names=("Web.Example.com.",)).kind == "fine"
    assert judge_port("203.0.113.9", 8443, "open", names=("web.example.com.evil.test",)).kind == "unexpected-open"
    assert judge_port("203.0.113.9", 8443, "open").kind == "unexpected-open"


def test_expiry_is_announced_fourteen_days_ahead() -> None:
    entry = EXPECTATIONS.file.entries[5]
    assert entry.expires_soon(datetime(2026, 6, 1, tzinfo=UTC))
    assert not entry.expires_soon(datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    assert entry.expires_soon(NOON)
    assert not entry.is_expired(NOON)
    next_day = datetime(2026, 6, 16, tzinfo=UTC)
    assert entry.is_expired(next_day)
    assert not entry.expires_soon(next_day)
