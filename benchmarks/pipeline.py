"""What the command adds to nmap and to Python: scans, listings and `check`, warm and cold.

    python -m benchmarks.pipeline [ROUNDS]

ROUNDS times, interleaved: nmap alone, with the same effective arguments; the scan and the listings with
no process of ours alive (after `local down`), and right after another command, while the stack stays
up (CASCAN_LOCAL_KEEP). The very first start also deploys, and is shown separately.

Times are wall time in seconds; those of `check` and `--help` are processor time. On a machine that
does other work too, compare them with the two floors: Python that starts, and Python that imports
boto3.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

ROUNDS = 5
TARGET = "127.0.0.1"
ARGUMENTS = ("-p", "1-1000")
CASCAN = (sys.executable, "-m", "cascan_cli.main")
ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"CASCAN_LOCAL_KEEP": "120"}
LISTINGS = (("scans",), ("findings", "latest"), ("inventory",))
NMAP, PYTHON, BOTO3 = "nmap alone", "python -c pass", "python -c 'import boto3'"
SCAN_AIMS_S = {"cold": 1.2, "warm": 0.3}  # over nmap
LISTING_AIMS_S = {"cold": 0.5, "warm": 0.15}
CPU_AIM_S = 0.1
WITHOUT_STACK = (("--help",), ("scan", "--help"), ("check", "10.0.0.0/24", "--", "-sV"))
Measured = dict[str, list[float]]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        state = str(Path(folder) / "state")
        first_s = wall_s(scan(state))
        times: Measured = {}
        try:
            for _ in range(rounds):
                for name, measure in steps(folder, state).items():
                    times.setdefault(name, []).append(measure())
        finally:
            down(state)
    print(f"{rounds} rounds, interleaved; median (lowest to highest), seconds")
    show_walls(times)
    print(f"{'first scan, which also deploys':42}{first_s:6.2f}")
    show_processor_times(times)


def steps(folder: str, state: str) -> Mapping[str, Callable[[], float]]:
    """What is measured, in the order of a round."""
    plain = nmap_alone(folder)
    stop = partial(down, state)
    found: dict[str, Callable[[], float]] = {
        NMAP: partial(wall_s, plain),
        PYTHON: partial(wall_s, (sys.executable, "-c", "pass")),
        BOTO3: partial(wall_s, (sys.executable, "-c", "import boto3")),
        "scan, cold": partial(wall_s, scan(state), stop),
        "scan, warm": partial(wall_s, scan(state)),
    }
    for listing in LISTINGS:
        found[f"{listing[0]}, warm"] = partial(wall_s, command(listing, state))
        found[f"{listing[0]}, cold"] = partial(wall_s, command(listing, state), stop)
    found[f"{PYTHON}, processor"] = partial(processor_s, (sys.executable, "-c", "pass"))
    found[f"{BOTO3}, processor"] = partial(processor_s, (sys.executable, "-c", "import boto3"))
    for words in WITHOUT_STACK:
        found[f"{' '.join(words)}, processor"] = partial(processor_s, (*CASCAN, *words))
    return found


def nmap_alone(folder: str) -> tuple[str, ...]:
    targets, report = Path(folder) / "targets", Path(folder) / "report.xml"
    targets.write_text(TARGET + "\n")
    fixed = ("--unprivileged", "--no-stylesheet", "-oX", str(report), "-iL", str(targets))
    return (shutil.which("nmap") or "nmap", *ARGUMENTS, *fixed)


def command(words: Sequence[str], state_dir: str) -> tuple[str, ...]:
    return (*CASCAN, *words, "--state-dir", state_dir)


def scan(state_dir: str) -> tuple[str, ...]:
    return (*command(("scan", TARGET), state_dir), "--", *ARGUMENTS)


def down(state_dir: str) -> None:
    run(command(("local", "down"), state_dir))


def wall_s(argv: Sequence[str], prepare: Callable[[], None] = lambda: None) -> float:
    """The wall time of the command, which begins when `prepare` is done."""
    prepare()
    started = time.perf_counter()
    run(argv)
    return time.perf_counter() - started


def processor_s(argv: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(argv)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def run(argv: Sequence[str]) -> None:
    ran = subprocess.run(argv, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(argv)} ended with exit code {ran.returncode}: {ran.stderr}")


def show_walls(times: Measured) -> None:
    for name in (NMAP, PYTHON, BOTO3):
        show(name, times[name])
    for kind, aim_s in SCAN_AIMS_S.items():
        show(f"cascan scan, {kind}", times[f"scan, {kind}"], aim_s, statistics.median(times[NMAP]), "nmap")
    for words in LISTINGS:
        for kind, aim_s in LISTING_AIMS_S.items():
            show(f"cascan {' '.join(words)}, {kind}", times[f"{words[0]}, {kind}"], aim_s)


def show_processor_times(times: Measured) -> None:
    print("processor time, with that of the interpreter's start")
    for name in (PYTHON, BOTO3):
        show(name, times[f"{name}, processor"])
    for words in WITHOUT_STACK:
        show(f"cascan {' '.join(words)}", times[f"{' '.join(words)}, processor"], CPU_AIM_S)


def show(title: str, seconds: list[float], aim_s: float = 0.0, floor_s: float = 0.0, floor: str = "") -> None:
    median = statistics.median(seconds)
    line = f"{title:42}{median:6.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    if aim_s:
        over = f"{median - floor_s:+.2f} over {floor}; " if floor else ""
        line += f"   {over}aim {aim_s:g}: {'met' if median - floor_s <= aim_s else 'missed'}"
    print(line)


if __name__ == "__main__":
    main()
