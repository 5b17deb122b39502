"""Search the words of the findings of all scans, the newest scan first.

A text is compared as words: runs of letters and digits, without regard to case and accents. So
`CVE-2021-44228` is the words cve, 2021 and 44228, one after the other. The index on one machine
(cascan_cli.local.search_index) and the search without an index use the words that are made here,
and so find the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from cascan.limits import MAX_SEARCH_CHARS
from cascan.model.finding import Finding
from cascan.model.scan import FINAL_STATES, Scan
from cascan.queries.finding_query import FindingQuery, find_text, list_addresses
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_own_findings
from cascan.rules.severity import to_count_key

NOT_ASCII_WORD = re.compile(r"[^0-9a-z]+")
WORDS_OF_ADDRESS = 3  # numbers, from which on a phrase of numbers alone is the beginning of an address
NOT_WORD = re.compile(r"[\W_]+")


class SearchResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A finding that has the words, and the scan that made it."""

    scan: str
    scan_name: str
    requested_at: datetime  # of the scan: the order of the results
    parsed_at: datetime
    address: str
    hostname: str
    protocol: str
    port: int | None
    service: str
    severity: str  # as findings are counted: `HIGH`, `(suppressed)`
    category: str
    name: str
    location: str


class SearchText(msgspec.Struct, frozen=True):
    """Phrases that have to occur, each as words that follow one another. The last word of a phrase
    may be the beginning of a longer one, except where `may_be_beginning` says otherwise.
    """

    phrases: tuple[str, ...]  # words of `normalize_text`, at least one in each; without phrases all findings match

    @classmethod
    def parse(cls, texts: Iterable[str]) -> SearchText:
        """Raises: ValueError: a text is too long, or has no letter or digit."""
        phrases = []
        for text in texts:
            if len(text) > MAX_SEARCH_CHARS:
                raise ValueError(f"a text to search for has at most {MAX_SEARCH_CHARS} characters")
            phrase = normalize_text(text)
            if not phrase:
                raise ValueError(f"{text!r} has no letter or digit to search for")
            phrases.append(phrase)
        return cls(tuple(phrases))

    def occurs_in(self, normalized: str) -> bool:
        text = f" {normalized} "
        return all(f" {phrase}{'' if may_be_beginning(phrase) else ' '}" in text for phrase in self.phrases)


def may_be_beginning(phrase: str) -> bool:
    """Whether the last word of the phrase may be the beginning of a longer one.

    The words that begin with a certain letter from a to z, or with a digit, are those of most findings, and an index
    would have to read all of them. So a phrase that is one such letter is a whole word. So is a single digit at the
    end of an address: `10.0.1` finds 10.0.1.7 and not 10.0.17.1.
    """
    words = phrase.split(" ")
    if len(words[-1]) > 1 or not phrase.isascii():
        return True
    is_address = len(words) >= WORDS_OF_ADDRESS and all(map(str.isdigit, words))
    return len(words) > 1 and not is_address


def normalize_text(text: str) -> str:
    """The words of a text in their order, separated by single spaces."""
    if text.isascii():
        return NOT_ASCII_WORD.sub(" ", text.lower()).strip()
    # Each of the two may give what the other changes: NFKD capital letters, casefold accents
    folded = unicodedata.normalize("NFKD", text).casefold()
    decomposed = unicodedata.normalize("NFKD", folded)
    return NOT_WORD.sub(" ", "".join(c for c in decomposed if not unicodedata.combining(c))).strip()


def find_words(finding: Finding) -> str:
    """All words of the finding by which it is found, its fingerprint among them."""
    return normalize_text(f"{find_text(finding)}\n{finding.category}\n{finding.fingerprint}")


def has_ended(scan: Scan) -> bool:
    """Whether the scan's findings are all there. Those of a scan that runs are not searched."""
    return scan.state in FINAL_STATES and not scan.shards_open


def may_match(scan: Scan, query: FindingQuery) -> bool:
    """Whether the counts of the scan's findings leave room for one that the query selects."""
    counts = scan.findings
    categories = set(map(str.casefold, counts.categories))
    return (
        counts.count > 0
        and (not query.severities or not query.severities.isdisjoint(counts.severities))
        and query.category.casefold() in ("", *categories)
    )


def search_scans(
    scans: Iterable[Scan], table: FindingsAndLooks, text: SearchText, query: FindingQuery
) -> Iterator[SearchResult]:
    """Read the findings of the scans one after the other, and yield those with the text."""
    for scan in scans:
        for finding in query.select(read_own_findings(scan, table)):
            if text.occurs_in(find_words(finding)):
                yield build_result(finding, scan.scan_id, scan.name, scan.requested_at)


def build_result(finding: Finding, scan_id: str, scan_name: str, requested_at: datetime) -> SearchResult:
    attributes = finding.attributes
    port = attributes.get("port")
    return SearchResult(
        scan=scan_id,
        scan_name=scan_name,
        requested_at=requested_at,
        parsed_at=finding.parsed_at,
        address=next(iter(list_addresses(finding)), ""),
        hostname=read_text(attributes.get("hostname")),
        protocol=read_text(attributes.get("protocol")),
        port=port if is_port(port) else None,
        service=read_text(attributes.get("service")),
        severity=to_count_key(finding),
        category=finding.category,
        name=finding.name,
        location=finding.location,
    )


def is_port(value: object) -> bool:
    """Whether a finding's attribute is the number of a port; another scanner may write anything."""
    return isinstance(value, int) and 0 <= value <= 65535 and not isinstance(value, bool)  # noqa: PLR2004 - what a port is


def read_text(value: object) -> str:
    """The text of an attribute; empty if it has none."""
    return value if isinstance(value, str) else ""
