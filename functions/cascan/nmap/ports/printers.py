"""Ports of printers, which print whatever a script sends them: left out of scans with scripts, as -sV leaves them out.

nmap's own list of such ports counts only while -sV runs; without it a script that looks for TLS says hello to them.
`--allports`, for who may, has them scanned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cascan.model.refusal import Refusal, Rule
from cascan.nmap.ports.excluded_ports import leaves_no_port

PRINTERS = "T:9100-9107"
EXCLUDE = "--exclude-ports"
LISTS = ("-p", "-PA", "-PB", "-PS")
NO_TCP = frozenset({"-sL", "-sO", "-sn"})
TCP = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sT", "-sW", "-sX"})
OTHERS = frozenset({"-sU", "-sY", "-sZ"})
NOTE = (
    "TCP ports 9100-9107 are not scanned: printers print what scripts send there; scan them without scripts, or with "
    "--allports under policy profile intrusive"
)


def exclude_printers(words: Sequence[str], given: Mapping[str, str]) -> tuple[list[str], list[Refusal], str]:
    """nmap's words for a scan with scripts and without -sV, refusals, a note. `given`: options with their values."""
    if not _scans_tcp(words) or "--allports" in words or leaves_no_port(PRINTERS, given.get(EXCLUDE, ""), "T"):
        return list(words), [], ""
    excluded = ",".join(filter(None, (given.get(EXCLUDE, "").rstrip(","), PRINTERS)))
    only = [name for name in LISTS if name in given and leaves_no_port(given[name], excluded, "T")]
    if only:
        return list(words), [Refusal(name, Rule.OPTION, f"{name}: {NOTE}") for name in only], ""
    if EXCLUDE not in words:
        return [*words, EXCLUDE, excluded], [], NOTE
    place = words.index(EXCLUDE) + 1
    return [*words[:place], excluded, *words[place + 1 :]], [], NOTE


def _scans_tcp(words: Sequence[str]) -> bool:
    scans = set(words)
    return not scans & NO_TCP and (bool(scans & TCP) or not scans & OTHERS)
