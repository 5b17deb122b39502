"""`cascan exposure show`: what a file says, entry by entry; or of one host, the entries that hold it."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from functools import partial
from typing import Any

from cascan.clock import utc_now
from cascan.exposure.expectations import ExpectationIndex, ExpectedExposure, normalize_name
from cascan.nmap.addresses import parse_address
from cascan_cli.commands.exposure_check import print_warnings
from cascan_cli.input.exposure_file import load_exposure_file
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_message

COLUMNS = ("LINE", "WHO", "PORTS", "SERVICE", "FROM", "UNTIL", "REQUIRED", "OWNER", "WHY")
DROPPED = ("OWNER", "WHY", "SERVICE")


def run(args: Namespace) -> int:
    """Exit code 0. 2: the file is invalid."""
    file = load_exposure_file(args.file)
    at = utc_now()
    print_warnings(args.file, file, at)
    entries = list(file.entries)
    if args.host:
        entries = _find_entries(ExpectationIndex(file), args.host)
    listing = Listing(
        title="expected exposure",
        items=entries,
        columns=COLUMNS,
        to_row=_to_row,
        to_json=partial(_to_json, at=at),
        drop=DROPPED,
        whole=("WHO",),
    )
    print_listing(listing, args)
    if args.host and not entries and not args.json:
        print_message(f"no entry holds {args.host}: every open port of it is a violation")
    return 0


def _find_entries(index: ExpectationIndex, host: str) -> list[ExpectedExposure]:
    """The entries that hold the address or name, the narrowest first, as the judge sees them."""
    try:
        holding = index.find_entries(str(parse_address(host)))
    except ValueError:
        holding = index.find_entries("", (normalize_name(host),))
    return [found.entry for found in holding]


def _to_row(entry: ExpectedExposure) -> tuple[object, ...]:
    return (
        entry.line,
        entry.who,
        ", ".join(map(str, entry.ports)),
        entry.service,
        ", ".join(entry.vantages) or "any",
        entry.until or "",
        "yes" if entry.required else "no",
        entry.owner,
        entry.why,
    )


def _to_json(entry: ExpectedExposure, *, at: datetime) -> dict[str, Any]:
    return {
        "line": entry.line,
        "who": entry.who,
        "hosts": [*map(str, entry.hosts.ranges), *entry.hosts.names],
        "owner": entry.owner,
        "ports": list(map(str, entry.ports)),
        "service": entry.service,
        "from": list(entry.vantages),
        "until": entry.until,
        "required": entry.required,
        "why": entry.why,
        "valid": not entry.is_expired(at),
    }
