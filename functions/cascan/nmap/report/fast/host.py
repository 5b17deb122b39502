"""Read host elements by patterns, if they are written exactly as nmap writes them.

    head.py     the head, up to the host's names
    ports.py    the ports, with their scripts
    script.py   the scripts
    tail.py     the elements after the ports
    system.py   the guesses of the operating system

The patterns are faster than an XML parser, and the Host is the same that tree/host.py builds from
the parsed element. They are strict about quotes, order and references. If an element is written
differently, `UnusualMarkup` is raised, and the caller passes the element to the XML parser.
Elements that repeat from host to host (ports, extraports, OS matches, short scripts) are read once,
and their values are shared.

Splitting between `</port>` and `<port `, and at `<script `, is safe: in XML text a `<` always
begins markup, the caller has removed comments and CDATA, and each part has to match a pattern, or
be well-formed, by itself.
"""

from __future__ import annotations

from cascan.cache import BoundedCache
from cascan.limits import MAX_CACHED_REPORT_CHARS
from cascan.model.host import ExtraPorts, Host, OsMatch, Script
from cascan.nmap.report.fast.head import read_down_host, read_head
from cascan.nmap.report.fast.ports import FastPortReader
from cascan.nmap.report.fast.script import UnusualMarkup, reject_markup
from cascan.nmap.report.fast.system import FastSystemReader, parse_xml
from cascan.nmap.report.fast.tail import Details, read_flat
from cascan.nmap.report.schema import PORTS as PORTS_KNOWN
from cascan.nmap.report.schema import check_element
from cascan.nmap.report.tree.host import parse_extraports

PORTS, PORTS_END = "<ports>", "</ports>"
BETWEEN = "</port>\n<port "  # between two ports; searching a longer text is faster
LAST_END = "</port>\n</ports>\n"  # after the last port, as nmap writes it
HOSTSCRIPT, HOSTSCRIPT_END = "<hostscript><script ", "</hostscript>"


class FastHostReader:
    """Reads host elements, and caches the parts that repeat."""

    def __init__(self) -> None:
        self._ports = FastPortReader()
        self._extraports = BoundedCache[str, tuple[ExtraPorts, ...]](MAX_CACHED_REPORT_CHARS)
        self._systems = FastSystemReader()

    def read(self, text: str) -> Host:
        """The host of an element, whose text is ASCII and lacks its `</host>`.

        Raises: UnusualMarkup: the element is not written as nmap writes it.
        """
        if host := read_down_host(text):
            return host
        head = read_head(text)
        end, started_at, finished_at, state, reason, reason_ttl, addresses, hostnames = head
        extraports, ports, tail = _split_ports(text[end:])
        details: Details = {}
        scripts, matches = self._read_tail(tail, details)
        return Host(
            state=state,
            reason=reason,
            reason_ttl=reason_ttl,
            addresses=addresses,
            hostnames=hostnames,
            ports=self._ports.read_ports(ports),
            extraports=self._read_extraports(extraports) if extraports else (),
            scripts=scripts,
            os_matches=matches,
            started_at=started_at,
            finished_at=finished_at,
            details=details,
        )

    def _read_extraports(self, text: str) -> tuple[ExtraPorts, ...]:
        if cached := self._extraports.get(text):
            return cached
        ports = parse_xml(f"<ports>{text}</ports>")
        if any(element.tag != "extraports" for element in ports):
            raise UnusualMarkup
        check_element(ports, PORTS_KNOWN, reject_markup)
        return self._extraports.keep(text, tuple(parse_extraports(ports, reject_markup)), len(text))

    def _read_tail(
        self,
        text: str,
        details: Details,
    ) -> tuple[tuple[Script, ...], tuple[OsMatch, ...]]:
        """The host scripts and OS matches after the ports. All other elements become details."""
        scripts: tuple[Script, ...] = ()
        matches: tuple[OsMatch, ...] = ()
        position = 0
        while position < len(text):
            if text.startswith("<os>", position):
                element, position = _read_until(text, position, "</os>")
                system, system_matches = self._systems.read(element)
                details.setdefault("os", []).append(system)
                matches += system_matches
            elif (end := read_flat(text, position, details)) > position:
                position = end
            elif text.startswith(HOSTSCRIPT, position):
                element, position = _read_until(text, position, HOSTSCRIPT_END)
                element = element.removeprefix(HOSTSCRIPT).removesuffix(HOSTSCRIPT_END)
                scripts += self._ports.read_scripts(element.split("<script "))
            elif text[position:].isspace():
                break
            else:
                raise UnusualMarkup
        return scripts, matches


def _split_ports(text: str) -> tuple[str, list[str], str]:
    """Split the text after the host's names.

    Returns the extraports, the ports without their tags, and the text after the ports.
    """
    if not text.startswith(PORTS):
        return "", [], text
    extraports, first_port, remainder = text.partition("<port ")
    if not first_port:
        extraports, end, tail = text.partition(PORTS_END)
        if not end:
            raise UnusualMarkup
        return extraports[len(PORTS) :].strip(), [], tail.lstrip()
    ports = remainder.split(BETWEEN)
    last_port, is_usual, tail = ports[-1].partition(LAST_END)
    if is_usual and "</port>" not in last_port:
        ports[-1] = last_port
        return extraports[len(PORTS) :], ports, tail.lstrip()
    ports[-1], _, tail = ports[-1].partition("</port>")
    tail = tail.lstrip()
    if not tail.startswith(PORTS_END):
        raise UnusualMarkup
    return extraports[len(PORTS) :], ports, tail[len(PORTS_END) :].lstrip()


def _read_until(text: str, start: int, end: str) -> tuple[str, int]:
    """The text from `start` to the end of `end`, and the position after it and white space."""
    index = text.find(end, start)
    if index < 0:
        raise UnusualMarkup
    stop = following = index + len(end)
    while text[following : following + 1].isspace():
        following += 1
    return text[start:stop], following
