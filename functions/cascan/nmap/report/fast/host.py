"""The quick reading: host elements written exactly as nmap writes them, cut by a few patterns instead of an XML parser.

    head.py    up to the host's names
    ports.py   ports, and with script.py their scripts
    tail.py    what follows the ports

In goes the text of a host element, out comes its Host: the same that host.py makes of the parsed element. The
patterns are strict about quotes, order and references. `UnusualMarkup` says that something is written otherwise, and
the caller hands the element to the XML parser. Pieces that repeat from host to host (ports, extraports, OS matches,
short scripts) are read once and shared.

Cutting between `</port>` and `<port `, and at `<script `, is safe: `<` stands in XML text for nothing but markup, the
caller has taken comments and CDATA out, and every piece has to match a pattern, or to be well-formed, by itself.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import XML, ParseError

from cascan.cache import BoundedCache
from cascan.limits import MAX_CACHED_REPORT_CHARS
from cascan.model.host import ExtraPorts, Host, OsMatch, Script
from cascan.nmap.report.fast.head import read_head
from cascan.nmap.report.fast.ports import FastPortReader
from cascan.nmap.report.fast.script import UnusualMarkup, reject_markup
from cascan.nmap.report.fast.tail import Details, read_flat
from cascan.nmap.report.schema import PORTS as PORTS_KNOWN
from cascan.nmap.report.schema import check_element
from cascan.nmap.report.tree.host import TooDeep, parse_extraports, to_data
from cascan.nmap.report.tree.os_matches import parse_os_matches

PORTS, PORTS_END = "<ports>", "</ports>"
BETWEEN = "</port>\n<port "  # two ports, as nmap writes them; the longer what is looked for, the faster it is found
HOSTSCRIPT, HOSTSCRIPT_END = "<hostscript><script ", "</hostscript>"


class FastHostReader:
    """Reads host elements, and remembers the pieces that repeat."""

    def __init__(self) -> None:
        self._ports = FastPortReader()
        self._counted: BoundedCache[str, tuple[ExtraPorts, ...]] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        self._systems: BoundedCache[str, tuple[dict[str, Any], tuple[OsMatch, ...]]] = BoundedCache(
            MAX_CACHED_REPORT_CHARS
        )

    def host(self, text: str) -> Host:
        """The host of an element from its `<host` up to its `</host>`, which is not in the text; all of it ASCII.

        Raises: UnusualMarkup: written otherwise than nmap writes.
        """
        end, started_at, finished_at, state, reason, reason_ttl, addresses, hostnames = read_head(text)
        extras, pieces, after = _divided(text[end:])
        details: Details = {}
        scripts, matches = self._rest(after, details)
        return Host(
            state=state,
            reason=reason,
            reason_ttl=reason_ttl,
            addresses=addresses,
            hostnames=hostnames,
            ports=self._ports.ports(pieces),
            extraports=(self._counted.get(extras) or self._extraports(extras)) if extras else (),
            scripts=scripts,
            os_matches=matches,
            started_at=started_at,
            finished_at=finished_at,
            details=details,
        )

    def _extraports(self, text: str) -> tuple[ExtraPorts, ...]:
        ports = _parsed(f"<ports>{text}</ports>")
        if any(element.tag != "extraports" for element in ports):
            raise UnusualMarkup
        check_element(ports, PORTS_KNOWN, reject_markup)
        return self._counted.keep(text, tuple(parse_extraports(ports, reject_markup)), len(text))

    def _rest(self, text: str, details: Details) -> tuple[tuple[Script, ...], tuple[OsMatch, ...]]:
        """What follows the ports: host scripts and OS matches; every other element is read into the details."""
        scripts: tuple[Script, ...] = ()
        matches: tuple[OsMatch, ...] = ()
        at = 0
        while at < len(text):
            if text.startswith("<os>", at):
                piece, at = _until(text, at, "</os>")
                system, found = self._systems.get(piece) or self._system(piece)
                details.setdefault("os", []).append(system)
                matches += found
            elif (behind := read_flat(text, at, details)) > at:
                at = behind
            elif text.startswith(HOSTSCRIPT, at):
                piece, at = _until(text, at, HOSTSCRIPT_END)
                piece = piece.removeprefix(HOSTSCRIPT).removesuffix(HOSTSCRIPT_END)
                scripts += self._ports.scripts(piece.split("<script "))
            elif text[at:].isspace():
                break
            else:
                raise UnusualMarkup
        return scripts, matches

    def _system(self, piece: str) -> tuple[dict[str, Any], tuple[OsMatch, ...]]:
        """An `os` element as data, and its matches."""
        try:
            system = to_data(_parsed(piece), reject_markup)
        except TooDeep as exc:
            raise UnusualMarkup from exc
        return self._systems.keep(piece, (system, parse_os_matches({"os": [system]})), len(piece))


def _divided(text: str) -> tuple[str, list[str], str]:
    """What follows the host's names: extraports, ports without their tags, and what follows the ports."""
    if not text.startswith(PORTS):
        return "", [], text
    extras, found, ports = text.partition("<port ")
    if not found:
        extras, end, after = text.partition(PORTS_END)
        if not end:
            raise UnusualMarkup
        return extras[len(PORTS) :].strip(), [], after.lstrip()
    pieces = ports.split(BETWEEN)
    pieces[-1], _, after = pieces[-1].partition("</port>")
    after = after.lstrip()
    if not after.startswith(PORTS_END):
        raise UnusualMarkup
    return extras[len(PORTS) :], pieces, after[len(PORTS_END) :].lstrip()


def _parsed(text: str) -> Any:
    if "xmlns" in text:
        raise UnusualMarkup
    try:
        return XML(text)
    except ParseError as exc:
        raise UnusualMarkup from exc


def _until(text: str, start: int, end: str) -> tuple[str, int]:
    """The text from `start` up to the end and with it, and where what follows begins."""
    found = text.find(end, start)
    if found < 0:
        raise UnusualMarkup
    stop = behind = found + len(end)
    while text[behind : behind + 1].isspace():
        behind += 1
    return text[start:stop], behind
