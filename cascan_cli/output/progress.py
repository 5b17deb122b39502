"""The progress of a scan, as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.queries.finding_query import rank_severity
from cascan.queries.scan_progress import count_hosts
from cascan_cli.output.scan import describe_state, format_duration
from cascan_cli.output.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascan.model.scan import Scan
    from cascan.model.shard import Progress
    from cascan.queries.scan_progress import HostCounts, LiveShards, ScanProgress, TimeLeft

FEW_SECONDS = 10
MINUTE, HOUR = 60, 3_600
QUIET = ("LOW", "INFORMATIONAL")


def describe_progress(scan: Scan, progress: ScanProgress, running: Sequence[Progress]) -> str:
    """`lan: scanning 40 %, 2 min 5 s, about 3 min left; 12 of 30 shards, 240 of 600 addresses done, 31 findings`"""
    state = f"{scan.name}: {describe_state(scan)}"
    if progress.percent is not None:
        state += f" {progress.percent} %"
    times = [format_duration(progress.elapsed_s), _describe_left(progress.left)]
    counts = [
        f"{progress.shards_done} of {scan.shards} shards" if scan.shards > 1 else "",
        describe_running(running),
        describe_hosts(progress.hosts),
        # A report brings its findings at once: of a single shard there are none before its end
        pluralize(scan.findings.count, "finding") + _describe_worst(scan.findings.severities)
        if scan.findings.count or scan.shards > 1
        else "",
    ]
    return f"{', '.join(filter(None, (state, *times)))}; {', '.join(filter(None, counts))}"


def describe_live(scan: Scan, live: LiveShards) -> str:
    """What nmap does now, and for how many hosts it is done; empty if none runs."""
    if not live.running:
        return ""
    return f"{describe_running(live.running)}, {describe_hosts(count_hosts(scan, live))}"


def describe_running(progress: Sequence[Progress]) -> str:
    """The task and percentage of nmap, or a range of several; empty if none runs."""
    if not progress:
        return ""
    percents = [entry.percent for entry in progress]
    low, high = min(percents), max(percents)
    span = f"{low} to {high} %" if low != high else f"{low} %"
    tasks = {entry.task for entry in progress}
    activity = tasks.pop() if len(tasks) == 1 else f"{len(progress)} shards run"
    return f"{activity} {span}"


def describe_hosts(hosts: HostCounts) -> str:
    """`240 of 600 addresses done, 31 up, 12 open ports so far`; the first part only where it is known."""
    done = ""
    if hosts.addresses_done is not None:
        done = f"{hosts.addresses_done} of {pluralize(hosts.addresses, 'address', 'addresses')} done"
    ports = f"{pluralize(hosts.open_ports, 'open port')} so far" if hosts.open_ports else ""
    return ", ".join(filter(None, (done, f"{hosts.hosts_up} up", ports)))


def _describe_left(left: TimeLeft | None) -> str:
    if left is None:
        return ""
    about = round_time(left.seconds)
    if left.basis == "shards":
        return f"{about} left"
    return (
        f"{about} left if it takes as long as last time"
        if left.basis == "last scan"
        else f"{about} left of {left.basis}"
    )


def round_time(seconds: float) -> str:
    """`a few seconds`, `about 40 s`, `about 3 min`, `about 2 h 10 min`."""
    if seconds < FEW_SECONDS:
        return "a few seconds"
    if seconds < MINUTE:
        return f"about {round(seconds / 5) * 5} s"
    minutes = round(seconds / MINUTE)
    if seconds < HOUR:
        return f"about {minutes} min"
    hours, minutes = divmod(round(minutes, -1), 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


def _describe_worst(severities: Mapping[str, int]) -> str:
    worst = [name for name in sorted(severities, key=rank_severity) if severities[name] and name not in QUIET]
    shown = ", ".join(f"{severities[name]} {name}" for name in worst if not name.startswith("("))
    return f" ({shown})" if shown else ""
