"""How long nmap gives one host, and the options that give it longer when it is asked once more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cascan.limits import MAX_TIMEOUT_MS
from cascan.nmap.options.values import parse_number

OPTION = "--host-timeout"
INSANE, INSANE_MS = "-T5", 15 * 60_000  # nmap gives a host 15 minutes then, unless the option says otherwise
LONGER = 2  # times as long


def find_host_timeout_ms(arguments: Sequence[str]) -> float:
    """What canonical options give one host, in milliseconds; 0: as long as it takes. As in nmap the last one counts."""
    given = [value for option, value in pairwise(arguments) if option == OPTION]
    if given:
        return parse_number(given[-1], is_time=True)
    return INSANE_MS if INSANE in arguments else 0


def lengthen_host_timeout(arguments: Sequence[str]) -> tuple[str, ...]:
    """The options with LONGER times the limit, at most MAX_TIMEOUT_MS; empty: there is none, or it cannot be longer."""
    now_ms = find_host_timeout_ms(arguments)
    then_ms = min(now_ms * LONGER, MAX_TIMEOUT_MS)
    return (*arguments, OPTION, f"{then_ms:.0f}ms") if then_ms > now_ms else ()
