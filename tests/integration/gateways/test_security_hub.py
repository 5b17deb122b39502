"""Security Hub on moto, and what was sent to it, in the table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.security_hub import TOO_LARGE, SecurityHub
from cascan.aws.tables.sent_findings import DynamoSentFindings
from cascan.limits import ARCHIVED_DAYS
from cascan.model.sent_finding import SentFinding
from tests.support.builders import NOW
from tests.support.hub_world import HubWorld, run_rescans
from tests.support.moto_table import create_scan_table, forget_clients
from tests.support.security_hub import StrictSecurityHub

TABLE = "scan-table"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        clients.forget()
        yield
    clients.forget()
    forget_clients()


def list_findings() -> list[dict[str, Any]]:
    pages = clients.securityhub().get_paginator("get_findings").paginate()
    return [dict(finding) for page in pages for finding in page["Findings"]]


def test_a_hundred_rescans_leave_no_duplicate_and_close_what_is_gone(aws: None) -> None:
    expected = run_rescans(HubWorld(SecurityHub()), 100, seed=2)
    findings = list_findings()
    ids = [finding["Id"] for finding in findings]
    assert len(set(ids)) == len(ids) > len(expected)
    active = [finding for finding in findings if finding["RecordState"] == "ACTIVE"]
    assert {finding["ProductFields"]["cascan/fingerprint"] for finding in active} == expected


def test_a_finding_that_is_too_large_is_refused_without_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = StrictSecurityHub()
    monkeypatch.setattr(clients, "securityhub", lambda: strict)
    (refused,) = SecurityHub().import_findings([{"Id": "large", "Description": "x" * 300_000}])
    assert (refused.finding_id, refused.code) == ("large", TOO_LARGE)
    assert strict.calls == []


def a_sent_finding(**fields: Any) -> SentFinding:
    usual: dict[str, Any] = {
        "fingerprint": "f" * 32,
        "vantage": "default",
        "address": "10.0.0.5",
        "protocol": "tcp",
        "port": 443,
        "scan_id": "a" * 16,
        "first_seen": NOW,
        "updated_at": NOW,
        "asff": {"Id": "x", "Description": "y" * 2000},
    }
    return SentFinding(**usual | fields)


def test_what_was_sent_is_read_by_network_and_vantage(aws: None) -> None:
    create_scan_table(TABLE)
    table = DynamoSentFindings(TABLE)
    here, elsewhere = a_sent_finding(), a_sent_finding(vantage="branch")
    neighbour, six = a_sent_finding(address="10.0.0.200"), a_sent_finding(address="2001:db8::5")
    assert table.put_sent_findings([here, elsewhere, neighbour, six])
    assert table.sent_findings(["10.0.0.5"], vantage="default") == [here]
    assert table.sent_findings(["10.0.0.5", "10.0.0.200"], vantage="default") == [here, neighbour]
    assert table.sent_findings(["10.0.0.5"], vantage="branch") == [elsewhere]
    assert table.sent_findings(["2001:db8::5"], vantage="default") == [six]
    assert table.sent_findings([], vantage="default") == []


def test_a_revision_is_stored_once_and_others_beside_it_are_stored(aws: None) -> None:
    create_scan_table(TABLE)
    table = DynamoSentFindings(TABLE)
    first, other = a_sent_finding(), a_sent_finding(fingerprint="e" * 32)
    assert table.put_sent_findings([first])
    assert not table.put_sent_findings([first, other])
    second = replace(first, revision=2, is_active=False)
    assert table.put_sent_findings([second])
    assert table.sent_findings(["10.0.0.5"], vantage="default") == [other, second]


def test_an_archived_finding_is_forgotten_and_may_come_back(aws: None) -> None:
    create_scan_table(TABLE)
    now = [NOW]
    table = DynamoSentFindings(TABLE, lambda: now[0])
    assert table.put_sent_findings([a_sent_finding(is_active=False)])
    now[0] += timedelta(days=ARCHIVED_DAYS + 1)
    assert table.sent_findings(["10.0.0.5"], vantage="default") == []
    assert table.put_sent_findings([a_sent_finding()])
    assert table.sent_findings(["10.0.0.5"], vantage="default") == [a_sent_finding()]
