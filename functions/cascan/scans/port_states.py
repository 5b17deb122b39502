"""What the reports of a scan say of the ports of each address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from cascan.errors import UnreadableReport
from cascan.gateways import ReportStore, Shards
from cascan.inventory.coverage import unlisted_ports
from cascan.model.host import Host
from cascan.model.scan import Scan, ScanState
from cascan.nmap.addresses import parse_address
from cascan.nmap.ports.port_set import parse_port_set
from cascan.nmap.report.read import read_report
from cascan.scans.merged_report import select_reports

FILTERED = "filtered"  # with no answer at all, or that of a firewall
DOWN, SILENT = "the host did not answer", "nothing answered at this address"
TIMED_OUT = "the host took longer than its time limit"
NO_REPORT = "no report of the scan names the address"


def was_refused(scan: Scan) -> bool:
    """Whether the request of the scan was not accepted, so that no packet was sent."""
    return scan.state is ScanState.ERRORED and not scan.shards


def explain_end(scan: Scan | None) -> str:
    """Why a scan has nothing to say of any port. Empty: it has ended, and may have reports."""
    if scan is None:
        return "its scan is gone"
    if scan.state is ScanState.SUSPENDED:
        return f"scan {scan.scan_id} is suspended"
    if was_refused(scan):
        return f"scan {scan.scan_id} was refused: {scan.error_description}"
    return "" if scan.shards_open == 0 else f"scan {scan.scan_id} has not ended"


def read_port_states(
    scan_id: str,
    wanted: Mapping[str, frozenset[int]],
    *,
    table: Shards,
    reports: ReportStore,
) -> tuple[dict[tuple[str, int], str], dict[str, str]]:
    """The states of the TCP ports in `wanted`, an address → its ports; and why others have none.

    An address whose ports are all filtered has no states: it may be unreachable. Of an address
    that several reports name, the report of the later shard counts.
    """
    states: dict[tuple[str, int], str] = {}
    problems: dict[str, str] = {}
    keys = select_reports(table.shards(scan_id), reports.report_keys(scan_id))
    for key in keys.values():
        with reports.open_report(key) as stream:
            for host in _read_hosts(read_report(stream)):
                address = _to_address(host)
                if address not in wanted:
                    continue
                host_states = dict(_read_states(host, wanted[address]))
                if problem := _find_problem(host, host_states.values()):
                    problems[address] = problem
                else:
                    problems.pop(address, None)
                    states |= {(address, port): state for port, state in host_states.items()}
    return states, {address: problems.get(address, NO_REPORT) for address in wanted}


def _read_hosts(hosts: Iterable[Host]) -> Iterator[Host]:
    """The hosts up to where the report is damaged."""
    with suppress(UnreadableReport):
        yield from hosts


def _to_address(host: Host) -> str:
    try:
        return str(parse_address(host.address))
    except ValueError:
        return ""


def _read_states(host: Host, ports: frozenset[int]) -> Iterator[tuple[int, str]]:
    for group in unlisted_ports(host):
        if group.protocol in ("", "tcp"):
            numbers = parse_port_set(group.ports)
            yield from ((port, group.state) for port in ports if port in numbers or not group.ports)
    yield from ((port.number, port.state) for port in host.ports if port.protocol == "tcp" and port.number in ports)


def _find_problem(host: Host, states: Iterable[str]) -> str:
    """Why the host's ports say nothing. Empty: they do."""
    if host.timed_out:
        return TIMED_OUT
    if host.state != "up":
        return DOWN
    return "" if set(states) - {FILTERED} else SILENT
