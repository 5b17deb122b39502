"""What a report covers: the ports that the run scanned, and whether the report accounts for every
address.

A port that was not covered is neither open nor closed: nothing is known of it. scanned_addresses.py
does the same for addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from cascan.limits import MAX_COVERAGE_CHARS
from cascan.model.host import Host, Port
from cascan.model.inventory import NOT_OPEN, OPEN, OPEN_OR_FILTERED, PortCoverage, Unlisted
from cascan.model.report import ScanInfo
from cascan.model.shard import NmapRun
from cascan.nmap.ports.port_set import PortSet, parse_port_set

# What a port's state says depends on the kind of scan. After ACK, FIN, NULL, Xmas, Maimon and
# Window probes, SCTP COOKIE-ECHO and a scan through an FTP server, "closed" or silence does not
# tell whether a service listens.
CONCLUSIVE_SCANS = frozenset({"connect", "syn", "udp", "sctpinit", "ipproto"})
GUESSING_SCANS = frozenset({"window", "bounce"})  # their "open" is no more than a guess
# Surely not open, as seen from here
CLOSED_STATES = frozenset({"closed", "filtered", "closed|filtered"})
CONCLUSIVE_STATES = CLOSED_STATES | {OPEN}


class Ending(Protocol):
    """What a report says of its run, once it is read to its end."""

    @property
    def complete(self) -> bool: ...
    @property
    def exit(self) -> str | None: ...
    @property
    def hosts_total(self) -> int | None: ...


def accounts_for_all(run: NmapRun | None, report: Ending) -> bool:
    """nmap went through every address it was given, and the report is there to its end."""
    if run is None or run.exit_code != 0 or run.stopped:
        return False
    if not report.complete or report.exit != "success":
        return False
    return report.hosts_total is not None and report.hosts_total >= run.addresses


class ScannedPorts(msgspec.Struct, frozen=True):
    """The ports that a run scanned on every host, by protocol, where the kind of scan tells open
    from not open.
    """

    conclusive: Mapping[str, PortSet]
    guessed: frozenset[str]  # protocols whose open ports are a guess

    @classmethod
    def from_scaninfo(cls, scaninfo: Iterable[ScanInfo]) -> ScannedPorts:
        """Source: nmap.dtd, element scaninfo: its services are without what --exclude-ports takes
        out.
        """
        conclusive: dict[str, PortSet] = {}
        guessed = set()
        for info in scaninfo:
            protocol = info.protocol or ""
            if info.type in GUESSING_SCANS:
                guessed.add(protocol)
            if info.type in CONCLUSIVE_SCANS:
                conclusive[protocol] = parse_port_set(info.services or "")
        with_ports = {protocol: ports for protocol, ports in conclusive.items() if ports}
        return cls(with_ports, frozenset(guessed))

    def build_coverage(
        self,
        host: Host,
        seen_at: datetime,
        scan_id: str,
    ) -> tuple[PortCoverage, ...]:
        """The host's ports that were covered: those known to be open or not, and those that gave no
        answer.

        None of a host that timed out.
        """
        return () if host.timed_out else tuple(self._coverages(host, seen_at, scan_id))

    def _coverages(self, host: Host, seen_at: datetime, scan_id: str) -> Iterator[PortCoverage]:
        for protocol, scanned in self.conclusive.items():
            conclusive = _find_conclusive(host, protocol, scanned)
            silent = PortSet() if conclusive is scanned else scanned - conclusive
            closed_state = _common_closed_state(host, protocol)
            states = ((conclusive, closed_state), (silent, OPEN_OR_FILTERED))
            for ports, state in states:
                if ports:
                    yield PortCoverage(
                        protocol=protocol,
                        ports=_truncate(str(ports)),
                        seen_at=seen_at,
                        scan_id=scan_id,
                        state=state,
                        common=ports is scanned,
                    )


def unlisted_ports(host: Host) -> Iterator[Unlisted]:
    """The ports that the host's element counts by state; `ports` is empty where it does not say
    which (before 7.9).
    """
    for extra in host.extraports:
        if not extra.reasons:
            yield Unlisted("", "", extra.state)
        for reason in extra.reasons:
            yield Unlisted(reason.protocol, reason.ports, extra.state)


def _find_conclusive(host: Host, protocol: str, scanned: PortSet) -> PortSet:
    """The scanned ports of which the report tells whether they are open; `scanned` itself where it
    does for all.

    A host without open ports may have no list at all, as with --open: then none of its ports was
    open.
    """
    groups = _groups_of(host, protocol)
    unclear = [group for group in groups if group.state not in CLOSED_STATES]
    listed = [port for port in host.ports if port.protocol == protocol]
    silent = _to_port_set(port for port in listed if port.state not in CONCLUSIVE_STATES)
    if not unclear and not silent:
        return scanned
    # It does not say which ports are unclear: those it names count
    if not all(group.ports for group in unclear):
        return _add_closed(_to_port_set(listed) - silent, groups)
    conclusive = scanned - silent
    for group in unclear:
        conclusive -= parse_port_set(group.ports)
    return conclusive


def _add_closed(ports: PortSet, groups: list[Unlisted]) -> PortSet:
    """With the ports that the report only counts as closed."""
    for group in groups:
        if group.state in CLOSED_STATES:
            ports |= parse_port_set(group.ports)
    return ports


def _groups_of(host: Host, protocol: str) -> list[Unlisted]:
    return [group for group in unlisted_ports(host) if group.protocol in ("", protocol)]


def _to_port_set(ports: Iterable[Port]) -> PortSet:
    return PortSet((port.number, port.number) for port in ports)


def _common_closed_state(host: Host, protocol: str) -> str:
    """The state of every port that was covered and is not open, if they share one."""
    states = {port.state for port in host.ports if port.protocol == protocol}
    states |= {group.state for group in _groups_of(host, protocol)}
    states &= CLOSED_STATES
    return states.pop() if len(states) == 1 else NOT_OPEN


def _truncate(ports: str) -> str:
    """A long list without its end: what is left out counts as not covered."""
    if len(ports) <= MAX_COVERAGE_CHARS:
        return ports
    return ports[:MAX_COVERAGE_CHARS].rpartition(",")[0]
