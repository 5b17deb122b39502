"""The progress of a scan, as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.queries.finding_query import rank_severity
from cascan_cli.output.scan import describe_running, format_duration
from cascan_cli.output.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascan.model.scan import Scan
    from cascan.model.shard import Progress
    from cascan.queries.scan_progress import ScanProgress, TimeLeft

FEW_SECONDS = 10
MINUTE, HOUR = 60, 3_600
QUIET = ("LOW", "INFORMATIONAL")


def describe_progress(scan: Scan, progress: ScanProgress, running: Sequence[Progress]) -> str:
    """`lan: Scanning 40 %, 2 min 5 s, about 3 min left; 12 of 30 shards, 240 hosts done, 31 findings (2 HIGH)`"""
    state = f"{scan.name}: {scan.state}"
    if progress.percent is not None:
        state += f" {progress.percent} %"
    times = [format_duration(progress.elapsed_s), _describe_left(progress.left)]
    counts = [
        f"{progress.shards_done} of {scan.shards} shards" if scan.shards > 1 else "",
        describe_running(running),
        f"{pluralize(progress.hosts_done, 'host')} done",
        pluralize(scan.findings.count, "finding") + _describe_worst(scan.findings.severities),
    ]
    return f"{', '.join(filter(None, (state, *times)))}; {', '.join(filter(None, counts))}"


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
