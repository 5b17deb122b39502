"""The options that select findings, as a query."""

from __future__ import annotations

from argparse import Namespace

from cascan.queries.finding_query import SEVERITIES, FindingQuery
from cascan.rules.severity import ACCEPTED, SUPPRESSED
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import is_name, parse_query
from cascan_cli.input.moments import parse_since

MARKED = {"suppressed": SUPPRESSED, "accepted": ACCEPTED}  # by a severity rule
CHOICES = {severity.lower(): severity for severity in SEVERITIES} | MARKED


def parse_finding_query(args: Namespace) -> FindingQuery:
    """Raises: BadInput: an invalid severity, address, network, range, port or time."""
    names = [text for text in args.host if is_name(text, "--host")]
    hosts = parse_query([text for text in args.host if text not in names], args.port, "")
    return FindingQuery(
        severities=frozenset(map(_parse_severity, args.severity)),
        networks=hosts.networks,
        hostnames=frozenset(map(str.casefold, names)),
        ports=hosts.ports,
        service=args.service,
        category=args.category,
        text=args.text,
        since=parse_since(args.since),
        new=getattr(args, "new", False),
    )


def _parse_severity(text: str) -> str:
    severity = CHOICES.get(text.lower())
    if severity is None:
        raise BadInput(f"--severity {text}: must be one of {', '.join(CHOICES)}")
    return severity
