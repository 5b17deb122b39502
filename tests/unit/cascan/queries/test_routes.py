"""The route to a host, as its finding has it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.findings import build_findings
from cascan.limits import MAX_ROUTE_HOPS
from cascan.model.finding import Finding
from cascan.nmap.report.read import read_report
from cascan.queries.routes import Hop, find_route, read_route
from tests.support.builders import NOW, SCAN_ID

TRACED = b"""<nmaprun><host><status state="up" reason="x" reason_ttl="0"/>
<address addr="10.3.0.9" addrtype="ipv4"/>
<trace port="80" proto="tcp">
<hop ttl="1" ipaddr="10.1.0.1" rtt="0.31" host="gate.example"/>
<hop ttl="3" ipaddr="10.3.0.1" rtt="--"/>
<hop ttl="4" ipaddr="10.3.0.9" rtt="2.50"/>
</trace>
</host></nmaprun>"""


def find_host_finding() -> Finding:
    (host,) = read_report(io.BytesIO(TRACED))
    (finding,) = build_findings(host, SCAN_ID, NOW)
    return finding


def with_trace(trace: Any) -> Finding:
    finding = find_host_finding()
    return replace(finding, attributes=finding.attributes | {"details": trace})


def test_the_route_is_read_from_what_nmap_wrote() -> None:
    route = (
        Hop(1, "10.1.0.1", "gate.example", 0.31),
        Hop(3, "10.3.0.1", "", None),
        Hop(4, "10.3.0.9", "", 2.5),
    )
    assert read_route(find_host_finding()) == route
    assert find_route([with_trace(None), find_host_finding()]) == route


def test_only_the_finding_of_the_host_has_a_route() -> None:
    assert read_route(replace(find_host_finding(), category="Open Port")) == ()


@pytest.mark.parametrize(
    "details",
    [
        None,
        "cut",
        {},
        {"trace": []},
        {"trace": ["x"]},
        {"trace": [{"port": "80"}]},
        {"trace": [{"hop": "x"}]},
        {"trace": [{"hop": ["x", {}, {"ttl": 1, "ipaddr": "10.0.0.1"}, {"ttl": "0", "ipaddr": "10.0.0.1"}]}]},
        {"trace": [{"hop": [{"ttl": "\u0661", "ipaddr": "a"}, {"ttl": "9" * 5_000, "ipaddr": "a"}, {"ttl": "1"}]}]},
    ],
)
def test_a_malformed_route_is_left_out(details: Any) -> None:
    assert read_route(with_trace(details)) == ()


@pytest.mark.parametrize("rtt", ["nan", "inf", "-1", "x", None, 3])
def test_a_malformed_time_is_left_out(rtt: Any) -> None:
    finding = with_trace({"trace": [{"hop": [{"ttl": "1", "ipaddr": "10.0.0.1", "rtt": rtt}]}]})
    assert read_route(finding) == (Hop(1, "10.0.0.1", "", None),)


def test_a_route_is_bounded() -> None:
    rows = [{"ttl": str(number), "ipaddr": "10.0.0.1"} for number in range(1, 1_000)]
    assert len(read_route(with_trace({"trace": [{"hop": rows}]}))) == MAX_ROUTE_HOPS
