"""Hosts that change, scans that look at some of them, and imports of what the scans see.

A scan is recorded as on_report_stored records it: findings, and the inventory with what was covered.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.formats.hub_product import HubProduct
from cascan.gateways import FindingHub, ScanTable
from cascan.ids import ReportKey, derive_finding_id, derive_fingerprint, derive_scan_id
from cascan.inventory.changes import apply_observation
from cascan.model.finding import Finding, HostFindings, Severity
from cascan.model.history import Look, NotOpenPorts, OpenPorts
from cascan.model.inventory import OPEN, HostUpdate, Observation, PortCoverage, Sighting
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import TargetSlice
from on_hub_import_due.import_scan import ImportGateways, ImportOutcome, ImportSettings, import_scan
from on_hub_import_due.work import HubImportWork
from tests.fakes import MemoryScanTable
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.finding_hub import MemorySentFindings
from tests.support.builders import NOW, a_run, a_scan, a_shard

ACCOUNT = "123456789012"
PRODUCT = HubProduct(ACCOUNT, "eu-central-1")
NETWORK = "10.0.0.0/29"
PLAIN: tuple[str, ...] = ("-sT",)
WITH_SCRIPT = ("-sT", "-sV", "--script", "vulners")
Place = tuple[str, int]  # an address and a port of TCP


@dataclass
class HubWorld:
    """`flaws`: of each open port, names of what the script can see there."""

    hub: FindingHub
    open_ports: set[Place] = field(default_factory=set)
    flaws: dict[Place, set[str]] = field(default_factory=dict)
    minimum: Severity = Severity.LOW
    table: ScanTable = field(default_factory=MemoryScanTable)

    def __post_init__(self) -> None:
        self.sent = MemorySentFindings()
        self.queue = MemoryRequestQueue()
        self.scans: list[Scan] = []
        self.now = NOW

    def open(self, address: str, port: int, *flaws: str) -> None:
        self.open_ports.add((address, port))
        self.flaws[address, port] = set(flaws)

    def close(self, address: str, port: int) -> None:
        self.open_ports.discard((address, port))

    def scan(
        self,
        addresses: Iterable[str],
        ports: Iterable[int],
        arguments: tuple[str, ...] = WITH_SCRIPT,
        *,
        ends_after: timedelta = timedelta(minutes=5),
    ) -> Scan:
        """Record a scan that looks at these ports of these addresses now."""
        self.now += timedelta(hours=1)
        seen_at, covered = self.now, sorted(ports)
        scan_id = derive_scan_id(f"scan {len(self.scans)}")
        ended_at = seen_at + ends_after
        scan = a_scan(scan_id=scan_id, state=ScanState.DONE, requested_at=seen_at, finished_at=ended_at, shards_open=0)
        shard = a_shard(
            scan_id=scan_id,
            arguments=arguments,
            slices=(TargetSlice(NETWORK, 0, 8),),
            run=a_run(started_at=seen_at, finished_at=ended_at),
        )
        self.table.create_scan(scan)
        self.table.add_shards([shard])
        for address in addresses:
            findings = list(self._find(scan_id, address, covered, arguments, ended_at))
            self.table.put_findings(scan_id, [HostFindings(address, findings)], ReportKey(scan_id, 0, 1))
            self._observe(scan_id, address, covered, seen_at)
        self.scans.append(scan)
        return scan

    def import_scan(self, scan: Scan) -> ImportOutcome:
        gateways = ImportGateways(self.table, self.sent, self.hub, self.queue, lambda: self.now)
        work = HubImportWork(scan_id=scan.scan_id, cause_id="ended")
        return import_scan(work, gateways, ImportSettings(PRODUCT, self.minimum))

    def _find(
        self, scan_id: str, address: str, ports: list[int], arguments: tuple[str, ...], at: datetime
    ) -> Iterator[Finding]:
        for port in ports:
            if (address, port) not in self.open_ports:
                continue
            yield build_finding(scan_id, address, port, at)
            for flaw in sorted(self.flaws.get((address, port), ())) if "--script" in arguments else ():
                yield build_finding(scan_id, address, port, at, flaw)

    def _observe(self, scan_id: str, address: str, ports: list[int], seen_at: datetime) -> None:
        known = self.table.known_hosts([address]).get(address)
        coverage = PortCoverage(
            protocol="tcp", ports=",".join(map(str, ports)), seen_at=seen_at, scan_id=scan_id, state="closed"
        )
        opened = Sighting(state=OPEN, seen_at=seen_at, scan_id=scan_id)
        observation = Observation(
            address=address,
            seen_at=seen_at,
            scan_id=scan_id,
            up=any(place[0] == address for place in self.open_ports),
            ports={("tcp", port): opened for port in ports if (address, port) in self.open_ports},
            coverage=(coverage,),
        )
        self.table.store_looks([self._look(observation, ports)])
        record, changes = apply_observation(known, observation)
        if record and record is not known:
            record = replace(record, revision=record.revision + 1)
            update = HostUpdate(record=record, known=known, changes=changes)
            assert self.table.save_hosts(ReportKey(scan_id, 0, 1), [update]) == []

    def _look(self, seen: Observation, ports: list[int]) -> Look:
        opened = ",".join(str(number) for _, number in sorted(seen.ports))
        return Look(
            address=seen.address,
            seen_at=seen.seen_at,
            scan_id=seen.scan_id,
            shard=0,
            attempt=1,
            is_up=bool(seen.up),
            open_ports=(OpenPorts("tcp", opened),) if opened else (),
            not_open=(NotOpenPorts("tcp", ",".join(map(str, ports)), "closed"),),
        )


def build_finding(scan_id: str, address: str, port: int, at: datetime, flaw: str = "") -> Finding:
    """The finding of a flaw; without one that of the open port."""
    fingerprint = name_finding(address, port, flaw)
    return Finding(
        id=derive_finding_id(scan_id, fingerprint),
        fingerprint=fingerprint,
        parsed_at=at,
        name=flaw or f"Open Port: {port}",
        description=f"Port {port} is open",
        category="Vulnerability" if flaw else "Open Port",
        severity=Severity.HIGH if flaw else Severity.LOW,
        osi_layer="NETWORK",
        location=f"tcp://{address}:{port}",
        attributes={"ip_addresses": [address], "port": port, "protocol": "tcp", "script": "vulners" if flaw else None},
    )


def name_finding(address: str, port: int, flaw: str = "") -> str:
    return derive_fingerprint("Vulnerability" if flaw else "Open Port", address, str(port), flaw)


def run_rescans(world: HubWorld, count: int, seed: int) -> set[str]:
    """`count` scans of hosts that change, each imported, some twice, some late; returns what has to be active.

    What is active follows from the scans alone: of each place the last scan that looked at it decides,
    and of a flaw the last one that looked for flaws, unless the port was seen closed since.
    """
    choose = random.Random(seed)  # noqa: S311 - nothing secret
    addresses, ports, names = [f"10.0.0.{number}" for number in range(1, 7)], (22, 80, 443, 8080), ("a", "b", "c")
    active: set[str] = set()
    waiting: list[Scan] = []  # whose end is delivered late
    for _ in range(count):
        for _ in range(4):
            address, port = choose.choice(addresses), choose.choice(ports)
            if choose.random() < 0.6:
                world.open(address, port, *choose.sample(names, choose.randint(0, 2)))
            else:
                world.close(address, port)
        looked_at = choose.sample(addresses, choose.randint(1, len(addresses)))
        covered = choose.sample(ports, choose.randint(1, len(ports)))
        arguments = choose.choice((PLAIN, PLAIN, WITH_SCRIPT))
        scan = world.scan(looked_at, covered, arguments)
        for address in looked_at:
            active = _look(world, active, address, covered, with_flaws=arguments is WITH_SCRIPT, names=names)
        if choose.random() < 0.6:
            waiting.append(scan)
        else:
            world.import_scan(scan)
        if choose.random() < 0.3:
            world.import_scan(choose.choice(world.scans))  # a repeat of any age, or the first delivery
        if waiting and choose.random() < 0.3:
            world.import_scan(waiting.pop(choose.randrange(len(waiting))))
    for scan in waiting:
        world.import_scan(scan)
    return active


def _look(
    world: HubWorld, active: set[str], address: str, ports: list[int], *, with_flaws: bool, names: Iterable[str]
) -> set[str]:
    is_up = any(place[0] == address for place in world.open_ports)
    all_ports = (22, 80, 443, 8080)
    for port in ports if is_up else all_ports:
        flaws = {flaw: name_finding(address, port, flaw) for flaw in names}
        port_finding = name_finding(address, port)
        if not is_up or (address, port) not in world.open_ports:
            active = active - {port_finding, *flaws.values()}
            continue
        active = active | {port_finding}
        if with_flaws:
            present = {flaws[flaw] for flaw in world.flaws.get((address, port), ())}
            active = (active - set(flaws.values())) | present
    return active
