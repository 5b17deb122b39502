"""The speed of parallel workers, and the overhead of the pipeline, compared with plain nmap.

1. A /24 that is 10 ms away and mostly silent: one plain nmap, then the same arguments as eight shards on eight
   workers, from the request to the published findings. Both must find the same.
2. A scan of a known length (`--scan-delay`), so that the overhead can be distinguished from the variance of the scan:
   plain nmap, then one shard on a worker that has to be started, then one on a worker that is still up.

Each eighth of the /24 has one host that answers. That matters, because nmap learns from answers how
fast it may send: a shard with only silent addresses runs at its slowest rate, alone or in parallel.

The local stack is up and its functions are warm. For the first comparison the eight workers are up
as well. Here a worker is a process; on Fargate a task takes 30 to 90 s to start, which this
benchmark cannot show. Needs root, for the namespaces of the lab.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from cascan.nmap.report.read import read_report
from cascan_cli.local.policy import LocalPolicy
from cascan_cli.local.stack import down, up
from cascan_cli.stack.open import local_parameters
from tests.lab import NoLab, lab
from tests.lab.network import FAR, FAR_NETWORK, ROUND_TRIP_MS

ROOT = Path(__file__).parents[1]
SLOTS = 8
HOSTS_PER_SHARD = 256 // SLOTS
WIDE = ("-n", "-sS", "-Pn", "-p", "1-100")
# One probe every 0.1 s, so that the length of the scan is known.
SLOWLY = ("--scan-delay", "100ms", "--max-scan-delay", "100ms")
STEADY = ("-n", "-sT", "-Pn", *SLOWLY, "-p", "1-300")
AIM_TIMES, AIM_OVERHEAD = 4.0, 0.05
OpenPorts = set[tuple[str, int]]  # address and port


def main() -> None:
    if sys.argv[1:] == ["inside"]:
        inside()
        return
    try:
        with lab() as hosts:
            sys.exit(
                subprocess.run(
                    hosts.inside(sys.executable, "-m", "benchmarks.workers", "inside"), check=False
                ).returncode
            )
    except NoLab as exc:
        print(f"parallel workers: not measured; {exc}")


def inside() -> None:
    """Run in the namespace of the lab."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        up(folder / "stack", parameters())
        try:
            # Starts the functions.
            submit(folder, {"targets": [FAR[0]], "parameters": ["-n", "-p", "80"]})
            compare_wide(folder)
            compare_steady(folder)
        finally:
            down(folder / "stack")


def parameters() -> dict[str, str]:
    local = local_parameters(LocalPolicy((FAR_NETWORK,)))
    # Of both lanes together: the second comparison starts one besides the eight.
    workers = SLOTS + 1
    return local | {"MaxWorkers": str(workers), "ShardsPerWorker": "1", "IdleExitSeconds": "60"}


def compare_wide(folder: Path) -> None:
    plain_s, expected = nmap(folder, [FAR_NETWORK], WIDE)
    start_workers(folder)
    ours_s, found = submit(folder, {"targets": [FAR_NETWORK], "parameters": WIDE, "hostsPerShard": HOSTS_PER_SHARD})
    times = plain_s / ours_s
    print(f"{FAR_NETWORK}, {ROUND_TRIP_MS:g} ms away, {len(FAR)} of 256 addresses answer: nmap {' '.join(WIDE)}")
    print(f"  one nmap            {plain_s:6.1f} s   {len(expected)} open ports")
    print(f"  {SLOTS} shards in parallel  {ours_s:4.1f} s   {len(found)} open ports")
    print(f"  {times:.1f} times as fast; aim {AIM_TIMES:g}: {'met' if times >= AIM_TIMES else 'missed'}", end="; ")
    print(f"the same findings: {'yes' if found == expected else 'NO'}")


def start_workers(folder: Path) -> None:
    """Start eight workers, with eight shards of a few seconds each."""
    request = {"targets": FAR, "parameters": ["-n", "-sS", "-Pn", *SLOWLY, "-p", "1-60"], "hostsPerShard": 1}
    submit(folder, request)


def compare_steady(folder: Path) -> None:
    plain_s, expected = nmap(folder, [FAR[0]], STEADY)
    print(f"one host, one shard: nmap {' '.join(STEADY)}")
    print(f"  one nmap                      {plain_s:6.2f} s")
    for worker in ("worker started for it", "worker still up"):
        ours_s, found = submit(folder, {"targets": [FAR[0]], "parameters": STEADY})
        overhead = (ours_s - plain_s) / plain_s
        print(f"  pipeline, {worker:22}{ours_s:4.2f} s   {overhead:+.1%}", end="; ")
        print(f"aim {AIM_OVERHEAD:+.0%}: {'met' if overhead < AIM_OVERHEAD else 'missed'}", end="; ")
        print(f"the same findings: {'yes' if found == expected else 'NO'}")


def nmap(folder: Path, targets: Sequence[str], arguments: Sequence[str]) -> tuple[float, OpenPorts]:
    report = folder / "plain.xml"
    started = time.perf_counter()
    subprocess.run(
        [shutil.which("nmap") or "nmap", *arguments, "-oX", str(report), *targets], check=True, capture_output=True
    )
    seconds = time.perf_counter() - started
    hosts = read_report(BytesIO(report.read_bytes()))
    return seconds, {(host.address, port.number) for host in hosts for port in host.ports if port.state == "open"}


def submit(folder: Path, request: dict[str, Any]) -> tuple[float, OpenPorts]:
    body = folder / "request.json"
    body.write_text(json.dumps(request))
    argv = [
        sys.executable,
        "-m",
        "cascan_cli.main",
        "submit",
        "-f",
        str(body),
        "--json",
        "--state-dir",
        str(folder / "stack"),
    ]
    started = time.perf_counter()
    ran = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(f"{' '.join(argv)} ended with exit code {ran.returncode}: {ran.stderr}")
    findings = [finding for finding in json.loads(ran.stdout)["findings"] if finding["category"] == "Open Port"]
    return seconds, {(finding["attributes"]["ip_addresses"][0], finding["attributes"]["port"]) for finding in findings}


if __name__ == "__main__":
    main()
