"""One message of the import queue: import the findings of a scan, a few hosts at a time, as far as there is time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby, islice
from typing import Protocol

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.errors import GatewayUnavailable
from cascan.formats.hub_product import HubProduct
from cascan.formats.records import ScanFields
from cascan.gateways import (
    Exposures,
    FindingHub,
    FindingsByHost,
    History,
    Inventory,
    RefusedFinding,
    RequestQueue,
    Scans,
    SentFindings,
    Shards,
)
from cascan.inventory.scanned_addresses import ScannedAddresses
from cascan.limits import HOSTS_PER_IMPORT, MAX_IMPORT_CONFLICTS, MAX_LOOKS_PER_IMPORT
from cascan.log_context import add_log_context
from cascan.model.finding import Severity
from cascan.model.history import Look
from cascan.model.scan import Scan
from cascan.model.shard import Shard
from cascan.nmap.addresses import find_network, order_address
from cascan.nmap.intervals import Interval, merge_intervals
from on_hub_import_due.choose_imports import Choice, ImportedScan, KnownState, Probes, choose_imports
from on_hub_import_due.probes import list_probes
from on_hub_import_due.work import HubImportWork, continue_import

MIN_TURN_S = 120.0  # with less left no further hosts are begun: HOSTS_PER_IMPORT of them may need 80 calls


class ImportTable(Scans, Shards, FindingsByHost, Inventory, History, Exposures, Protocol):
    """What an import reads of the scan table."""


@dataclass(frozen=True, slots=True)
class ImportGateways:
    table: ImportTable
    sent: SentFindings
    hub: FindingHub
    queue: RequestQueue  # where the message goes that is to be continued
    clock: Clock


@dataclass(frozen=True, slots=True)
class ImportSettings:
    product: HubProduct
    minimum: Severity


@dataclass(slots=True)
class ImportOutcome:
    """What a turn has sent, for the log."""

    active: int = 0
    archived: int = 0
    left_out: int = 0  # findings of hosts that have too many
    refused: list[RefusedFinding] = field(default_factory=list)
    is_continued: bool = False


def import_scan(
    work: HubImportWork,
    gateways: ImportGateways,
    settings: ImportSettings,
    *,
    left_s: TimeLeft = no_time_limit,
) -> ImportOutcome:
    """Raises: GatewayUnavailable: try again. Rejected: the scan takes too many turns."""
    add_log_context(scan_id=work.scan_id)
    outcome = ImportOutcome()
    scan = gateways.table.get_scan(work.scan_id)
    if scan is None or scan.members:  # it was removed; or each of its members is imported by itself
        return outcome
    add_log_context(trace_id=scan.trace_id)
    importer = _ScanImporter(scan, gateways, settings, outcome)
    for vantage, addresses in importer.list_hosts(work):
        importer.import_hosts(vantage, addresses)
        if left_s() < MIN_TURN_S:
            gateways.queue.send(continue_import(work, vantage=vantage, after=addresses[-1]).to_wire())
            outcome.is_continued = True
            break
    return outcome


class _ScanImporter:
    def __init__(self, scan: Scan, gateways: ImportGateways, settings: ImportSettings, outcome: ImportOutcome) -> None:
        self._scan = scan
        self._gateways = gateways
        self._settings = settings
        self._outcome = outcome
        self._fields = ScanFields.of(scan)
        self._shards = list(gateways.table.shards(scan.scan_id))
        self._find_probes = cache(self._read_probes)

    def list_hosts(self, work: HubImportWork) -> Iterator[tuple[str, list[str]]]:
        """Each vantage, with hosts of a network that were ever up there, behind where a turn ended."""
        vantages = self._scan.vantages_of_looks
        start = vantages.index(work.vantage) if work.vantage in vantages else 0
        for vantage in vantages[start:]:
            after = order_address(work.after) if work.after and vantage == work.vantage else (0, 0)
            addresses = (each for each in self._list_addresses(vantage) if order_address(each) > after)
            for _, network in groupby(addresses, key=find_network):
                while hosts := list(islice(network, HOSTS_PER_IMPORT)):
                    yield vantage, hosts

    def import_hosts(self, vantage: str, addresses: list[str]) -> None:
        """Decide, store the decisions, and send them: what was stored and not sent is sent by the next delivery."""
        for _ in range(MAX_IMPORT_CONFLICTS):
            choice = self._choose(vantage, addresses)
            if self._gateways.sent.put_sent_findings(choice.imports):
                break
        else:
            raise GatewayUnavailable(f"other imports were faster with the hosts from {addresses[0]}")
        self._outcome.refused += self._gateways.hub.import_findings(sent.asff for sent in choice.imports)
        self._outcome.active += sum(sent.is_active for sent in choice.imports)
        self._outcome.archived += sum(not sent.is_active for sent in choice.imports)
        self._outcome.left_out += choice.left_out

    def _choose(self, vantage: str, addresses: list[str]) -> Choice:
        table = self._gateways.table
        source = ImportedScan(
            scan=self._scan,
            fields=self._fields,
            ended_at=self._scan.finished_at or self._gateways.clock(),
            vantage=vantage,
            probes=self._find_probes(self._scan.scan_id) or frozenset(),
            product=self._settings.product,
            minimum=self._settings.minimum,
            find_probes=self._find_probes,
            find_looks=cache(partial(self._read_looks, vantage)),
        )
        state = KnownState(
            findings=table.findings_at(self._scan.scan_id, addresses),
            sent=self._gateways.sent.sent_findings(addresses, vantage=vantage),
            records=table.known_hosts(addresses, vantage=vantage),
            exposures=table.exposures_at(addresses, vantage=vantage),
        )
        return choose_imports(source, state)

    def _list_addresses(self, vantage: str) -> Iterator[str]:
        """The addresses that were scanned from the vantage, and that were up there at some time, in order."""
        shards = [shard for shard in self._shards if shard.seen_from(self._scan) == vantage]
        for family, intervals in sorted(_merge_scanned(shards).items()):
            for low, high in intervals:
                yield from self._gateways.table.known_addresses(family, low, high, vantage=vantage)

    def _read_looks(self, vantage: str, address: str) -> list[Look]:
        """The looks at the address down to that of the scan, the newest first."""
        looks = self._gateways.table.looks_until(
            [address], self._gateways.clock(), since=self._scan.requested_at, vantage=vantage
        )
        newest: list[Look] = []
        for look in islice(looks, MAX_LOOKS_PER_IMPORT):
            newest.append(look)
            if look.scan_id == self._scan.scan_id:
                break
        return newest

    def _read_probes(self, scan_id: str) -> Probes | None:
        """What the scan looked for beside ports. None: the scan was removed."""
        shard = next(iter(self._gateways.table.shards(scan_id)), None)
        return list_probes(shard.arguments) if shard else None


def _merge_scanned(shards: Iterable[Shard]) -> dict[int, tuple[Interval, ...]]:
    """What the shards scanned, by family."""
    scanned: defaultdict[int, list[Interval]] = defaultdict(list)
    for shard in shards:
        scanned[shard.family] += ScannedAddresses.from_shard(shard).intervals()
    return {family: merge_intervals(intervals) for family, intervals in scanned.items()}
