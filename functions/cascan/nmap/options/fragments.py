"""nmap accepts -f, --ff and --mtu only for a scan or a ping whose packets it can fragment."""

from __future__ import annotations

from collections.abc import Mapping

SCANS = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sW", "-sX"})  # TCP scans over raw sockets
OTHER_SCANS = frozenset({"-sL", "-sO", "-sT", "-sU", "-sY", "-sZ", "-sn"})
PINGS = frozenset({"-PA", "-PB", "-PP", "-PS"})
OTHER_PINGS = frozenset({"-PE", "-PM", "-PO", "-PU", "-PY"})
SMALLEST = 8  # bytes of a fragment; nmap fragments a mask ping (-PM) into this size only
FRAGMENTED = "raw TCP scans and for -PS, -PA and -PP"
NO_FRAGMENTS = f"nothing that is sent comes in fragments: nmap takes them for {FRAGMENTED}"


def takes_fragments(values: Mapping[str, str], times: int) -> bool:
    """Whether nmap accepts options for fragments.

    `values` are the canonical options with their values; `times` is how often -f is given.
    """
    options = values.keys()
    uses_default_scan = not options & OTHER_SCANS  # -sS
    if options & SCANS or uses_default_scan:
        return True
    if options & {"-Pn", "-sL"}:
        return False
    has_mask_ping = "-PM" in options and _fragment_bytes(values, times) == SMALLEST
    uses_default_pings = not options & OTHER_PINGS  # TCP pings are among them
    return bool(options & PINGS) or uses_default_pings or has_mask_ping


def _fragment_bytes(values: Mapping[str, str], times: int) -> int:
    if "--mtu" in values:
        return int(values["--mtu"]) if values["--mtu"].isdecimal() else 0
    return SMALLEST * (2 * ("--ff" in values) + times)
