"""nmap's time limit for one host, and the options that lengthen it for a second attempt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cascan.limits import MAX_TIMEOUT_MS
from cascan.nmap.options.values import parse_number

OPTION = "--host-timeout"
INSANE, INSANE_MS = "-T5", 15 * 60_000  # the limit under -T5, unless OPTION gives another
LONGER = 2  # the factor for a second attempt


def find_host_timeout_ms(arguments: Sequence[str]) -> float:
    """The limit that canonical options set, in milliseconds; 0: none.

    As in nmap the last one counts.
    """
    limits = [value for option, value in pairwise(arguments) if option == OPTION]
    if limits:
        return parse_number(limits[-1], is_time=True)
    return INSANE_MS if INSANE in arguments else 0


def lengthen_host_timeout(arguments: Sequence[str]) -> tuple[str, ...]:
    """The options with LONGER times the limit, up to MAX_TIMEOUT_MS.

    Empty: there is no limit, or it is at MAX_TIMEOUT_MS already.
    """
    current_ms = find_host_timeout_ms(arguments)
    longer_ms = min(current_ms * LONGER, MAX_TIMEOUT_MS)
    return (*arguments, OPTION, f"{longer_ms:.0f}ms") if longer_ms > current_ms else ()
