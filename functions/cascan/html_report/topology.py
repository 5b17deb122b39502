"""The routes of a scan as a graph: from each vantage over the routers to the hosts behind them.

Hosts are counted at the last router before them, so the picture stays small however many there are.
"""

from __future__ import annotations

from typing import Any

from cascan.html_report.texts import make_visible
from cascan.limits import MAX_TOPOLOGY_NODES
from cascan.model.finding import Finding
from cascan.queries.finding_query import list_addresses
from cascan.queries.routes import Route, read_route


class Topology:
    """Collects the routes in findings of hosts; of other findings, nothing."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}  # vantage and address → the place in `_nodes`
        self._nodes: list[dict[str, Any]] = []
        self._edges: dict[tuple[int, int], bool] = {}  # whether hops between the two did not answer
        self._cut = 0  # routes that are not drawn to their end

    def add(self, finding: Finding, vantage: str) -> None:
        if route := read_route(finding):
            self._add_route(route, vantage, set(list_addresses(finding)))

    def _add_route(self, route: Route, vantage: str, own_addresses: set[str]) -> None:
        router, last_number = self._find_node(vantage, "", "", 0), 0
        if router is None:
            self._cut += 1
            return
        for hop in route:
            if hop.address in own_addresses:
                break
            node = self._find_node(vantage, hop.address, hop.name, hop.number)
            if node is None:
                self._cut += 1
                break
            if node != router:
                self._edges.setdefault((router, node), hop.number > last_number + 1)
            router, last_number = node, hop.number
        self._nodes[router]["hosts"] += 1

    def _find_node(self, vantage: str, address: str, name: str, number: int) -> int | None:
        """The place of the router; without an address, of the vantage. None: there are too many nodes."""
        key = vantage, address
        if key not in self._numbers:
            if len(self._nodes) >= MAX_TOPOLOGY_NODES:
                return None
            self._numbers[key] = len(self._nodes)
            label = make_visible(address or vantage)
            self._nodes.append({"address": label, "name": make_visible(name), "hop": number, "hosts": 0})
        node = self._numbers[key]
        self._nodes[node]["hop"] = min(self._nodes[node]["hop"], number)
        return node

    def describe(self) -> dict[str, Any]:
        """For the page. `hop` is 0 for a vantage; an edge is `[from, to, whether hops between are unknown]`."""
        edges = [[start, end, int(is_gap)] for (start, end), is_gap in self._edges.items()]
        return {"nodes": self._nodes, "edges": edges, "cut": self._cut}
