"""Which findings a query selects, and in which order they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cascan.limits import MAX_SORTED_FINDINGS
from cascan.model.finding import Finding, Severity
from cascan.queries.finding_query import FindingQuery, order_findings

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOW = 10 << 24


def a_finding(name: str = "ssh", severity: Severity = Severity.LOW, **attributes: Any) -> Finding:
    plain = {
        "ip_addresses": ["10.0.0.5"],
        "hostname": "Web.example",
        "protocol": "tcp",
        "port": 22,
        "service": "ssh",
        "scripts": {"banner": ["SSH-2.0-OpenSSH_9.6"]},
    }
    return Finding(
        id="i",
        fingerprint="f",
        parsed_at=AT,
        name=name,
        description="Port 22 is open.",
        category="Open Port",
        severity=severity,
        osi_layer="APPLICATION",
        location="tcp://10.0.0.5:22",
        attributes=plain | attributes,
    )


@pytest.mark.parametrize(
    ("matching", "other"),
    [
        ({"severities": frozenset({"LOW"})}, {"severities": frozenset({"HIGH"})}),
        ({"networks": ((4, LOW, LOW + 5),)}, {"networks": ((4, LOW, LOW + 4),)}),
        ({"networks": ((4, 0, LOW + 5),)}, {"networks": ((6, 0, 2**128 - 1),)}),
        ({"hostnames": frozenset({"web.example"})}, {"hostnames": frozenset({"example"})}),
        ({"ports": frozenset({("tcp", 22)})}, {"ports": frozenset({("udp", 22)})}),
        ({"service": "ssh"}, {"service": "SSH"}),
        ({"category": "open port"}, {"category": "open"}),
        ({"text": "openssh_9"}, {"text": "openssh_8"}),
        ({"text": "is open"}, {"text": "10.0.0.6"}),
        ({"since": AT}, {"since": AT + timedelta(seconds=1)}),
    ],
)
def test_a_finding_meets_a_condition_or_does_not(matching: dict[str, Any], other: dict[str, Any]) -> None:
    assert FindingQuery(**matching).fits(a_finding())
    assert not FindingQuery(**other).fits(a_finding())


def test_every_condition_has_to_be_met_and_none_is_met_by_all() -> None:
    assert FindingQuery().fits(a_finding())
    assert not FindingQuery(service="ssh", text="telnet").fits(a_finding())


def test_a_host_is_in_a_network_or_has_a_name() -> None:
    query = FindingQuery(networks=((4, 1, 2),), hostnames=frozenset({"web.example"}))
    assert query.fits(a_finding())


def test_a_suppressed_finding_has_no_other_severity() -> None:
    suppressed = a_finding(suppressed="known")
    assert not FindingQuery(severities=frozenset({"LOW"})).fits(suppressed)
    assert FindingQuery(severities=frozenset({"(suppressed)"})).fits(suppressed)


@pytest.mark.parametrize("attributes", [{"ip_addresses": "10.0.0.5"}, {"ip_addresses": [7, "nonsense"]}, {"port": []}])
def test_attributes_of_another_shape_match_no_host_and_no_port(attributes: dict[str, Any]) -> None:
    strange = a_finding(hostname=None, **attributes)
    networks = ((4, 0, 2**32 - 1),)
    assert not FindingQuery(networks=networks, ports=frozenset({("tcp", 22)})).fits(strange)


def test_a_selection_reads_one_finding_after_the_other() -> None:
    read: list[int] = []

    def findings() -> Iterator[Finding]:
        for number in range(9):
            read.append(number)
            yield a_finding(port=number)

    selected = FindingQuery(ports=frozenset({("tcp", 3)})).select(findings())
    assert next(selected).attributes["port"] == 3
    assert read == [0, 1, 2, 3]


def test_findings_are_sorted_by_severity_and_more_than_the_limit_stay_as_they_come() -> None:
    few = [a_finding("b"), a_finding("a"), a_finding("worst", Severity.HIGH)]
    ordered = order_findings(few)
    assert ([finding.name for finding in ordered.findings], ordered.is_sorted) == (["worst", "a", "b"], True)
    many = [a_finding("b")] * MAX_SORTED_FINDINGS + [a_finding("worst", Severity.HIGH)]
    ordered = order_findings(many)
    assert (list(ordered.findings), ordered.is_sorted) == (many, False)
