"""/coverage: the networks in scope, and which of their addresses no scan has had as targets."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import islice
from typing import TYPE_CHECKING

from cascan.limits import MAX_CONSOLE_SCANS
from cascan.nmap.intervals import Interval
from cascan.queries.scope_coverage import ScopeCoverage, find_scope_coverage
from cascan_cli.stack.permissions import read_permissions
from cascan_cli.ui.console import get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Filter, Listing, link, read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COLUMNS = ("In scope", "Addresses", "Asked", "Share", "Never asked")
GAP_COLUMNS = ("Never asked", "Addresses", "In scope")
GAPS = "each network that was never asked"
LEAST_SHARE = 0.1  # in percent, that is shown as a number
NETWORKS_SHOWN = 6  # of the gaps of one row


def show_coverage(request: Request) -> Response:
    console, query = get_console(request), read_query(request, "show")
    scope = read_permissions(console.args).scope
    scans = console.recent.list_scans(console.stack.table)
    coverage = find_scope_coverage({4: scope.permitted4, 6: scope.permitted6}, scans, console.recent.targets)
    lists_gaps = query["show"] == GAPS
    notes = [f"By the targets of the {MAX_CONSOLE_SCANS} latest scans that did not fail. Names are left out."]
    if scope.domains:
        notes.append(f"Names in scope: {', '.join(scope.domains)}")
    listing = Listing(
        title="Coverage",
        columns=GAP_COLUMNS if lists_gaps else COLUMNS,
        rows=_list_gaps(coverage) if lists_gaps else map(_row, coverage),
        filters=(Filter("show", "Show", query["show"], (GAPS,), unset="each network in scope"),),
        empty="Everything in scope was asked." if lists_gaps else "No network is in scope.",
        notes=notes,
    )
    return show_listing(request, listing)


def _row(covered: ScopeCoverage) -> tuple[object, ...]:
    share = 100 * covered.asked / covered.addresses
    networks = list(islice(_to_networks(covered), NETWORKS_SHOWN + 1))
    more = " …" if len(networks) > NETWORKS_SHOWN else ""
    return (
        _format(covered.family, covered.interval),
        f"{covered.addresses:,}",
        f"{covered.asked:,}",
        Cell("under 0.1 %" if 0 < share < LEAST_SHARE else f"{share:.1f} %", mark="" if covered.gaps else "good"),
        f"{' '.join(networks[:NETWORKS_SHOWN])}{more}",
    )


def _list_gaps(coverage: list[ScopeCoverage]) -> Iterator[tuple[object, ...]]:
    for covered in coverage:
        for network in _to_networks(covered):
            bits = 32 if covered.family == 4 else 128  # noqa: PLR2004 - of IPv4
            size = 1 << (bits - int(network.partition("/")[2] or bits))
            yield Cell(network, link("submit", targets=network)), f"{size:,}", _format(covered.family, covered.interval)


def _to_networks(covered: ScopeCoverage) -> Iterator[str]:
    """The gaps as networks, the fewest that cover them exactly."""
    for low, high in covered.gaps:
        yield from (str(network) for network in _summarize(covered.family, low, high))


def _summarize(family: int, low: int, high: int) -> Iterator[object]:
    if family == 4:  # noqa: PLR2004 - of IPv4
        return iter(summarize_address_range(IPv4Address(low), IPv4Address(high)))
    return iter(summarize_address_range(IPv6Address(low), IPv6Address(high)))


def _format(family: int, interval: Interval) -> str:
    """As a network, or as its ends."""
    networks = [str(network) for network in islice(_summarize(family, *interval), 2)]
    if len(networks) == 1:
        return networks[0]
    kind = IPv4Address if family == 4 else IPv6Address  # noqa: PLR2004 - of IPv4
    return " to ".join(str(kind(number)) for number in interval)
