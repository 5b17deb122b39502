"""Whether anything that is sent can be cut into fragments: else nmap takes neither -f nor --mtu."""

from __future__ import annotations

from collections.abc import Mapping

SCANS = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sW", "-sX"})  # raw ones of TCP
OTHER_SCANS = frozenset({"-sL", "-sO", "-sT", "-sU", "-sY", "-sZ", "-sn"})
PINGS = frozenset({"-PA", "-PB", "-PP", "-PS"})
OTHER_PINGS = frozenset({"-PE", "-PM", "-PO", "-PU", "-PY"})
SMALLEST = 8  # bytes of a fragment: of a mask ping only such
NO_FRAGMENTS = "nothing that is sent comes in fragments: nmap takes them for raw TCP scans and for -PS, -PA and -PP"


def takes_fragments(values: Mapping[str, str], times: int) -> bool:
    """By the canonical options with their values; `times` is how often -f stands there."""
    given = values.keys()
    if given & SCANS or not given & OTHER_SCANS:  # without any nmap scans as -sS does
        return True
    if given & {"-Pn", "-sL"}:
        return False
    asks_masks = "-PM" in given and _fragment_bytes(values, times) == SMALLEST
    return bool(given & PINGS) or not given & OTHER_PINGS or asks_masks  # without any nmap asks by TCP as well


def _fragment_bytes(values: Mapping[str, str], times: int) -> int:
    if "--mtu" in values:
        return int(values["--mtu"]) if values["--mtu"].isdecimal() else 0
    return SMALLEST * (2 * ("--ff" in values) + times)
