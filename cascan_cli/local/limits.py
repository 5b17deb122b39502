"""Whether this shell lets the stack run: a limit that is too low shows up as something else, far from its cause."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from cascan.limits import MAX_REPORT_BYTES
from cascan_cli.errors import LimitTooLow


@dataclass(frozen=True, slots=True)
class Need:
    """What a process of the stack needs; `unit` is what the shell's `ulimit` counts in."""

    limit: int
    option: str
    what: str
    least: int
    unit: int = 1


NEEDS = (
    Need(resource.RLIMIT_AS, "-v", "kB of address space", 4_000_000_000, 1024),  # the emulator maps 64 MB a thread
    Need(resource.RLIMIT_DATA, "-d", "kB of data", 2_000_000_000, 1024),
    Need(resource.RLIMIT_FSIZE, "-f", "blocks of 1024 bytes in a file", MAX_REPORT_BYTES, 1024),
    Need(resource.RLIMIT_NOFILE, "-n", "open files", 256),
)


def check_limits() -> None:
    """Raises: LimitTooLow: names the limit and the way out."""
    for need in NEEDS:
        soft, hard = resource.getrlimit(need.limit)
        if soft != resource.RLIM_INFINITY and soft < need.least:
            raisable = hard == resource.RLIM_INFINITY or hard >= need.least
            least = -(-need.least // need.unit)
            raise LimitTooLow(
                f"this shell allows a process {soft // need.unit} {need.what} (ulimit {need.option}), and the local "
                f"stack needs {least}. "
                + (
                    f"Raise it: ulimit -S {need.option} {least}"
                    if raisable
                    else "Start it from a shell without that limit, or have its hard limit raised"
                )
            )
