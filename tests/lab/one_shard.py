"""Runs one shard as a worker does, with the tables in memory: a request comes in on standard input, in the short form.

The operator's PolicyProfile is the argument, `safe` without one.
JSON goes out on standard output: the lane, the run of nmap, its report, and the rights that the worker had.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from cascan.clock import utc_now
from cascan.forms import read_request
from cascan.ids import ReportKey
from cascan.model.policy_profile import PolicyProfile
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from on_shard_queued.resolver import DnsResolver
from on_shard_queued.run_shard import run_shard
from tests.fakes import MemoryReportStore
from tests.lab.network import FAR_NETWORK
from tests.support.builders import SCAN_ID, a_scan, a_table, shard_queued
from tests.support.workers import a_delivery, a_worker

SCOPE = Scope.of(["192.0.2.0/24", FAR_NETWORK, "lab.example"])
DEADLINE_S = 100.0


def main() -> None:
    policy = PolicyProfile(*sys.argv[1:] or [PolicyProfile.SAFE])
    planned = plan(read_request(sys.stdin.read(), is_issued=True).request, Permissions(SCOPE, policy))
    (shard,) = planned.shards(SCAN_ID)
    table, reports = a_table(a_scan(), shard), MemoryReportStore()
    worker = a_worker("/usr/bin/nmap", table, reports=reports, scope=SCOPE, resolver=DnsResolver(), clock=utc_now)
    outcome = run_shard(shard_queued(), a_delivery(time_limit_s=DEADLINE_S), worker=worker)
    report = reports.objects[str(ReportKey(SCAN_ID, 0, 1))].decode()
    run = msgspec.to_builtins(table.shards_by_key[SCAN_ID, 0].run)
    answer = {"lane": shard.lane, "did": outcome.did, "run": run, "report": report, "rights": rights()}
    print(json.dumps(answer))


def rights() -> dict[str, str]:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


if __name__ == "__main__":
    main()
