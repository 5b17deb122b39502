"""A stored report as python-libnmap's NmapReport, for code that is written for it, and for its diff.

python-libnmap belongs to the extra `cascan[libnmap]`. cascan itself reads reports with `cascan.nmap.report`, which also
reads damaged ones and keeps more of them.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from cascan.errors import UnreadableReport
from cascan.nmap.report.decode import replace_forbidden

if TYPE_CHECKING:
    from libnmap.objects import NmapReport

INSTALL = "install it with: pip install 'cascan[libnmap]'"
# What libnmap raises besides its own exception when an attribute it counts on is missing or is not a number.
PARSER_ERRORS = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


def as_libnmap(report: IO[bytes] | bytes) -> NmapReport:
    """The whole report as a libnmap object, which takes about ten times the report's size in memory.

    libnmap parses with defusedxml, which refuses entity declarations. Without defusedxml it would parse unprotected, so
    that no report is handed to it.

    Raises: UnreadableReport: the report is cut short, is not one of a scan, declares entities, or makes libnmap fail.
    ModuleNotFoundError: python-libnmap or defusedxml is not installed.
    """
    parser = _import_parser()
    data = report if isinstance(report, bytes) else report.read()
    try:
        text = replace_forbidden(data.decode())
        parsed = parser.NmapParser.parse_fromstring(text)
    except parser.NmapParserException as exc:
        raise UnreadableReport(f"libnmap cannot read the report: {exc}") from exc
    except PARSER_ERRORS as exc:
        raise UnreadableReport(f"libnmap fails on the report: {exc!r}") from exc
    if type(parsed).__name__ != "NmapReport":
        raise UnreadableReport("The document is only a part of a report.")
    return parsed


def _import_parser() -> Any:
    """libnmap's parser. Raises: ModuleNotFoundError: it or defusedxml is missing."""
    try:
        from libnmap import parser  # noqa: PLC0415 (an extra, which the pipeline does without)
    except ModuleNotFoundError as exc:
        raise ModuleNotFoundError(f"python-libnmap is not installed; {INSTALL}", name="libnmap") from exc
    if not parser.ET.__name__.startswith("defusedxml"):
        raise ModuleNotFoundError(f"libnmap would parse without defusedxml; {INSTALL}", name="defusedxml")
    return parser
