"""The portscan part of a request, as Vuls' configuration has it → options of nmap and a scan type.

Source: Vuls' documentation, "Scan Port by External Port Scanner". Workers have an nmap of their
own, so the path of the scanner only says that nmap is meant. A source port is refused with a
connect scan, also where that is the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from cascan.forms.fields import build_refusal
from cascan.limits import MAX_REASONS
from cascan.model.request import PortScan, ScanType

TECHNIQUES = {name.lower(): name for name in ("sS", "sT", "sA", "sW", "sM", "sN", "sF", "sX")}
MAX_PORT = 65_535
WITH_CONNECT = "is incompatible with the TCP connect scan (-sT); set hasPrivileged and choose sS"


def to_nmap_options(portscan: PortScan) -> tuple[ScanType | None, tuple[str, ...]]:
    """The scan type and the options; None and no options for an empty one.

    Raises: RequestRefused: every problem, by the path of its field.
    """
    if portscan == PortScan():
        return None, ()
    problems = [f"portscan.{problem}" for problem in _problems(portscan)]
    if problems:
        raise build_refusal(problems)
    source_port = ("--source-port", portscan.source_port) if portscan.source_port else ()
    scan_type = ScanType.NMAP_PRIVILEGED if portscan.has_privileged else ScanType.NMAP
    return scan_type, (f"-{_technique(portscan)}", *source_port)


def _technique(portscan: PortScan) -> str:
    """The technique in nmap's spelling; by default the best that the privileges allow.

    Empty: unknown.
    """
    if portscan.scan_techniques:
        return TECHNIQUES.get(portscan.scan_techniques[0].lower(), "")
    return "sS" if portscan.has_privileged else "sT"


def _problems(portscan: PortScan) -> Iterator[str]:
    if not portscan.scanner_bin_path:
        problem = "To enable the PortScan option, ScannerBinPath must be set. Set it to nmap"
        yield f"scannerBinPath: {problem}"
    elif PurePosixPath(portscan.scanner_bin_path).name != "nmap":
        path = portscan.scanner_bin_path[:80]
        missing = f"scanner is not found. ScannerBinPath: {path} not exists"
        yield f"scannerBinPath: {missing}: it is not nmap, and workers bring their own nmap alone"
    for technique in portscan.scan_techniques[:MAX_REASONS]:
        if technique.lower() not in TECHNIQUES:
            supported = ", ".join(TECHNIQUES.values())
            unknown = f"{technique[:40]!r} is none of {supported}"
            yield f"scanTechniques: There is an unsupported option in ScanTechniques. {unknown}"
    if len(portscan.scan_techniques) > 1:
        yield "scanTechniques: Currently multiple ScanTechniques are not supported. Choose one"
    technique = _technique(portscan)
    if technique not in ("", "sT") and not portscan.has_privileged:
        problem = "If not privileged, only TCPConnect Scan(-sT) can be used. Or set hasPrivileged"
        yield f"scanTechniques: {problem}"
    if portscan.source_port:
        yield from _source_port_problems(portscan.source_port, technique)


def _source_port_problems(text: str, technique: str) -> Iterator[str]:
    if technique == "sT":
        yield f"sourcePort: it {WITH_CONNECT}"
    if not (text.isascii() and text.isdigit()):
        yield f"sourcePort: {text[:40]!r} is not a number"
    elif len(text) > len(str(MAX_PORT)) or int(text) > MAX_PORT:
        yield f"sourcePort: {text[:40]} is not between 1 and {MAX_PORT}"
    elif int(text) == 0:
        yield "sourcePort: 0 may not work on all systems; choose one from 1 on"
