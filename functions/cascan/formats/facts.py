"""What a finding says of its place and of vulnerabilities, for formats that have fields for that.

A finding may come from another scanner, and rules may change it, so each attribute may have any type.
What a field of a format cannot hold is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from cascan.formats.text import shorten, to_line
from cascan.limits import MAX_EXPORTED_REFERENCES, MAX_EXPORTED_TEXT_CHARS, MAX_PORT
from cascan.model.finding import Finding
from cascan.nmap.addresses import parse_address
from cascan.rules.severity import ACCEPTED, to_count_key

CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*", re.ASCII
)
MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", re.ASCII)
LINK = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "ip": 0}  # with their numbers; `ip` is a scan of protocols
# The common weaknesses (CWE) that categories of findings are about
CWES = {
    "Clear Text": 319,
    "Default Account": 1392,
    "Information Disclosure": 200,
    "Invalid Certificate": 295,
    "Outdated TLS Version": 327,
    "SSH Policy Violation": 327,
    "Unauthenticated Access": 306,
    "User Enumeration": 204,
    "Weak TLS Cipher": 327,
}


class Place(NamedTuple):
    """Where a finding is; what is not known or not valid is empty or None."""

    address: str  # in its usual form, without a zone
    hostname: str
    mac: str
    protocol: str  # one of PROTOCOLS
    port: int | None

    @property
    def host(self) -> str:
        return self.address or self.hostname or self.mac

    @property
    def uri(self) -> str:
        """Such as `tcp://[2001:db8::1]:22`; empty without a host."""
        host = f"[{self.address}]" if ":" in self.address else self.address or self.hostname
        if not host:
            return ""
        return f"{self.protocol or 'tcp'}://{host}:{self.port}" if self.port is not None else f"host://{host}"


def find_place(finding: Finding) -> Place:
    attributes = finding.attributes
    port, protocol = attributes.get("port"), attributes.get("protocol")
    is_port = isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= MAX_PORT
    return Place(
        address=_find_address(attributes.get("ip_addresses")),
        hostname=_match(HOSTNAME, attributes.get("hostname")),
        mac=_match(MAC, attributes.get("mac_address")),
        protocol=protocol if isinstance(protocol, str) and protocol in PROTOCOLS else "",
        port=port if is_port else None,
    )


def list_cves(finding: Finding) -> list[str]:
    """The CVEs that the finding names, each once."""
    cves = [finding.attributes.get("cve")]
    cves += [value for kind, value in _iter_references(finding) if kind == "CVE"]
    return [cve for cve in dict.fromkeys(_match(CVE, text) for text in cves) if cve]


def list_links(finding: Finding) -> list[str]:
    """The web addresses that the finding refers to, each once."""
    links = (_match(LINK, value) for _, value in _iter_references(finding))
    return [link for link in dict.fromkeys(links) if link]


def read_text(finding: Finding, attribute: str) -> str:
    """A text of the attributes, shortened to one line; empty if it is missing or of another type."""
    value = finding.attributes.get(attribute)
    return to_limited_line(value) if isinstance(value, str) else ""


def read_mitigation(finding: Finding) -> str:
    """What to do, as an operator's rule says in secureCodeBox's field; empty without one."""
    added = finding.added
    value = None if added is msgspec.UNSET else added.get("mitigation")
    return to_limited_line(value) if isinstance(value, str) else ""


def read_reason_of_silence(finding: Finding) -> str:
    """Why a rule suppressed or accepted the finding; empty if none did."""
    if to_count_key(finding) == ACCEPTED:
        reason, until = finding.attributes.get("accepted_reason"), finding.attributes.get("accepted_until")
        return to_limited_line(f"accepted until {until}: {reason or 'without a reason'}")
    return read_text(finding, "suppressed")


def to_limited_line(value: object) -> str:
    """The value as one line of MAX_EXPORTED_TEXT_CHARS printable characters at most."""
    text = "" if value is None else str(value)
    return shorten(to_line(text[: MAX_EXPORTED_TEXT_CHARS + 1]), MAX_EXPORTED_TEXT_CHARS)


def to_slug(text: str) -> str:
    """`open-port` for `Open Port`: the id of a kind of findings; `other` for a text without letters."""
    slug = re.sub(r"[^a-z0-9]+", "-", text[:100].lower()).strip("-")
    return slug or "other"


def _iter_references(finding: Finding) -> Iterator[tuple[str, Any]]:
    """Kind and value of each reference, also of those that rules added."""
    lists = [finding.attributes.get("references")]
    if finding.added is not msgspec.UNSET:
        lists.append(finding.added.get("references"))
    for references in lists:
        for reference in references[:MAX_EXPORTED_REFERENCES] if isinstance(references, list) else ():
            if isinstance(reference, dict):
                yield str(reference.get("type")).upper(), reference.get("value")


def _find_address(addresses: Any) -> str:
    for text in addresses if isinstance(addresses, list) else ():
        if isinstance(text, str):
            with suppress(ValueError):
                return str(parse_address(text.partition("%")[0]))  # a zone is any text
    return ""


def _match(pattern: re.Pattern[str], value: Any) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
