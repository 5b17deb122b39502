"""`cascan targets`: print the addresses of target expressions in nmap's order. Sends nothing."""

from __future__ import annotations

import sys
from argparse import Namespace
from itertools import islice
from typing import TYPE_CHECKING

from cascan.errors import RequestRefused
from cascan.nmap.targets.kinds import IPV4, IPV6, Name
from cascan.nmap.targets.own_ports import find_family, parse_target_with_ports
from cascan.nmap.targets.target_set import Exclusion, count_addresses, slice_targets
from cascan_cli.errors import EXIT_REFUSED
from cascan_cli.output.text import print_json, print_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascan.model.refusal import Refusal
    from cascan.model.shard import TargetSlice
    from cascan.nmap.targets.kinds import Target

LINES_AT_ONCE = 1_000


def run(args: Namespace) -> int:
    """Exit code 0, or 2 if an expression is refused: then only the reasons are printed."""
    has_ipv6 = any(find_family(expression) == IPV6 for expression in (*args.expressions, *args.exclude))
    family = IPV6 if args.ipv6 or has_ipv6 else IPV4
    try:
        targets = _parse_targets(args.expressions, family)
        slices = list(slice_targets(targets, Exclusion.parse(args.exclude, family)))
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(reason)
        return EXIT_REFUSED
    if args.json:
        print_json({"addresses": count_addresses(slices)} if args.count else list(list_addresses(targets, slices)))
    elif args.count:
        print(count_addresses(slices))
    else:
        _print(list_addresses(targets, slices))
    return 0


def _parse_targets(expressions: Iterable[str], family: int) -> list[Target]:
    """The targets, without ports of their own. Raises: RequestRefused: with a reason for each refused one."""
    targets: list[Target] = []
    refusals: list[Refusal] = []
    for expression in expressions:
        try:
            targets.append(parse_target_with_ports(expression, family)[0])
        except RequestRefused as refused:
            refusals += refused.refusals
    if refusals:
        raise RequestRefused(refusals)
    return targets


def list_addresses(targets: Iterable[Target], slices: Iterable[TargetSlice]) -> Iterator[str]:
    """The addresses of the slices; a host name as it was written."""
    by_expression = {target.expression: target for target in targets}
    for target_slice in slices:
        target = by_expression[target_slice.expression]
        if isinstance(target, Name):
            yield target.expression
        else:
            yield from target.addresses(target_slice.start, target_slice.stop)


def _print(texts: Iterator[str]) -> None:
    """Print the lines as they are generated: a /8 has sixteen million."""
    while chunk := list(islice(texts, LINES_AT_ONCE)):
        sys.stdout.write("\n".join(chunk) + "\n")
    sys.stdout.flush()
