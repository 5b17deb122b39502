"""Which findings are sought, and in which order they are listed.

A query reads its findings from a gateway one after the other. So a selection takes as much memory
for a million findings as for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from cascan.limits import MAX_SORTED_FINDINGS
from cascan.model.finding import Finding
from cascan.model.inventory import PortKey
from cascan.nmap.addresses import parse_address
from cascan.rules.severity import to_count_key

SEVERITIES = ("HIGH", "MEDIUM", "LOW", "INFORMATIONAL")  # worst first


class FindingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for in findings. A finding has to meet every condition that is set."""

    severities: frozenset[str] = frozenset()  # as findings are counted: `HIGH`, `(suppressed)`
    # Family, lowest and highest address; a host is in one of these or has one of the names
    networks: tuple[tuple[int, int, int], ...] = ()
    hostnames: frozenset[str] = frozenset()  # in lower case
    ports: frozenset[PortKey] = frozenset()
    service: str = ""
    category: str = ""  # without regard to case
    text: str = ""  # occurs in a text of the finding, without regard to case
    since: datetime | None = None  # made at or after this time
    # The scan before it in the series covered its place and did not have it. One finding does not tell:
    # cascan.queries.select_findings applies this condition, `fits` does not
    new: bool = False

    def select(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings that match, in the order in which they come."""
        return iter(findings) if self == ALL_FINDINGS else filter(self.fits, findings)

    def fits(self, finding: Finding) -> bool:
        attributes = finding.attributes
        key = attributes.get("protocol"), attributes.get("port")
        return (
            (not self.severities or to_count_key(finding) in self.severities)
            and self._is_of_host(finding)
            and (not self.ports or key in tuple(self.ports))  # a tuple: what a host says may have no hash
            and self.service in ("", attributes.get("service"))
            and self.category.casefold() in ("", finding.category.casefold())
            and (self.since is None or finding.parsed_at >= self.since)
            and (not self.text or self.text.casefold() in find_text(finding))
        )

    def _is_of_host(self, finding: Finding) -> bool:
        if not self.networks and not self.hostnames:
            return True
        if str(finding.attributes.get("hostname") or "").casefold() in self.hostnames:
            return True
        return any(map(self._has_address, list_addresses(finding)))

    def _has_address(self, text: str) -> bool:
        try:
            address = parse_address(text)
        except ValueError:
            return False
        return any(address.version == family and low <= int(address) <= high for family, low, high in self.networks)


ALL_FINDINGS = FindingQuery()


def find_text(finding: Finding) -> str:
    """What a search for text looks at, in lower case: name, description, location, and all texts of the attributes."""
    attributes = chain.from_iterable(map(_list_texts, finding.attributes.values()))
    return "\n".join((finding.name, finding.description, finding.location, *attributes)).casefold()


def _list_texts(value: Any) -> Iterator[str]:
    """The texts of a JSON value, such as the lines of a banner."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from chain.from_iterable(map(_list_texts, value))
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(_list_texts, value.values()))


class OrderedFindings(NamedTuple):
    findings: Iterator[Finding]
    is_sorted: bool  # False: there are more than MAX_SORTED_FINDINGS, in the order in which they came


def order_findings(findings: Iterable[Finding]) -> OrderedFindings:
    """The findings by severity, then address as a number, then port.

    More than MAX_SORTED_FINDINGS stay in the order in which they come, which is that of addresses.
    """
    stream = iter(findings)
    first = list(islice(stream, MAX_SORTED_FINDINGS + 1))
    if len(first) > MAX_SORTED_FINDINGS:
        return OrderedFindings(chain(first, stream), is_sorted=False)
    return OrderedFindings(iter(sorted(first, key=_rank)), is_sorted=True)


def _rank(finding: Finding) -> tuple[object, ...]:
    address = _rank_address(list_addresses(finding))
    port = finding.attributes.get("port") or 0
    return rank_severity(to_count_key(finding)), address, port, finding.name


def rank_severity(severity: str) -> tuple[int, str]:
    """Suppressed and accepted findings come last."""
    return (SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)), severity


def _rank_address(addresses: list[str]) -> tuple[int, int]:
    try:
        address = parse_address(addresses[0] if addresses else "")
    except ValueError:  # a finding of another scanner
        return 0, 0
    return address.version, int(address)


def list_addresses(finding: Finding) -> list[str]:
    """The addresses of the host; empty for a finding of another scanner."""
    addresses = finding.attributes.get("ip_addresses")
    return [text for text in addresses if isinstance(text, str)] if isinstance(addresses, list) else []
