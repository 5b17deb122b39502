"""SCAN on the command line → the scan: an id, the beginning of one, a series name, or `latest`.

A refused request is found by its id, not as `latest`: a mistyped option does not hide the scan before it.
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


def find_scan(table: Scans, asked: str) -> Scan:
    """The newest scan that fits: of a series and of `latest`, the newest that was not refused, if there is one.

    Raises: BadInput: none fits, or the beginning fits several.
    """
    if SCAN_ID.fullmatch(asked):
        scan = table.get_scan(asked)
        if scan:
            return scan
    fitting: list[Scan] = []
    refused: Scan | None = None
    for scan in table.list_scans(SCANS_SEARCHED):
        if asked in ("latest", scan.name):
            if scan.shards:
                return scan
            refused = refused or scan
        elif scan.scan_id.startswith(asked):
            fitting.append(scan)
    if refused:
        return refused
    if not fitting:
        raise BadInput(f"no scan fits {asked!r}; cascan scans lists them")
    if len(fitting) > 1:
        raise BadInput(f"{len(fitting)} scans begin with {asked!r}: " + ", ".join(scan.scan_id for scan in fitting))
    return fitting[0]


def find_scans_to_act_on(table: Scans, asked: str, may_be: Callable[[Scan], bool]) -> list[Scan]:
    """The scans that are meant where something is done to scans: of a series all that `may_be` acted on, of `latest`
    the newest such one. Where there is none, the newest that fits: the caller says why it cannot be.

    Raises: BadInput: none fits, or the beginning of an id fits several.
    """
    named = [scan for scan in table.list_scans(SCANS_SEARCHED) if asked in ("latest", scan.name)]
    meant = [scan for scan in named if may_be(scan)]
    if not meant:
        return [find_scan(table, asked)]
    return meant[:1] if asked == "latest" else meant
