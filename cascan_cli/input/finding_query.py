"""The options that select findings, as a query."""

from __future__ import annotations

from argparse import Namespace

from cascan.errors import RequestRefused
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.target_set import parse_target
from cascan.queries.finding_query import SEVERITIES, FindingQuery
from cascan.rules.severity import ACCEPTED, SUPPRESSED
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import parse_query

MARKED = {"suppressed": SUPPRESSED, "accepted": ACCEPTED}  # by a severity rule
CHOICES = {severity.lower(): severity for severity in SEVERITIES} | MARKED


def parse_finding_query(args: Namespace) -> FindingQuery:
    """Raises: BadInput: an invalid severity, address, network, range or port."""
    names = [text for text in args.host if _is_name(text)]
    hosts = parse_query([text for text in args.host if text not in names], args.port, "")
    return FindingQuery(
        severities=frozenset(map(_parse_severity, args.severity)),
        networks=hosts.networks,
        hostnames=frozenset(map(str.casefold, names)),
        ports=hosts.ports,
        service=args.service,
        category=args.category,
        text=args.text,
    )


def _parse_severity(text: str) -> str:
    severity = CHOICES.get(text.lower())
    if severity is None:
        raise BadInput(f"--severity {text}: must be one of {', '.join(CHOICES)}")
    return severity


def _is_name(text: str) -> bool:
    try:
        return isinstance(parse_target(text, 6 if ":" in text else 4), Name)
    except RequestRefused as exc:
        raise BadInput(f"--host {text}: {exc}") from exc
