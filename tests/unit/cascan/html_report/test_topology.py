"""The graph of routes in a report."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.html_report import topology as module
from cascan.html_report.topology import Topology
from cascan.model.finding import Finding
from tests.unit.cascan.html_report.test_html_report import a_finding, a_table_with, read_data, render


def a_traced_host(address: str, *hops: tuple[int, str], name: str = "") -> Finding:
    rows = [{"ttl": str(number), "ipaddr": router, "host": name} for number, router in hops]
    attributes: dict[str, Any] = {"ip_addresses": [address], "details": {"trace": [{"hop": rows}]}}
    return a_finding(id=address, category="Host", name=f"Host: {address}", location=address, attributes=attributes)


def describe(*findings: Finding, vantage: str = "default") -> dict[str, Any]:
    topology = Topology()
    for finding in findings:
        topology.add(finding, vantage)
    return topology.describe()


def test_hosts_are_counted_at_the_last_router_before_them() -> None:
    drawn = describe(
        a_traced_host("10.3.0.9", (1, "10.1.0.1"), (2, "10.2.0.1"), (3, "10.3.0.9")),
        a_traced_host("10.3.0.8", (1, "10.1.0.1"), (2, "10.2.0.1"), (3, "10.3.0.8")),
        a_traced_host("10.0.0.2", (1, "10.0.0.2")),
        a_finding(),
    )
    nodes = [(node["address"], node["hop"], node["hosts"]) for node in drawn["nodes"]]
    assert nodes == [("default", 0, 1), ("10.1.0.1", 1, 0), ("10.2.0.1", 2, 2)]
    assert drawn["edges"] == [[0, 1, 0], [1, 2, 0]]


def test_hops_that_did_not_answer_are_a_gap() -> None:
    drawn = describe(a_traced_host("10.3.0.9", (1, "10.1.0.1"), (4, "10.2.0.1"), (6, "10.3.0.9")))
    assert drawn["edges"] == [[0, 1, 0], [1, 2, 1]]


def test_each_vantage_has_routers_of_its_own() -> None:
    topology = Topology()
    for vantage in ("office", "cloud"):
        topology.add(a_traced_host("10.3.0.9", (1, "10.1.0.1"), (2, "10.3.0.9")), vantage)
    assert [node["address"] for node in topology.describe()["nodes"]] == ["office", "10.1.0.1", "cloud", "10.1.0.1"]


def test_the_picture_is_bounded_and_says_what_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOPOLOGY_NODES", 3)
    drawn = describe(*[a_traced_host(f"10.3.0.{n}", (1, f"10.1.0.{n}"), (2, f"10.3.0.{n}")) for n in range(5)])
    assert (len(drawn["nodes"]), drawn["cut"]) == (3, 3)
    assert sum(node["hosts"] for node in drawn["nodes"]) == 5


def test_names_of_routers_are_visible_texts() -> None:
    hostile = "</script><b>\u202e\x1b[31m"
    page = render(a_table_with(a_traced_host("10.3.0.9", (1, hostile), (2, "10.3.0.9"), name=hostile)))
    assert hostile.encode() not in page
    router = read_data(page)["plain"]["topology"]["nodes"][1]
    assert router["address"] == router["name"] == "</script><b>\\u202e\\x1b[31m"


def test_without_traces_there_is_no_graph() -> None:
    assert read_data(render(a_table_with(a_finding())))["plain"]["topology"] == {"nodes": [], "edges": [], "cut": 0}
