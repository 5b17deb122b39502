"""What a report tells: which ports it looked at, and whether it accounts for every address.

A port that was not covered says nothing: it is not closed. scanned_addresses.py says the same of addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from cascan.limits import MAX_COVERAGE_CHARS
from cascan.model.host import Host
from cascan.model.inventory import NOT_OPEN, OPEN, OPEN_OR_FILTERED, PortCoverage, Unlisted
from cascan.model.report import ScanInfo
from cascan.model.shard import NmapRun
from cascan.nmap.ports.port_set import PortSet, parse_port_set

# What a port's state says depends on how it was asked. After ACK, FIN, NULL, Xmas, Maimon and Window probes, SCTP
# COOKIE-ECHO and a scan through an FTP server, "closed" or silence does not tell whether somebody listens.
CONCLUSIVE_SCANS = frozenset({"connect", "syn", "udp", "sctpinit", "ipproto"})
GUESSING_SCANS = frozenset({"window", "bounce"})  # their "open" is no more than a guess
CLOSED_STATES = frozenset({"closed", "filtered", "closed|filtered"})  # surely not open, as seen from here


class Ending(Protocol):
    """What a report says of its run, once it is read to its end."""

    @property
    def complete(self) -> bool: ...
    @property
    def exit(self) -> str | None: ...
    @property
    def hosts_total(self) -> int | None: ...


def accounts_for_all(run: NmapRun | None, report: Ending) -> bool:
    """nmap went through every address it was given, and the report is there to its end: who is missing was not up."""
    if run is None or run.exit_code != 0 or run.stopped or not report.complete or report.exit != "success":
        return False
    return report.hosts_total is not None and report.hosts_total >= run.addresses


class ScannedPorts(msgspec.Struct, frozen=True):
    """The ports that a run asked of every host, by protocol, where an answer tells open from not open."""

    telling: Mapping[str, PortSet]
    guessing: frozenset[str]  # protocols whose open ports are a guess

    @classmethod
    def from_scaninfo(cls, scaninfo: Iterable[ScanInfo]) -> ScannedPorts:
        """Source: nmap.dtd, element scaninfo: its services are without what --exclude-ports takes out."""
        infos = [(info.type or "", info.protocol or "", info.services or "") for info in scaninfo]
        guessing = frozenset(protocol for kind, protocol, _ in infos if kind in GUESSING_SCANS)
        telling = {protocol: parse_port_set(ports) for kind, protocol, ports in infos if kind in CONCLUSIVE_SCANS}
        return cls({protocol: ports for protocol, ports in telling.items() if ports}, guessing)

    def covered(self, host: Host, seen_at: datetime, scan_id: str) -> tuple[PortCoverage, ...]:
        """The ports that were looked at: those known to be open or not, and those that gave no answer.

        None of a host that timed out.
        """
        return () if host.timed_out else tuple(self._covered(host, seen_at, scan_id))

    def _covered(self, host: Host, seen_at: datetime, scan_id: str) -> Iterator[PortCoverage]:
        for protocol, asked in self.telling.items():
            conclusive = _told(host, protocol, asked)
            silent = PortSet() if conclusive is asked else asked - conclusive
            states = ((conclusive, _state_of_the_rest(host, protocol)), (silent, OPEN_OR_FILTERED))
            for ports, state in states:
                if ports:
                    yield PortCoverage(
                        protocol=protocol,
                        ports=_bounded(str(ports)),
                        seen_at=seen_at,
                        scan_id=scan_id,
                        state=state,
                        common=ports is asked,
                    )


def unlisted_ports(host: Host) -> Iterator[Unlisted]:
    """The ports that the host's element counts by state; `ports` is empty where it does not say which (before 7.9)."""
    for extra in host.extraports:
        if not extra.reasons:
            yield Unlisted("", "", extra.state)
        for reason in extra.reasons:
            yield Unlisted(reason.protocol, reason.ports, extra.state)


def _told(host: Host, protocol: str, asked: PortSet) -> PortSet:
    """The ports asked, less those of which nobody can say whether they are open; `asked` itself where there are none.

    A host without open ports may have no list at all, as with --open: then none of them was.
    """
    extras = [extra for extra in unlisted_ports(host) if extra.protocol in ("", protocol)]
    unclear = [extra for extra in extras if extra.state not in CLOSED_STATES]
    listed = [port for port in host.ports if port.protocol == protocol]
    silent = PortSet((p.number, p.number) for p in listed if p.state != OPEN and p.state not in CLOSED_STATES)
    if not unclear and not silent:
        return asked
    if all(extra.ports for extra in unclear):
        return _without(asked - silent, unclear)
    told = PortSet((p.number, p.number) for p in listed) - silent
    for extra in extras:
        if extra.state in CLOSED_STATES:
            told |= parse_port_set(extra.ports)
    return told


def _without(ports: PortSet, extras: Iterable[Unlisted]) -> PortSet:
    for extra in extras:
        ports -= parse_port_set(extra.ports)
    return ports


def _state_of_the_rest(host: Host, protocol: str) -> str:
    """The state of every port that was covered and is not open, if they share one."""
    states = {port.state for port in host.ports if port.protocol == protocol}
    states |= {extra.state for extra in unlisted_ports(host) if extra.protocol in ("", protocol)}
    states &= CLOSED_STATES
    return states.pop() if len(states) == 1 else NOT_OPEN


def _bounded(ports: str) -> str:
    """A long list without its end: what is left out counts as not covered."""
    return ports if len(ports) <= MAX_COVERAGE_CHARS else ports[:MAX_COVERAGE_CHARS].rpartition(",")[0]
