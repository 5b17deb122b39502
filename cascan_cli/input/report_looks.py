"""Reports of nmap as the source of an exposure check: each file is one look, without any stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from cascan.clock import utc_now
from cascan.errors import UnreadableReport
from cascan.exposure.asked_ports import AskedPorts, HostPort, KnownHost
from cascan.exposure.check import SeenState, select_states
from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.looks import build_look, find_look_time, open_keys
from cascan.model.history import Look
from cascan.model.host import Host
from cascan.nmap.addresses import parse_address
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import read_report
from cascan.queries.exposure_looks import to_seen_state
from cascan_cli.errors import BadInput
from cascan_cli.input.report_file import open_report
from cascan_cli.output.text import print_message


@dataclass
class ReportLooks:
    """The looks of all files, of one vantage, and the names under which hosts were scanned."""

    looks: dict[str, list[Look]] = field(default_factory=dict)  # by address, the newest first
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by address

    def list_hosts(self, vantage: str) -> Iterator[KnownHost]:  # noqa: ARG002 - the reports have one vantage
        for address, looks in self.looks.items():
            yield KnownHost(
                address=address,
                names=self.names.get(address, ()),
                is_up=looks[0].is_up,
                opened=frozenset(key for look in looks for key, _ in open_keys(look)),
            )

    def find_states(
        self, vantage: str, asked: AskedPorts, service_ports: Set[HostPort], at: datetime
    ) -> Mapping[HostPort, tuple[SeenState, ...]]:
        del vantage, at  # the reports have one vantage, and all of them count
        found = {}
        for address, keys in asked.ports.items():
            for key in keys:
                seen = (to_seen_state(look, key) for look in self.looks.get(address, ()))
                states = select_states(filter(None, seen), with_service=(address, key) in service_ports)
                if states:
                    found[address, key] = states
        return found


def read_report_looks(files: Iterable[str]) -> ReportLooks:
    """Of looks in one second, the one of the later file counts as the newer one.

    Raises: BadInput: a file cannot be read, or is not a report of nmap.
    """
    looks: defaultdict[str, list[Look]] = defaultdict(list)
    names: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for name in files:
        for host, look in _read_looks(name):
            looks[look.address].append(look)
            names[look.address].update((known.name, None) for known in host.hostnames if known.kind == "user")
    ordered = {
        address: sorted(of_address, key=lambda look: look.seen_at)[::-1] for address, of_address in looks.items()
    }
    return ReportLooks(ordered, {address: tuple(of_address) for address, of_address in names.items()})


def _read_looks(name: str) -> Iterator[tuple[Host, Look]]:
    """The hosts of one file with their looks. A copy of a report is a look of the same scan."""
    with open_report(name) as file:
        try:
            report = read_report(file.stream)
        except UnreadableReport as exc:
            raise BadInput(f"{name}: {exc}") from exc
        hosts = [host for host in join_sections(report) if host.address]
        source = ReportKey(derive_scan_id(f"{report.args} {report.head.start}"), shard=0, attempt=1)
        ended_at = report.finished_at or report.started_at or utc_now()
        scanned = ScannedPorts.from_scaninfo(report.scaninfo)
        for host in hosts:
            seen_at = find_look_time(host, report.started_at, ended_at)
            look = build_look(host, scanned, source, seen_at)
            if look:
                yield host, replace(look, address=str(parse_address(look.address)))
        for warning in (*report.warnings, *file.remarks):
            print_message(f"{name}: {warning}")
