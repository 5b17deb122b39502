"""Find the scan that SCAN means: an id, the beginning of one, a series name, or `latest`.

`latest` skips refused requests, so that a mistyped option does not hide the last real scan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cascan.ids import SCAN_ID
from cascan_cli.errors import BadInput

if TYPE_CHECKING:
    from cascan.gateways import Scans
    from cascan.model.scan import Scan

SCANS_SEARCHED = 1_000


def find_scan(table: Scans, name: str) -> Scan:
    """The newest scan that `name` means; for a series and `latest`, refused ones come last.

    Raises: BadInput: there is no such scan, or several ids begin with `name`.
    """
    if SCAN_ID.fullmatch(name):
        scan = table.get_scan(name)
        if scan:
            return scan
    candidates: list[Scan] = []
    refused: Scan | None = None
    for scan in table.list_scans(SCANS_SEARCHED):
        if _has_name(scan, name):
            if scan.shards:
                return scan
            refused = refused or scan
        elif scan.scan_id.startswith(name):
            candidates.append(scan)
    return refused or _choose(candidates, name)


def find_ended_scan(table: Scans, series: str) -> Scan:
    """The newest scan of the series that has ended with a result. Raises: BadInput: there is none."""
    for scan in table.list_scans(SCANS_SEARCHED):
        if scan.name == series and scan.finished_at is not None and (scan.shards or scan.members):
            return scan
    raise BadInput(f"no scan of the series {series!r} has ended; see cascan scans")


def _has_name(scan: Scan, name: str) -> bool:
    return name in ("latest", scan.name)


def _choose(candidates: list[Scan], name: str) -> Scan:
    """Raises: BadInput: there is no candidate, or more than one."""
    if not candidates:
        raise BadInput(f"there is no scan {name!r}; see cascan scans")
    if len(candidates) > 1:
        ids = ", ".join(scan.scan_id for scan in candidates)
        raise BadInput(f"{len(candidates)} scans begin with {name!r}: {ids}")
    return candidates[0]


def find_scans_to_act_on(table: Scans, name: str, can_act_on: Callable[[Scan], bool]) -> list[Scan]:
    """The scans to act on: all suitable ones of a series, the newest suitable one of `latest`.

    Without a suitable scan, the result is that of find_scan(), so that the caller can say why it is
    not suitable.

    Raises: BadInput: there is no such scan, or several ids begin with `name`.
    """
    named = [scan for scan in table.list_scans(SCANS_SEARCHED) if _has_name(scan, name)]
    suitable = [scan for scan in named if can_act_on(scan)]
    if not suitable:
        return [find_scan(table, name)]
    return suitable[:1] if name == "latest" else suitable
