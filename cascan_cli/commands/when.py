"""`cascan when`: how a port, or every port of a host, changed: the states, with the looks that saw them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cascan_cli.input.endpoints import Endpoint, parse_endpoint
from cascan_cli.input.moments import parse_moment, parse_zone
from cascan_cli.output.history import (
    describe_service,
    format_look,
    format_port,
    look_to_json,
    print_evidence,
    read_evidence,
    service_to_json,
)
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.model.history import Look
    from cascan.queries.history import Span

COLUMNS = ("VANTAGE", "PORT", "STATE", "FROM", "TO", "LOOKS", "SERVICE", "SCAN")
DROPPED = ("SCAN", "LOOKS", "VANTAGE", "SERVICE")


class Seen(NamedTuple):
    vantage: str
    span: Span


def run(args: Namespace) -> int:
    endpoint = parse_endpoint(args.endpoint)
    with open_stack(args) as stack:
        spans = list(_find_spans(endpoint, args, stack))
        if args.json:
            print_json([_to_json(seen, endpoint, args, stack) for seen in spans])
        elif args.evidence:
            for seen in spans:
                print_evidence(_describe(seen, endpoint), seen.span.first, stack.reports)
        else:
            print_table(COLUMNS, map(_row, spans), drop=DROPPED, whole=("SCAN",))
    if not spans:
        print_message(f"no look has covered {args.endpoint}")
    return 0


def _find_spans(endpoint: Endpoint, args: Namespace, stack: StackGateways) -> Iterator[Seen]:
    from cascan.limits import MAX_LOOKS_READ
    from cascan.queries.history import find_open_keys, list_host_spans, list_looks, list_spans

    zone = parse_zone(args.tz)
    until = parse_moment(args.until, zone, "--until")
    since = parse_moment(args.since, zone, "--since") if args.since else None
    table = stack.table
    for vantage in choose_vantages(args, stack):
        looks, is_all = list_looks(table, endpoint.address, until, since=since, vantage=vantage)
        if not is_all:
            earliest = format_look(looks[0])
            print_message(
                f"{vantage}: there are more than {MAX_LOOKS_READ} looks; those before {earliest} are left out"
            )
        if endpoint.key:
            yield from (Seen(vantage, span) for span in list_spans(looks, endpoint.key))
            continue
        yield from (Seen(vantage, span) for span in list_host_spans(looks))
        for key in find_open_keys(looks):
            yield from (Seen(vantage, span) for span in list_spans(looks, key))


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


def _describe(seen: Seen, endpoint: Endpoint) -> str:
    port = f" {format_port(seen.span.key)}" if seen.span.key else ""
    return f"{seen.vantage}: {endpoint.address}{port} {seen.span.state}"


def _to_json(seen: Seen, endpoint: Endpoint, args: Namespace, stack: StackGateways) -> dict[str, Any]:
    span = seen.span
    fields = {
        "vantage": seen.vantage,
        "address": endpoint.address,
        "protocol": span.key[0] if span.key else "",
        "port": span.key[1] if span.key else None,
        "state": span.state,
        "service": service_to_json(span.service),
        "firstLook": look_to_json(span.first),
        "lastLook": look_to_json(span.last),
        "looks": span.looks,
    }
    return fields | (evidence_to_json(span.first, stack) if args.evidence else {})


def evidence_to_json(look: Look | None, stack: StackGateways) -> dict[str, Any]:
    shown, problem = read_evidence(look, stack.reports) if look else ("", "")
    return {"evidence": shown or None, "evidenceProblem": problem or None}
