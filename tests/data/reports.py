"""The reports of this folder, by name. README.md says what each shows."""

from __future__ import annotations

import io
from pathlib import Path

from cascan.model.host import Host
from cascan.nmap.report.read import ReportReader, read_report

FOLDER = Path(__file__).parent
CUT = ("killed",)  # not well-formed
HEADLESS = ("bad-ports",)  # without what nmap writes at the start
REAL = tuple(sorted(path.stem for path in FOLDER.glob("*.xml")))
NO_REPORT = (
    "comment-first",
    "entities",
    "latin1",
    "resumed",
    "script-help",
)  # oddities that are refused, or not well-formed
ODDITIES = tuple(f"oddities/{p.stem}" for p in sorted(FOLDER.glob("oddities/*.xml")) if p.stem not in NO_REPORT)
SCRIPTS = tuple(f"scripts/{path.stem}" for path in sorted(FOLDER.glob("scripts/*.xml")))  # make_scripts.py
WHOLE = tuple(name for name in REAL if name not in CUT)


def report(name: str) -> bytes:
    """What nmap wrote; `oddities/…` was written by hand, `scripts/…` shows scripts."""
    return (FOLDER / f"{name}.xml").read_bytes()


def hosts(name: str) -> list[Host]:
    return list(read_report(io.BytesIO(report(name))))


def read_through(data: bytes) -> tuple[list[Host], ReportReader]:
    """Every host, and the reader after the last one."""
    reader = read_report(io.BytesIO(data))
    return list(reader), reader
