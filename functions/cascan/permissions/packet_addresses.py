"""Addresses that options put into packets, against the scope: decoys are answered to, and source routes are passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.decoys import decoy_addresses
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.options.source_route import parse_source_route
from cascan.permissions.scope import Scope


def check_packet_addresses(options: Sequence[GivenOption], scope: Scope) -> Iterator[Refusal]:
    """A hop of a source route gets the packets, so it needs to be allowed; a decoy only must not be denied."""
    for given in options:
        value = given.value or ""
        if given.option.canonical == "-D":
            reasons = [scope.find_address_denial(address) for address in decoy_addresses(value)]
        elif given.option.canonical == "--ip-options":
            reasons = [scope.find_address_refusal(hop) or "" for hop in _hops(value)]
        else:
            continue
        yield from (Refusal(given.label, Rule.SCOPE, f"{given.label}: {reason}") for reason in filter(None, reasons))


def _hops(value: str) -> tuple[str, ...]:
    try:
        return parse_source_route(value)
    except ValueError:  # told by itself
        return ()
