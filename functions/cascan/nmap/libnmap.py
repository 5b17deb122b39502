"""A stored report as python-libnmap's NmapReport, for code that is written for it, and for its diff.

cascan itself reads reports with `cascan.nmap.report`, which also reads damaged ones and keeps more of them.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cascan.errors import UnreadableReport
from cascan.nmap.report.decode import replace_forbidden

if TYPE_CHECKING:
    from libnmap.objects import NmapReport

# What libnmap raises besides its own exception when an attribute it counts on is missing or is no number.
STUMBLES = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


def as_libnmap(report: IO[bytes] | bytes) -> NmapReport:
    """The whole report as a libnmap object; it takes about ten times the report's size in memory.

    libnmap parses with defusedxml, which refuses declared entities; without defusedxml no report is handed to it.

    Raises: UnreadableReport: cut short, no report of a scan, entities of its own, or one that libnmap stumbles over.
    """
    from libnmap import parser  # noqa: PLC0415 (imported by whoever asks for it: the pipeline does without)

    if not parser.ET.__name__.startswith("defusedxml"):
        raise UnreadableReport("libnmap would parse without defusedxml: install python-libnmap[defusedxml].")
    data = report if isinstance(report, bytes) else report.read()
    try:
        text = replace_forbidden(data.decode())
        parsed = parser.NmapParser.parse_fromstring(text)
    except parser.NmapParserException as exc:
        raise UnreadableReport(f"libnmap cannot read the report: {exc}") from exc
    except STUMBLES as exc:
        raise UnreadableReport(f"libnmap stumbles over the report: {exc!r}") from exc
    if type(parsed).__name__ != "NmapReport":
        raise UnreadableReport("The document is a part of a report, not a whole one.")
    return parsed
