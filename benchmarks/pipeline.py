"""The pipeline's own time: `cascan scan 127.0.0.1 -- -p 1-1000` against plain nmap with the same effective arguments.

Interleaved, ROUNDS times: nmap alone; the command with nothing running (it starts the stack, scans, ends the stack);
the command on a stack that is up. The very first start, which also deploys, is shown apart. Wall time, seconds.
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
        ours = ("--unprivileged", "--no-stylesheet", "-oX", str(report), "-iL", str(targets))
        plain = (nmap, *ARGUMENTS, *ours)
        cold, warm = (str(Path(folder) / name) for name in ("cold", "warm"))
        first_s = timed(command("scan", cold))
        timed(command("local up", warm))
        try:
            timed(command("scan", warm))  # its functions start
            rows = [(timed(plain), timed(command("scan", cold)), timed(command("scan", warm))) for _ in range(ROUNDS)]
        finally:
            timed(command("local down", warm))
    nmap_s, cold_s, warm_s = (list(column) for column in zip(*rows, strict=True))
    print(f"{ROUNDS} rounds, interleaved; median (lowest to highest), seconds")
    show("nmap alone", nmap_s)
    show("cascan scan, nothing running", cold_s, nmap_s, AIM_COLD_S)
    show("cascan scan, local stack up", warm_s, nmap_s, AIM_WARM_S)
    print(f"{'the very first scan, which deploys':36}{first_s:6.2f}")


def command(name: str, state_dir: str) -> tuple[str, ...]:
    scan = name == "scan"
    words = (*name.split(), *([TARGET] if scan else []), "--state-dir", state_dir)
    return (*CASCAN, *words, *(("--", *ARGUMENTS) if scan else ()))


def timed(argv: Sequence[str]) -> float:
    started = time.perf_counter()
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(f"{' '.join(argv)} ended with exit code {ran.returncode}: {ran.stderr}")
    return seconds


def show(what: str, seconds: list[float], floor: list[float] | None = None, aim_s: float = 0) -> None:
    line = f"{what:36}{statistics.median(seconds):6.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    if floor:
        more_s = statistics.median(seconds) - statistics.median(floor)
        line += f"   {more_s:+.2f} over nmap; aim {aim_s:+.1f}: {'met' if more_s <= aim_s else 'missed'}"
    print(line)


if __name__ == "__main__":
    main()
