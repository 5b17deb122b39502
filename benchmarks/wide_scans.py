"""The cost of ending a scan of 2,000 shards: it is cancelled, ends at its deadline, is removed.

It is measured in seconds of one core, of all processes of the stack (the emulator, its functions)
and of the command; the elapsed seconds are shown too. The scans are created suspended: none of
their shards ever runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.cascan_command import Cascan
from tests.e2e.test_pipeline import scan_of
from tests.e2e.test_wide_scans import a_wide_scan, ticked
from tests.support.waiting import eventually

TICKS = os.sysconf("SC_CLK_TCK")
AIM_S = 30.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cascan = Cascan(Path(folder) / "stack")
        done(cascan, "local up")
        try:
            measure(cascan)
        finally:
            cascan("local down")


def measure(cascan: Cascan) -> None:
    scan_id = a_wide_scan(cascan, "cancelled", ttlSecondsAfterFinished=0)
    show("cancelled by the command", cascan, lambda: done(cascan, "cancel", scan_id))
    late = a_wide_scan(cascan, "late", activeDeadlineSeconds=1)
    show("ended at its deadline", cascan, lambda: ended(cascan, late))
    show("removed", cascan, lambda: removed(cascan, scan_id))


def done(cascan: Cascan, *words: str) -> None:
    ran = cascan(*words)
    if ran.code:
        sys.exit(f"cascan {' '.join(words)} ended with exit code {ran.code}: {ran.err}")


def ended(cascan: Cascan, scan_id: str) -> None:
    eventually(lambda: ticked(cascan) and (scan_of(cascan, scan_id) or {}).get("finishedAt"))


def removed(cascan: Cascan, scan_id: str) -> None:
    eventually(lambda: ticked(cascan) and scan_of(cascan, scan_id) is None)


def show(title: str, cascan: Cascan, work: Callable[[], None]) -> None:
    started, used_before_s = time.perf_counter(), core_seconds(cascan.state_dir)
    work()
    spent_s = core_seconds(cascan.state_dir) - used_before_s
    took_s = time.perf_counter() - started
    aim = "met" if spent_s <= AIM_S else "missed"
    print(f"{title:40}{spent_s:6.1f} s of one core, {took_s:5.1f} s elapsed   aim {AIM_S:g}: {aim}")


def core_seconds(state_dir: Path) -> float:
    """Of all processes of the stack: their environment or command line names its folder."""
    times, pids = os.times(), [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    of_the_stack = (pid for pid in pids if pid != os.getpid() and _names(pid, state_dir))
    return times.children_user + times.children_system + sum(map(_seconds, of_the_stack))


def _names(pid: int, state_dir: Path) -> bool:
    try:
        texts = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    except OSError:  # it has ended
        return False
    return any(os.fsencode(state_dir) in text for text in texts)


def _seconds(pid: int) -> float:
    """Processor seconds of the process and of its children that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


if __name__ == "__main__":
    main()
