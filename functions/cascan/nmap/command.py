"""A shard → the command line that runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cascan.model.shard import Lane, Shard
from cascan.nmap.scripts.script_hostname import add_script_hostname
from cascan.nmap.targets.kinds import IPV6

STATS_EVERY = "5s"  # a line of progress in the XML, after each


def build_nmap_command(nmap: Sequence[str], shard: Shard, folder: Path, name: str = "") -> tuple[str, ...]:
    """The command line: the request's options first, ours after them, since nmap lets the last one win.

    `name` is what all the addresses stand for, and what scripts say to them.
    """
    return (
        *nmap,
        *add_script_hostname(shard.arguments, name),
        *(["-6"] if shard.family == IPV6 else []),
        "--privileged" if shard.lane is Lane.RAW else "--unprivileged",
        "--no-stylesheet",
        "--stats-every",
        STATS_EVERY,
        "-oX",
        str(folder / "report.xml"),
        "-iL",
        str(folder / "targets"),
    )
