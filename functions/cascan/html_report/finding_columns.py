"""The findings of a report, as columns of numbers: a tenth of the size of a list of objects, and read faster."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from cascan.findings.by_host import address_key, find_address
from cascan.findings.redact import redact_finding
from cascan.html_report.texts import TextTable, make_visible
from cascan.limits import MAX_PORT, MAX_REPORT_CERTIFICATES, MAX_REPORT_EVIDENCE_CHARS
from cascan.model.finding import Finding
from cascan.queries.describe_detail import describe_detail
from cascan.queries.since_last_scan import Standing
from cascan.rules.severity import ACCEPTED, SUPPRESSED, to_count_key

SEVERITIES = ("HIGH", "MEDIUM", "LOW", "INFORMATIONAL", ACCEPTED, SUPPRESSED)
SEVERITY_NUMBERS = {name: number for number, name in enumerate(SEVERITIES)}
STANDINGS = tuple(Standing)
UNKNOWN_SEVERITY = SEVERITY_NUMBERS["INFORMATIONAL"]
CERTIFICATE = "TLS Certificate"  # a category
# Attributes that have a column, or repeat what a column has
SHOWN_ELSEWHERE = frozenset(
    {
        "details",
        "extraports",
        "hostname",
        "hostnames",
        "ip_addresses",
        "operating_system",
        "port",
        "protocol",
        "scripts",
        "scripts_data",
        "service",
        "serviceProduct",
        "serviceVersion",
    }
)
NO_FACTS: tuple[Any, ...] = (None, "", [], {}, "none", False)
NUMBERS = ("host", "port", "protocol", "category", "name", "description", "service", "product", "version")  # columns
OTHER_NUMBERS = ("detail", "facts", "output", "vantage", "location")


class FindingColumns:
    """Findings, one number in each column. Texts are numbers of the text table, hosts numbers of `hosts`."""

    def __init__(self, texts: TextTable, *, shows_secrets: bool = False) -> None:
        self._texts, self._shows_secrets = texts, shows_secrets
        self._host_numbers: dict[tuple[str, str], int] = {}
        self._outputs: dict[tuple[str, int, str], str] = {}  # of scripts of the present host
        self._outputs_of = ""
        self.numbers = {name: array("l") for name in NUMBERS + OTHER_NUMBERS}
        self.severities, self.standings = bytearray(), bytearray()  # a digit each
        self.ids: list[str] = []
        self.hosts: dict[str, list[int]] = {"address": [], "name": [], "system": []}
        self.addresses: set[str] = set()
        self.certificates: list[tuple[str, int, int, int, str]] = []  # until when, number of the finding …
        self.counts: Counter[str] = Counter()
        self.standing_counts: Counter[Standing] = Counter()  # without those that were suppressed or accepted
        self.without_output = 0  # whose script output is left out, since the texts are too large together

    def __len__(self) -> int:
        return len(self.severities)

    def add(self, finding: Finding, vantage: str = "", *, standing: Standing = Standing.KNOWN) -> None:
        if not self._shows_secrets:
            finding = redact_finding(finding)
        attributes, address = finding.attributes, find_address(finding)
        add_line, numbers = self._texts.add_line, self.numbers
        port, severity = attributes.get("port"), to_count_key(finding)
        number = port if isinstance(port, int) and 0 <= port <= MAX_PORT else 0
        protocol = _to_text(attributes.get("protocol"))
        facts, output = self._collect_evidence(finding, address, protocol, number)
        self.severities.append(48 + SEVERITY_NUMBERS.get(severity, UNKNOWN_SEVERITY))
        self.standings.append(48 + STANDINGS.index(standing))
        self.ids.append(finding.id)
        numbers["host"].append(self._find_host(address, attributes))
        numbers["port"].append(number)
        numbers["protocol"].append(add_line(protocol))
        numbers["category"].append(add_line(finding.category))
        numbers["name"].append(add_line(finding.name))
        numbers["description"].append(add_line(finding.description))
        numbers["service"].append(add_line(_to_text(attributes.get("service"))))
        numbers["product"].append(add_line(_to_text(attributes.get("serviceProduct"))))
        numbers["version"].append(add_line(_to_text(attributes.get("serviceVersion"))))
        numbers["detail"].append(add_line(describe_detail(finding)))
        numbers["facts"].append(self._texts.add_block(facts))
        numbers["output"].append(self._texts.add_block(output))
        numbers["vantage"].append(add_line(vantage))
        numbers["location"].append(add_line("") if number else add_line(finding.location))
        self.counts[severity] += 1
        if severity not in (SUPPRESSED, ACCEPTED):
            self.standing_counts[standing] += 1
        if finding.category == CERTIFICATE and len(self.certificates) < MAX_REPORT_CERTIFICATES:
            self._add_certificate(finding, numbers["host"][-1], number)

    def rank_hosts(self) -> list[int]:
        """The place of each host in the order of addresses."""
        hosts = list(self._host_numbers)
        order = sorted(range(len(hosts)), key=lambda number: (address_key(hosts[number][0]), hosts[number][1]))
        ranks = [0] * len(hosts)
        for rank, number in enumerate(order):
            ranks[number] = rank
        return ranks

    def _find_host(self, address: str, attributes: dict[str, Any]) -> int:
        name = _to_text(attributes.get("hostname"))
        key = address, name
        number = self._host_numbers.get(key)
        if number is None:
            self._host_numbers[key] = number = len(self._host_numbers)
            self.addresses.add(address)
            self.hosts["address"].append(self._texts.add_line(address))
            self.hosts["name"].append(self._texts.add_line(name))
            self.hosts["system"].append(self._texts.add_line(_to_text(attributes.get("operating_system"))))
        return number

    def _collect_evidence(self, finding: Finding, address: str, protocol: str, port: int) -> tuple[str, str]:
        """The attributes of the finding, and what nmap's script wrote. A port comes before what its scripts found."""
        if address != self._outputs_of:
            self._outputs, self._outputs_of = {}, address
        attributes = finding.attributes
        facts = "\n".join(_list_facts(attributes))
        outputs = attributes.get("scripts")
        if isinstance(outputs, dict) and outputs:
            for script, text in outputs.items():
                self._outputs[protocol, port, script] = _to_text(text)
            output = "\n".join(f"{script}: {_to_text(text)}" for script, text in outputs.items())
        else:
            script = _to_text(attributes.get("script"))
            output = self._outputs.get((protocol, port, script)) or self._outputs.get(("", 0, script), "")
        if output and self._texts.chars > MAX_REPORT_EVIDENCE_CHARS:
            self.without_output += 1
            output = ""
        return facts, output

    def _add_certificate(self, finding: Finding, host: int, port: int) -> None:
        until = finding.attributes.get("not_after")
        if isinstance(until, str):
            subject = self._texts.add_line(_find_subject(finding.attributes))
            self.certificates.append((make_visible(until), host, port, subject, finding.id))


def _find_subject(attributes: dict[str, Any]) -> str:
    subject = attributes.get("subject")
    return _to_text(subject.get("commonName")) if isinstance(subject, dict) else ""


def _list_facts(attributes: dict[str, Any]) -> Iterator[str]:
    for name, value in attributes.items():
        if name not in SHOWN_ELSEWHERE and value not in NO_FACTS:
            yield f"{name}: {_to_text(value)}"


def _to_text(value: Any) -> str:
    """A value of a finding as text; lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(element, str) for element in value):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else msgspec.json.encode(value).decode()
