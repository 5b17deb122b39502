"""`cascan when`: how a port, or every port of a host, changed: the states, with the looks that saw them.

Looks are stored by address. Of a host that is named by its identity, those of each address count while
it was there.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from cascan_cli.errors import BadInput
from cascan_cli.input.endpoints import Endpoint, parse_identified
from cascan_cli.input.moments import parse_look_moment, parse_moment, parse_zone
from cascan_cli.output.history import (
    describe_service,
    format_look,
    format_port,
    look_to_json,
    print_evidence,
    read_evidence,
    service_to_json,
)
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_message
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from datetime import datetime

    from cascan.model.history import Look
    from cascan.queries.history import Span
    from cascan.queries.moved_hosts import IdentifiedHost

COLUMNS = ("VANTAGE", "PORT", "STATE", "FROM", "TO", "LOOKS", "SERVICE", "SCAN")
COLUMNS_OF_IDENTITY = ("VANTAGE", "ADDRESS", *COLUMNS[1:])
DROPPED = ("SCAN", "LOOKS", "VANTAGE", "SERVICE")


class Seen(NamedTuple):
    vantage: str
    address: str
    span: Span


class Range(NamedTuple):
    """The looks at an address that are asked for."""

    address: str
    since: datetime | None
    until: datetime


def run(args: Namespace) -> int:
    check_evidence_option(args)
    endpoint = parse_identified(args.endpoint)
    with open_stack(args) as stack:
        spans = list(_find_spans(endpoint, args, stack))
        if args.evidence and not (args.json or args.form):
            for seen in spans:
                print_evidence(_describe(seen), seen.span.first, stack.reports)
        else:
            listing = Listing(
                title=f"history of {args.endpoint}",
                items=spans,
                columns=COLUMNS_OF_IDENTITY if endpoint.has_identity else COLUMNS,
                to_row=_row_with_address if endpoint.has_identity else _row,
                to_json=partial(_to_json, endpoint=endpoint, args=args, stack=stack),
                drop=DROPPED,
                whole=("ADDRESS", "SCAN"),
            )
            print_listing(listing, args)
    if not spans:
        print_message(f"no look has covered {args.endpoint}")
    return 0


def check_evidence_option(args: Namespace) -> None:
    """Raises: BadInput: the format has no place for evidence."""
    if args.evidence and args.form not in ("", "json", "jsonl"):
        raise BadInput(f"--as {args.form} has no evidence: use json or jsonl, or leave out --evidence")


def _find_spans(endpoint: Endpoint, args: Namespace, stack: StackGateways) -> Iterator[Seen]:
    zone = parse_zone(args.tz)
    until = parse_look_moment(args.until, zone, "--until")
    since = parse_moment(args.since, zone, "--since") if args.since else None
    asked = Range(endpoint.address, since, until)
    if not endpoint.has_identity:
        for vantage in choose_vantages(args, stack):
            yield from _find_spans_of_address(asked, endpoint.key, vantage, stack)
        return
    from cascan.queries.moved_hosts import find_identified_host

    is_known = False
    for vantage in choose_vantages(args, stack):
        host = find_identified_host(stack.table, endpoint.address, vantage=vantage)
        if host is None:
            continue
        is_known = True
        _tell_places(host, vantage)
        for stay in _list_ranges(host, asked):
            yield from _find_spans_of_address(stay, endpoint.key, vantage, stack)
    if not is_known:
        print_message(
            f"no scan has seen a host that is known as {endpoint.address}; hosts are known by their addresses"
            " unless a request or their network says otherwise: cascan network list"
        )


def _tell_places(host: IdentifiedHost, vantage: str) -> None:
    """Say where the host is and where it was, as far as its record knows."""
    identity, (latest, *earlier) = host.record.identity, host.stays
    if host.is_shared:
        addresses = ", ".join(stay.address for stay in host.stays)
        print_message(f"{vantage}: {identity} was seen at several addresses in one scan: {addresses}")
    else:
        place = "is at" if host.is_there else "was last at"
        before = f"; before: {', '.join(stay.address for stay in earlier)}" if earlier else ""
        print_message(f"{vantage}: {identity} {place} {latest.address}, seen {latest.last:%Y-%m-%dT%H:%M:%SZ}{before}")
    if not host.is_complete:
        first = host.record.places[0].seen_at
        print_message(f"{vantage}: where it was before {first:%Y-%m-%dT%H:%M:%SZ} is not kept")


def _list_ranges(host: IdentifiedHost, asked: Range) -> Iterator[Range]:
    """The looks at each address while the host was there; at its present address up to the end."""
    for number, stay in enumerate(host.stays):
        is_present = number == 0 and host.is_there
        until = asked.until if is_present else min(asked.until, stay.last)
        since = max(asked.since, stay.first) if asked.since else stay.first
        if since <= until:
            yield Range(stay.address, since, until)


def _find_spans_of_address(
    asked: Range, key: tuple[str, int] | None, vantage: str, stack: StackGateways
) -> Iterator[Seen]:
    """`key`: a port; None: the host and every port that was open."""
    from cascan.limits import MAX_LOOKS_READ
    from cascan.queries.history import list_host_spans, list_looks, list_port_spans, list_spans

    address = asked.address
    looks, is_all = list_looks(stack.table, address, asked.until, since=asked.since, vantage=vantage)
    if not is_all:
        earliest = format_look(looks[0])
        print_message(f"{vantage}: there are more than {MAX_LOOKS_READ} looks; those before {earliest} are left out")
    if key:
        yield from (Seen(vantage, address, span) for span in list_spans(looks, key))
        return
    yield from (Seen(vantage, address, span) for span in list_host_spans(looks))
    yield from (Seen(vantage, address, span) for span in list_port_spans(looks))


def choose_vantages(args: Namespace, stack: StackGateways) -> list[str]:
    """The vantage that was chosen, or all that have looks."""
    return [args.vantage] if args.vantage else list(stack.table.history_vantages())


def _row(seen: Seen) -> tuple[object, ...]:
    span = seen.span
    return (
        seen.vantage,
        format_port(span.key) if span.key else "",
        span.state,
        format_look(span.first),
        format_look(span.last),
        span.looks,
        describe_service(span.service),
        span.first.scan_id,
    )


def _row_with_address(seen: Seen) -> tuple[object, ...]:
    vantage, *others = _row(seen)
    return vantage, seen.address, *others


def _describe(seen: Seen) -> str:
    port = f" {format_port(seen.span.key)}" if seen.span.key else ""
    return f"{seen.vantage}: {seen.address}{port} {seen.span.state}"


def _to_json(seen: Seen, endpoint: Endpoint, args: Namespace, stack: StackGateways) -> dict[str, Any]:
    span = seen.span
    fields = {
        "vantage": seen.vantage,
        "address": seen.address,
        "protocol": span.key[0] if span.key else "",
        "port": span.key[1] if span.key else None,
        "state": span.state,
        "service": service_to_json(span.service),
        "firstLook": look_to_json(span.first),
        "lastLook": look_to_json(span.last),
        "looks": span.looks,
    }
    if endpoint.has_identity:
        fields["identity"] = endpoint.address
    return fields | (evidence_to_json(span.first, stack) if args.evidence else {})


def evidence_to_json(look: Look | None, stack: StackGateways) -> dict[str, Any]:
    shown, problem = read_evidence(look, stack.reports) if look else ("", "")
    return {"evidence": shown or None, "evidenceProblem": problem or None}
