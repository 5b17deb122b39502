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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TARGET, SCANNER = "192.0.2.10", "192.0.2.2"
EXPECTED, CLOSES, OPENS = (22, 80, 443, 5432), 5432, 6379
INSIDE = "CASCAN_EXPOSURE_LAB"  # set in the namespaces
SCANNED = "22,80,443,5432,6379,8000-8059"
FILE = f"expected:\n- {{who: {TARGET}, ports: {list(EXPECTED)}}}\n"
LISTEN = """
import socket, sys
sockets = [socket.create_server(("0.0.0.0", int(port)), backlog=64) for port in sys.argv[1:]]
print("up", flush=True)
sys.stdin.read()
"""


def main() -> int:
    if INSIDE not in os.environ:
        command = ["unshare", "--mount", "--net", "--", sys.executable, "-m", "tests.exposure_month.lab", *sys.argv[1:]]
        return subprocess.run(command, env=os.environ | {INSIDE: "1"}, check=False).returncode
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    percent = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    build_network(percent)
    with tempfile.TemporaryDirectory() as folder:
        return run_rounds(Path(folder), rounds)


def build_network(percent: int) -> None:
    """The scanner is here, the target in a namespace that drops so many packets of a hundred each way."""
    run("mkdir -p /run/netns")
    run("mount -t tmpfs tmpfs /run/netns")  # in this mount namespace only
    for command in (
        "link set lo up",
        "netns add target",
        "link add to-target type veth peer name eth0 netns target",
        f"addr add {SCANNER}/24 dev to-target",
        "link set to-target up",
        "-n target link set lo up",
        f"-n target addr add {TARGET}/24 dev eth0",
        "-n target link set eth0 up",
    ):
        run(f"ip {command}")
    rules = "table inet lossy {\n"
    for hook in ("input", "output"):
        drop = f"meta l4proto tcp numgen random mod 100 < {percent} drop"
        rules += f"  chain {hook} {{ type filter hook {hook} priority 0; {drop}; }}\n"
    subprocess.run(["ip", "netns", "exec", "target", "nft", "-f", "-"], input=rules + "}\n", text=True, check=True)


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


@contextmanager
def listen(ports: tuple[int, ...]) -> Iterator[None]:
    argv = ["ip", "netns", "exec", "target", sys.executable, "-c", LISTEN, *map(str, ports)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline()
        yield
        process.stdin.close()


def run_rounds(folder: Path, rounds: int) -> int:
    """Returns the exit code."""
    (folder / "exposure.yaml").write_text(FILE)
    half = rounds // 2
    drifted = (*(port for port in EXPECTED if port != CLOSES), OPENS)
    faults = 0
    for number in range(1, rounds + 1):
        with listen(EXPECTED if number <= half else drifted):
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
