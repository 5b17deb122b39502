"""Check and plan a request with 1,000 mixed target expressions, and a /8 with many excludes.

No network.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc

from cascan.forms import read_request
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import Plan, plan

ROUNDS = 11
AIM_MIXED_MS, AIM_WIDE_S, AIM_WIDE_MB = 100, 1.0, 50
PERMIT = Permissions(Scope.of(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "example.org"], ["172.31.0.0/16"]))
KINDS = ("10.{a}.{b}.7", "10.{a}.{b}.0/24", "172.16-17.{b}.1-9,20", "192.168.{b}.{a}/30", "host-{a}-{b}.example.org")


def main() -> None:
    mixed = request([KINDS[n % len(KINDS)].format(a=n % 200, b=n // 4) for n in range(1_000)], ["10.9.0.0/16"])
    build_plan(mixed)
    seconds = [measure_s(mixed) for _ in range(ROUNDS)]
    print(f"1,000 mixed expressions, {build_plan(mixed).addresses:,} addresses: median of {ROUNDS}, one core")
    print(f"  {statistics.median(seconds) * 1000:6.0f} ms; aim {AIM_MIXED_MS}")
    wide = request(["10.0.0.0/8"], [f"10.{n % 99}.{n // 99}.13" for n in range(4_000)])
    tracemalloc.start()
    wide_plan = build_plan(wide)
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"a /8 less 4,000 excludes, {wide_plan.addresses:,} addresses in {len(wide_plan.slices):,} shards")
    print(f"  {measure_s(wide):6.2f} s; aim {AIM_WIDE_S}   {peak_mb:6.1f} MB at most; aim {AIM_WIDE_MB}")


def request(targets: list[str], exclude: list[str]) -> str:
    return json.dumps({"targets": targets, "exclude": exclude, "parameters": ["-sV", "-p", "22,80,443"]})


def build_plan(body: str) -> Plan:
    return plan(read_request(body).request, PERMIT)


def measure_s(body: str) -> float:
    started = time.process_time()
    build_plan(body)
    return time.process_time() - started


if __name__ == "__main__":
    main()
