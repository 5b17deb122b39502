"""`cascan at`: what was open at a time, or in which state certain ports were."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from cascan_cli.commands.when import check_evidence_option, choose_vantages, evidence_to_json
from cascan_cli.errors import BadInput
from cascan_cli.input.endpoints import has_port, parse_endpoint
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.input.moments import parse_duration, parse_look_moment, parse_zone
from cascan_cli.output.history import (
    answer_to_json,
    describe_service,
    format_look,
    format_port,
    print_evidence,
)
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_message
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from datetime import datetime

    from cascan.queries.history import Answer

COLUMNS = ("VANTAGE", "ADDRESS", "NAME", "PORT", "STATE", "SERVICE", "LOOK", "NEXT LOOK", "SCAN")
DROPPED = ("SCAN", "VANTAGE", "NAME", "NEXT LOOK", "SERVICE")
Named = tuple["Answer", str]  # with the host's name


def run(args: Namespace) -> int:
    endpoints = [text for text in args.addresses if has_port(text)]
    if endpoints and (len(endpoints) < len(args.addresses) or args.port or args.network):
        raise BadInput(f"{endpoints[0]}: a port of an address cannot be combined with networks or --port")
    check_evidence_option(args)
    moment = parse_look_moment(args.date, parse_zone(args.tz))
    with open_stack(args) as stack:
        find = _answer_endpoints(endpoints, moment, args, stack) if endpoints else _find_open(moment, args, stack)
        # Printed as they are found: each needs reads, and there may be many
        first = next(find, None)
        answers = chain([first], find) if first else iter(())
        if args.evidence and not (args.json or args.form):
            for answer, _ in answers:
                if answer.look:
                    title = f"{answer.vantage}: {answer.address} {format_port(answer.key)} {answer.state}"
                    print_evidence(title, answer.look, stack.reports)
        else:
            listing = Listing(
                title=f"open at {moment:%Y-%m-%dT%H:%M:%SZ}",
                unit="port",
                items=answers,
                columns=COLUMNS,
                to_row=_row,
                to_json=partial(_to_json, args=args, stack=stack),
                drop=DROPPED,
                whole=("ADDRESS", "SCAN"),
            )
            print_listing(listing, args)
    if first is None:
        print_message(f"nothing that matches was open at {moment:%Y-%m-%dT%H:%M:%SZ}")
    return 0


def _answer_endpoints(endpoints: list[str], moment: datetime, args: Namespace, stack: StackGateways) -> Iterator[Named]:
    from cascan.model.vantage import DEFAULT_VANTAGE
    from cascan.queries.history import find_answer

    stale = parse_duration(args.stale, "--stale") if args.stale else None
    table = stack.table
    vantages = choose_vantages(args, stack) or [DEFAULT_VANTAGE]  # without any, nothing is covered
    for address, key in map(parse_endpoint, endpoints):
        if key is None:
            continue
        for vantage in vantages:
            yield find_answer(table, address, key, moment, vantage=vantage, stale=stale), ""


def _find_open(moment: datetime, args: Namespace, stack: StackGateways) -> Iterator[Named]:
    from cascan.queries.history import find_open_ports

    query = parse_query([*args.addresses, *args.network], args.port, "", was_open=True)
    stale = parse_duration(args.stale, "--stale") if args.stale else None
    table = stack.table
    for vantage in choose_vantages(args, stack):
        for host, answer in find_open_ports(table, query, moment, stale=stale, vantage=vantage):
            yield answer, host.hostname


def _row(named: Named) -> tuple[object, ...]:
    answer, name = named
    return (
        answer.vantage,
        answer.address,
        name,
        format_port(answer.key),
        answer.state,
        describe_service(answer.service),
        format_look(answer.look),
        format_look(answer.next_look),
        answer.look.scan_id if answer.look else "",
    )


def _to_json(named: Named, args: Namespace, stack: StackGateways) -> dict[str, Any]:
    answer, name = named
    fields = answer_to_json(answer) | {"hostname": name}
    return fields | (evidence_to_json(answer.look, stack) if args.evidence else {})
