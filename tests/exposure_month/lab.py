"""Real rounds of a month: nmap scans a host in a network namespace, and nft drops packets each way.

    sudo env PYTHONPATH=functions:. .venv/bin/python -m tests.exposure_month.lab [ROUNDS] [PERCENT]

Needs root, nmap, nft, iproute2 and util-linux. Run by hand: a round takes some seconds. Each round is
one report; after it `cascan exposure check --report` judges all reports so far. Half-way a port opens
and another one closes. Exit code 1: a false alarm, or a drift that is not told by the second round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.exposure_month.lossy_network import INSIDE, LossyNetwork, build_network, run_inside

TARGET = "10.0.0.10"
EXPECTED, CLOSES, OPENS = (22, 80, 443, 5432), 5432, 6379
SCANNED = "22,80,443,5432,6379,8000-8059"
FILE = f"expected:\n- {{who: {TARGET}, ports: {list(EXPECTED)}}}\n"


def main() -> int:
    if INSIDE not in os.environ:
        return run_inside("tests.exposure_month.lab", sys.argv[1:], stdout=None).returncode
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    percent = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder, build_network([TARGET], percent) as network:
        return run_rounds(Path(folder), rounds, network)


def run_rounds(folder: Path, rounds: int, network: LossyNetwork) -> int:
    """Returns the exit code."""
    (folder / "exposure.yaml").write_text(FILE)
    half = rounds // 2
    drifted = (*(port for port in EXPECTED if port != CLOSES), OPENS)
    faults = 0
    for number in range(1, rounds + 1):
        network.open_ports([(TARGET, port) for port in (EXPECTED if number <= half else drifted)])
        scan = ["nmap", "--unprivileged", "-n", "-sT", "-p", SCANNED, "-oX", f"{folder}/{number:03d}.xml", TARGET]
        subprocess.run(scan, check=True, stdout=subprocess.DEVNULL)
        confirmed = check(folder)
        due = {f"unexpected-open {OPENS}", f"missing {CLOSES}"} if number >= half + 2 else set()
        faults += confirmed != due
        remark = "" if confirmed == due else "  <- wrong"
        print(f"round {number}: {', '.join(sorted(confirmed)) or 'nothing'}{remark}", flush=True)
    print(f"{rounds} rounds, {faults} wrong")
    return 1 if faults else 0


def check(folder: Path) -> set[str]:
    """What two looks have confirmed, as `<kind> <port>`."""
    reports = sorted(map(str, folder.glob("*.xml")))
    command = ["exposure", "check", f"{folder}/exposure.yaml", "--json", "--report", *reports]
    result = subprocess.run(
        [sys.executable, "-m", "cascan_cli.main", *command], check=False, capture_output=True, text=True
    )
    ports = json.loads(result.stdout)["ports"]
    return {f"{port['result']} {port['port']}" for port in ports if port["confirmed"] and port["looks"] > 1}


if __name__ == "__main__":
    sys.exit(main())
