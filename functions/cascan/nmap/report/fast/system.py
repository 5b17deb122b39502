"""Read `os` elements, the guesses of a host's operating system, by patterns.

nmap writes the ports that it used into each element, and one of these is a closed UDP port that it
chose at random. So the elements of alike hosts differ, but their `osmatch` elements repeat: these
are read once, and their values are shared.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import XML, ParseError

from cascan.cache import BoundedCache
from cascan.limits import MAX_CACHED_REPORT_CHARS
from cascan.model.host import OsMatch
from cascan.nmap.report.fast.script import UnusualMarkup, reject_markup
from cascan.nmap.report.fast.tail import VALUE
from cascan.nmap.report.tree.host import TooDeep, to_data
from cascan.nmap.report.tree.os_matches import parse_os_match, parse_os_matches
from cascan.patterns import compile_pattern

System = tuple[dict[str, Any], tuple[OsMatch, ...]]  # an `os` element as data, and its matches

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

    def read(self, element: str) -> System:
        """An `os` element, from `<os>` to `</os>`, as data, and its matches.

        Raises: UnusualMarkup: the element is not well-formed, or too deep.
        """
        start = compile_pattern(PORTS_USED).match(element)
        if start is None or "&" in start[1]:
            return _read_system(element)
        *matches, end = element[start.end() :].split(MATCH_END)
        if end.strip() != OS_END or not all(match.lstrip().startswith(MATCH_START) for match in matches):
            return _read_system(element)  # such as one with an `osfingerprint`
        system: dict[str, Any] = {}
        if ports := compile_pattern(PORT_USED).findall(start[1]):
            system["portused"] = [
                {"state": state, "proto": protocol, "portid": number} for state, protocol, number in ports
            ]
        pairs = [self._read_match(match) for match in matches]
        if pairs:
            system["osmatch"] = [data for data, _ in pairs]
        return system, tuple([match for _, match in pairs])

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
