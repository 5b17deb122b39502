"""Printer ports: a printer prints whatever a script sends there.

So scans with scripts do not scan these ports.

nmap skips them only for -sV. Without -sV, a script that looks for TLS would send them its hello.
`--allports` has them scanned, where the policy profile allows that.
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
    "TCP ports 9100-9107 are not scanned: printers print what scripts send there; "
    "scan them without scripts, or with --allports under policy profile intrusive"
)


def exclude_printers(words: Sequence[str], given: Mapping[str, str]) -> tuple[list[str], list[Refusal], str]:
    """Exclude printer ports from a scan with scripts and without -sV.

    Returns nmap's words, refusals and a note. `given` holds the options with their values. A list
    that consists of printer ports is refused.
    """
    requested = given.get(EXCLUDE, "")
    is_excluded = leaves_no_port(PRINTERS, requested, "T")
    if not _scans_tcp(words) or "--allports" in words or is_excluded:
        return list(words), [], ""
    excluded = ",".join(filter(None, (requested.rstrip(","), PRINTERS)))
    lists = [name for name in LISTS if name in given]
    emptied = [name for name in lists if leaves_no_port(given[name], excluded, "T")]
    if emptied:
        return list(words), [Refusal(name, Rule.OPTION, f"{name}: {NOTE}") for name in emptied], ""
    if EXCLUDE not in words:
        return [*words, EXCLUDE, excluded], [], NOTE
    place = words.index(EXCLUDE) + 1
    return [*words[:place], excluded, *words[place + 1 :]], [], NOTE


def _scans_tcp(words: Sequence[str]) -> bool:
    scans = set(words)
    return not scans & NO_TCP and (bool(scans & TCP) or not scans & OTHERS)
