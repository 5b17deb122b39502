"""Runs in a namespace: scan names with the worker's own code, with nmap and with a DNS server of the test's.

`python -m tests.names.scan` as root; a JSON object on standard input, see namespace.Scenario; prints a JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import msgspec

from cascan.events import BusEvent, ReportStored
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.shard import Lane, TargetSlice
from cascan.nmap.targets.one_shard_per_name import find_single_names, separate_names
from cascan.nmap.targets.target_set import pack_shards, parse_targets, slice_targets
from cascan.permissions.scope import Scope
from on_report_stored.record_findings import record_findings
from on_shard_queued import resolver
from on_shard_queued.resolver import DnsResolver
from on_shard_queued.run_shard import run_shard
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryShardQueues
from tests.names.namespace import Result, Scenario
from tests.names.server import DnsServer
from tests.support.builders import SCAN_ID, a_request, a_scan, a_shard, a_table, clock, shard_queued
from tests.support.workers import a_delivery, a_worker, take_back_all

MAX_DELIVERIES = 50


def main() -> None:
    scenario = msgspec.json.decode(sys.stdin.buffer.read(), type=Scenario)
    _mount(Path("/etc/resolv.conf"), f"nameserver 127.0.0.53\n{scenario.resolv_conf}")
    _mount(Path("/etc/hosts"), scenario.hosts)
    server = DnsServer(scenario.zone)
    with patch.multiple(resolver, FIRST_LOOKUP_TIMEOUT_S=scenario.within_s, LOOKUP_TIMEOUT_S=scenario.within_s):
        result = _scan(scenario, server)
    sys.stdout.buffer.write(msgspec.json.encode(result))


def _mount(target: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    subprocess.run(["mount", "--bind", file.name, str(target)], check=True)
    Path(file.name).unlink()


def _scan(scenario: Scenario, server: DnsServer) -> Result:
    """Every message of a shard is delivered until none is left; every report is recorded."""
    targets = parse_targets(scenario.targets)
    slices = tuple(pack_shards(slice_targets(targets), scenario.hosts_per_shard))
    single_names, _ = find_single_names(slices, scenario.arguments, targets)
    planned = separate_names(slices, single_names)
    shards = [
        a_shard(
            number=number,
            slices=of_shard,
            arguments=scenario.arguments,
            addresses=_count(of_shard),
            backoff_limit=scenario.backoff_limit,
        )
        for number, of_shard in enumerate(planned)
    ]
    request = a_request(targets=scenario.targets)
    addresses = sum(shard.addresses for shard in shards)
    scan = a_scan(request=request, shards=len(shards), shards_open=len(shards), addresses=addresses)
    table, reports, queues, bus = a_table(scan, *shards), MemoryReportStore(), MemoryShardQueues(), MemoryEventBus()
    scope = Scope.of(scenario.allowed)
    names = DnsResolver(sleep=lambda _: None)
    worker = a_worker("nmap", table, reports=reports, scope=scope, resolver=names)
    waiting = [shard_queued(number) for number in range(len(shards))]
    done: list[str] = []
    while waiting and len(done) < MAX_DELIVERIES:
        message = waiting.pop(0)
        run = run_shard(message, a_delivery(f"message {len(done)}", time_limit_s=120), worker=worker)
        done.append(run.did)
        gateways = ScanGateways(table, queues, bus, clock)
        take_back_all(worker, gateways)
        key = ReportKey(SCAN_ID, message.shard, run.attempt)
        if str(key) in reports.objects:
            stored = ReportStored(key=str(key), bucket="reports", size=1, event_id="e")
            record_findings(stored, gateways, scope=scope, reports=reports, results=table)
        for lane in Lane:
            waiting += queues.sent[lane]
            queues.sent[lane].clear()
    return Result(
        scan=table.scans[SCAN_ID],
        shards=tuple(table.shards(SCAN_ID)),
        done=tuple(done),
        asked=dict(server.asked),
        hosts={address: record.hostname for address, record in table.hosts_by_address.items()},
        end=_last(bus.events),
    )


def _count(slices: tuple[TargetSlice, ...]) -> int:
    return sum(piece.stop - piece.start for piece in slices)


def _last(events: list[BusEvent]) -> dict[str, object]:
    if not events:
        return {}
    told: dict[str, object] = json.loads(events[-1].to_wire())
    return told | {"type": type(events[-1]).__name__}


if __name__ == "__main__":
    main()
