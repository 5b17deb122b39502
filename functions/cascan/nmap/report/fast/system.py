"""Read `os` elements, the guesses of a host's operating system, by patterns.

nmap writes the ports that it used into each element, and one of these is a closed UDP port that it
chose at random. So the elements of alike hosts differ, but their `osmatch` elements repeat: these
are read once, and their values are shared.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import XML, ParseError

from cascan.cache import BoundedCache, RecentHashes
from cascan.limits import MAX_CACHED_REPORT_CHARS, MAX_RECENT_HASHES
from cascan.model.host import OsMatch
from cascan.nmap.report.fast.script import UnusualMarkup, reject_markup
from cascan.nmap.report.fast.tail import VALUE
from cascan.nmap.report.tree.host import TooDeep, to_data
from cascan.nmap.report.tree.os_matches import parse_os_match, parse_os_matches
from cascan.patterns import compile_pattern

System = tuple[dict[str, Any], tuple[OsMatch, ...]]  # an `os` element as data, and its matches
Guesses = tuple[list[dict[str, Any]], tuple[OsMatch, ...]]  # all `osmatch` elements of a host as data, and the matches

MATCH_START, MATCH_END = "<osmatch ", "</osmatch>"
MATCH_DEPTH = 3  # an `osmatch` is in an `os`, which is in a host
PORT_USED = rf"<portused state={VALUE} proto={VALUE} portid={VALUE}/>\s*"
PORTS_USED = rf"<os>\s*((?:{PORT_USED})*)"
OS_END = "</os>"


def parse_xml(text: str) -> Any:
    """The element. Raises: UnusualMarkup: it is not well-formed, or has namespaces."""
    if "xmlns" in text:
        raise UnusualMarkup
    try:
        return XML(text)
    except ParseError as exc:
        raise UnusualMarkup from exc


class FastSystemReader:
    """Reads `os` elements, and caches the matches that repeat."""

    def __init__(self) -> None:
        self._matches = BoundedCache[str, tuple[dict[str, Any], OsMatch]](MAX_CACHED_REPORT_CHARS)
        # All matches of a host, which hosts of the same system share
        self._guesses = BoundedCache[str, Guesses](MAX_CACHED_REPORT_CHARS)
        self._seen = RecentHashes(MAX_RECENT_HASHES)  # of their texts, which are long

    def read(self, element: str) -> System:
        """An `os` element, from `<os>` to `</os>`, as data, and its matches.

        Raises: UnusualMarkup: the element is not well-formed, or too deep.
        """
        start = compile_pattern(PORTS_USED).match(element)
        if start is None or "&" in start[1]:
            return _read_system(element)
        text = element[start.end() :]
        guesses = self._guesses.get(text) or self._read_guesses(text)
        if guesses is None:
            return _read_system(element)
        system: dict[str, Any] = {}
        if ports := compile_pattern(PORT_USED).findall(start[1]):
            system["portused"] = [
                {"state": state, "proto": protocol, "portid": number} for state, protocol, number in ports
            ]
        data, matches = guesses
        if data:
            system["osmatch"] = data
        return system, matches

    def _read_guesses(self, text: str) -> Guesses | None:
        """The `osmatch` elements up to `</os>`. None: there is something else, such as an `osfingerprint`."""
        *texts, end = text.split(MATCH_END)
        if end.strip() != OS_END or not all(match.lstrip().startswith(MATCH_START) for match in texts):
            return None
        pairs = [self._read_match(match) for match in texts]
        guesses = [data for data, _ in pairs], tuple([match for _, match in pairs])
        if self._seen.was_seen(hash(text)):
            self._guesses.keep(text, guesses, len(text))
        return guesses

    def _read_match(self, text: str) -> tuple[dict[str, Any], OsMatch]:
        """An `osmatch` element, without its end, as data, and the match."""
        if cached := self._matches.get(text):
            return cached
        data = _to_data(text.lstrip() + MATCH_END, MATCH_DEPTH)
        return self._matches.keep(text, (data, parse_os_match(data)), len(text))


def _read_system(element: str) -> System:
    system = _to_data(element)
    return system, parse_os_matches({"os": [system]})


def _to_data(element: str, depth: int = MATCH_DEPTH - 1) -> dict[str, Any]:
    try:
        return to_data(parse_xml(element), reject_markup, depth)
    except TooDeep as exc:
        raise UnusualMarkup from exc
