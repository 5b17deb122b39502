"""The overhead of the pipeline: `cascan scan 127.0.0.1 -- -p 1-1000` compared with nmap.

ROUNDS times, interleaved: nmap alone, with the same effective arguments; the command with nothing
running (it starts the stack, scans, and stops the stack); the command on a stack that is up. The
very first start also deploys, and is shown separately. Times are wall time in seconds.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROUNDS = 5
TARGET = "127.0.0.1"
ARGUMENTS = ("-p", "1-1000")
CASCAN = (sys.executable, "-m", "cascan_cli.main")
ROOT = Path(__file__).parents[1]
AIM_COLD_S, AIM_WARM_S = 1.5, 0.3


def main() -> None:
    nmap = shutil.which("nmap") or "nmap"
    with tempfile.TemporaryDirectory() as folder:
        targets, report = Path(folder) / "targets", Path(folder) / "report.xml"
        targets.write_text(TARGET + "\n")
        fixed = ("--unprivileged", "--no-stylesheet", "-oX", str(report), "-iL", str(targets))
        plain = (nmap, *ARGUMENTS, *fixed)
        cold, warm = (str(Path(folder) / name) for name in ("cold", "warm"))
        first_s = measure_s(command("scan", cold))
        measure_s(command("local up", warm))
        try:
            measure_s(command("scan", warm))  # starts the functions
            rows = [
                (measure_s(plain), measure_s(command("scan", cold)), measure_s(command("scan", warm)))
                for _ in range(ROUNDS)
            ]
        finally:
            measure_s(command("local down", warm))
    nmap_s, cold_s, warm_s = (list(column) for column in zip(*rows, strict=True))
    print(f"{ROUNDS} rounds, interleaved; median (lowest to highest), seconds")
    show("nmap alone", nmap_s)
    show("cascan scan, nothing running", cold_s, nmap_s, AIM_COLD_S)
    show("cascan scan, local stack up", warm_s, nmap_s, AIM_WARM_S)
    print(f"{'first scan, which also deploys':36}{first_s:6.2f}")


def command(name: str, state_dir: str) -> tuple[str, ...]:
    if name != "scan":
        return (*CASCAN, *name.split(), "--state-dir", state_dir)
    return (*CASCAN, "scan", TARGET, "--state-dir", state_dir, "--", *ARGUMENTS)


def measure_s(argv: Sequence[str]) -> float:
    started = time.perf_counter()
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(f"{' '.join(argv)} ended with exit code {ran.returncode}: {ran.stderr}")
    return seconds


def show(title: str, seconds: list[float], floor: list[float] | None = None, aim_s: float = 0) -> None:
    line = f"{title:36}{statistics.median(seconds):6.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    if floor:
        overhead_s = statistics.median(seconds) - statistics.median(floor)
        line += f"   {overhead_s:+.2f} over nmap; aim {aim_s:+.1f}: {'met' if overhead_s <= aim_s else 'missed'}"
    print(line)


if __name__ == "__main__":
    main()
