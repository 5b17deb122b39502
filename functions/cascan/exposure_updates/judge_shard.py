"""The hosts of a shard whose report is recorded, judged network by network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from cascan.clock import TimeLeft, no_time_limit
from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure_updates.context import ShardTable, WatchContext
from cascan.exposure_updates.judge_hosts import JudgedHosts, ReportNews, judge_hosts
from cascan.exposure_updates.judge_inventory import MIN_TURN_S
from cascan.exposure_updates.places import group_by_network, list_required, to_address, to_place
from cascan.ids import ReportKey
from cascan.inventory.scanned_addresses import ScannedAddresses
from cascan.model.inventory import ChangeKind
from cascan.model.scan import Scan
from cascan.model.shard import Shard


@dataclass(slots=True)
class JudgedShard:
    judged: JudgedHosts = field(default_factory=JudgedHosts)
    # The last address that was judged; another turn goes on behind it. Empty: all were
    continue_after: str = ""


def judge_shard(
    scan: Scan,
    shard: Shard,
    report: ReportKey,
    context: WatchContext,
    table: ShardTable,
    *,
    after: str = "",
    left_s: TimeLeft = no_time_limit,
) -> JudgedShard:
    """Judge the addresses that the shard scanned, behind the address `after`, while there is time."""
    scanned, vantage = ScannedAddresses.from_shard(shard), shard.seen_from(scan)
    addresses = _list_addresses(scanned, context.index, table, vantage)
    start = to_place(after) if after else None
    ahead = (address for address in addresses if start is None or to_place(address) > start)
    opened = _read_opened(scan, shard, table) if context.settings.changes else {}
    outcome = JudgedShard()
    for network in group_by_network(ahead):
        news = ReportNews(
            opened={(address, key) for address in network for key in opened.get(address, ())},
            findings=table.findings_at(scan.scan_id, network) if context.settings.findings else {},
            key=report,
        )
        names = {address: scanned.names_for(address) for address in network}
        outcome.judged.add(judge_hosts(network, context, vantage=vantage, names=names, news=news))
        if left_s() < MIN_TURN_S:
            outcome.continue_after = network[-1]
            return outcome
    return outcome


def _list_addresses(
    scanned: ScannedAddresses, index: ExpectationIndex, table: ShardTable, vantage: str
) -> Iterator[str]:
    """The scanned addresses that were ever up, or that the file requires, in order."""
    for interval in scanned.intervals():
        low, high = interval
        known = {to_place(address) for address in table.known_addresses(scanned.family, low, high, vantage=vantage)}
        places = known | set(list_required(index, vantage, scanned.family, interval))
        for place in sorted(places):
            address = to_address(place)
            if scanned.names_for(address):
                yield address


def _read_opened(scan: Scan, shard: Shard, table: ShardTable) -> dict[str, set[tuple[str, int]]]:
    """The ports that the shard's reports saw open, and an earlier scan did not, by address."""
    opened: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for change in table.changes(scan.scan_id, shard.number):
        if change.kind is ChangeKind.PORT_OPENED and not change.is_baseline and change.port is not None:
            opened[change.address].add((change.protocol, change.port))
    return opened
