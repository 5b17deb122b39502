"""A shard → the nmap command line that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cascan.model.shard import Lane, Shard
from cascan.nmap.scripts.script_hostname import add_script_hostname
from cascan.nmap.targets.kinds import IPV6

STATS_EVERY = "5s"  # a line of progress in the XML, after each


def build_nmap_command(nmap: Sequence[str], shard: Shard, folder: Path, name: str = "") -> tuple[str, ...]:
    """The command line: the request's options, then ours, since nmap takes the last one.

    `name` is the host name behind all the addresses; scripts use it.
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
