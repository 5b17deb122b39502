"""The quick reading: host elements written exactly as nmap writes them, cut by a few patterns instead of an XML parser.

In goes the text of a host element, out comes its Host: the same that report_host.py makes of the parsed element. The
patterns are strict about quotes, order and references. `NotPlain` says that something is written otherwise, and the
caller hands the element to the XML parser. Pieces that repeat from host to host (ports, extraports, OS matches, short
scripts) are read once and shared.

Cutting at `<port ` and `<script ` is safe: `<` stands in XML text for nothing but markup, the caller has taken comments
and CDATA out, and every piece has to match a pattern, or to be well-formed, by itself.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar
from xml.etree.ElementTree import XML, ParseError

from msgspec.structs import replace

from cascan.limits import MAX_MEMO_CHARS, MAX_MEMO_SCRIPT_CHARS, MAX_PORT
from cascan.model.details import os_matches
from cascan.model.host import Address, ExtraPorts, Host, Hostname, OsMatch, Port, Script
from cascan.nmap.report_host import TooDeep, extraports_in, plain_of, service_of
from cascan.nmap.report_quick_script import NotPlain, plain, quick_script
from cascan.nmap.report_values import instant

V = TypeVar("V")
Details = dict[str, list[dict[str, Any]]]

VALUE = r'"([^"<\x00-\x1f]*)"'
ATTRIBUTE = re.compile(rf" ([a-z_]+)={VALUE}")
ATTRIBUTES = r'((?: [a-z_]+="[^"<\x00-\x1f]*")*)'
HEAD = re.compile(
    r'\s*<host(?: starttime="([0-9]{1,10})" endtime="([0-9]{1,10})")?>\s*'
    rf'<status state={VALUE} reason={VALUE} reason_ttl="([0-9]{{1,9}})"/>\s*'
    rf"((?:<address{ATTRIBUTES}/>\s*)+)"
    r"(?:<hostnames>\s*((?:<hostname [^<>]*/>\s*)*)</hostnames>\s*)?"
)
ADDRESS = re.compile(rf'<address addr={VALUE} addrtype="(ipv4|ipv6|mac)"(?: vendor={VALUE})?/>')
HOSTNAME = re.compile(rf'<hostname name={VALUE} type="(user|PTR)"/>')
PORT = re.compile(
    rf'protocol="(tcp|udp|sctp|ip)" portid="([0-9]{{1,5}})"><state state={VALUE} reason={VALUE}'
    rf' reason_ttl="([0-9]{{1,9}})"(?: reason_ip={VALUE})?/>\s*'
    rf"(?:<service{ATTRIBUTES}(?:/>|>((?:<cpe>[^<&\x00-\x1f]+</cpe>)*)</service>))?\s*</port>\s*"
)
CPE = re.compile("<cpe>([^<]*)</cpe>")
FLAT = re.compile(rf"\s*<(uptime|distance|tcpsequence|ipidsequence|tcptssequence|times|smurf){ATTRIBUTES}/>\s*")
TRACE = re.compile(rf"<trace{ATTRIBUTES}>\s*((?:<hop{ATTRIBUTES}/>\s*)*)</trace>\s*")
HOP = re.compile(rf"<hop{ATTRIBUTES}/>")


class Memory(dict[str, V]):
    """Pieces of text and what they were read as. A full memory starts anew."""

    def __init__(self) -> None:
        super().__init__()
        self._chars = 0

    def keep(self, text: str, value: V) -> V:
        """The value, kept for the next time that the text comes."""
        self._chars += len(text)
        if self._chars > MAX_MEMO_CHARS:
            self.clear()
            self._chars = len(text)
        if len(text) <= MAX_MEMO_CHARS:
            self[text] = value
        return value


class QuickHosts:
    """Reads host elements, and remembers the pieces that repeat."""

    def __init__(self) -> None:
        self._ports: Memory[Port] = Memory()
        self._long_ports: Memory[Port] = Memory()  # with scripts: the many that come once crowd out no short ones
        self._scripts: Memory[Script] = Memory()
        self._counted: Memory[tuple[ExtraPorts, ...]] = Memory()
        self._systems: Memory[tuple[dict[str, Any], tuple[OsMatch, ...]]] = Memory()

    def host(self, text: str) -> Host:
        """The host of an element from its `<host` up to its `</host>`, which is not in the text; all of it ASCII.

        Raises: NotPlain: written otherwise than nmap writes.
        """
        head = HEAD.match(text)
        if head is None:
            raise NotPlain
        started, finished, state, reason, ttl, addresses, _, hostnames = head.groups()
        extras, pieces, after = _divided(text[head.end() :])
        known = self._ports
        ports = [known.get(piece) or self._port(piece) for piece in pieces]
        scripts, matches, details = self._rest(after)
        return Host(
            state=plain(state),
            reason=plain(reason),
            reason_ttl=int(ttl),
            addresses=_addresses(addresses),
            hostnames=_hostnames(hostnames) if hostnames else (),
            ports=tuple(ports),
            extraports=(self._counted.get(extras) or self._extraports(extras)) if extras else (),
            scripts=scripts,
            os_matches=matches,
            started_at=instant(started),
            finished_at=instant(finished),
            details=details,
        )

    def _port(self, piece: str) -> Port:
        core, *pieces = piece.split("<script ")
        if not pieces:
            return self._ports.keep(piece, _port_of(piece))
        if port := self._long_ports.get(piece):
            return port
        pieces[-1], end, behind = pieces[-1].rpartition("</port>")
        if not end or behind.strip():
            raise NotPlain
        core += "</port>"
        port = self._ports.get(core) or self._ports.keep(core, _port_of(core))
        return self._long_ports.keep(piece, replace(port, scripts=self._of_pieces(pieces)))

    def _of_pieces(self, pieces: list[str]) -> tuple[Script, ...]:
        known = self._scripts
        return tuple([known.get(text) or self._script(text) for text in pieces])

    def _script(self, text: str) -> Script:
        script = quick_script(text)
        return self._scripts.keep(text, script) if len(text) <= MAX_MEMO_SCRIPT_CHARS else script

    def _extraports(self, text: str) -> tuple[ExtraPorts, ...]:
        ports = _parsed(f"<ports>{text}</ports>")
        if any(element.tag != "extraports" for element in ports):
            raise NotPlain
        return self._counted.keep(text, tuple(extraports_in(ports)))

    def _rest(self, text: str) -> tuple[tuple[Script, ...], tuple[OsMatch, ...], Details]:
        """What follows the ports: host scripts, OS matches, and every other element."""
        scripts: tuple[Script, ...] = ()
        matches: tuple[OsMatch, ...] = ()
        details: Details = {}
        while text:
            if flat := FLAT.match(text):
                details.setdefault(flat[1], []).append(attributes_of(flat[2]))
                text = text[flat.end() :]
            elif text.startswith("<os>"):
                piece, text = _until(text, "</os>")
                system, found = self._systems.get(piece) or self._system(piece)
                details.setdefault("os", []).append(system)
                matches += found
            elif trace := TRACE.match(text):
                hops = [attributes_of(hop) for hop in HOP.findall(trace[2])]
                details.setdefault("trace", []).append(attributes_of(trace[1]) | ({"hop": hops} if hops else {}))
                text = text[trace.end() :]
            elif text.startswith("<hostscript><script "):
                piece, text = _until(text, "</hostscript>")
                piece = piece.removeprefix("<hostscript><script ").removesuffix("</hostscript>")
                scripts += self._of_pieces(piece.split("<script "))
            elif text.isspace():
                break
            else:
                raise NotPlain
        return scripts, matches, details

    def _system(self, piece: str) -> tuple[dict[str, Any], tuple[OsMatch, ...]]:
        """An `os` element as data, and its matches."""
        remarks: list[str] = []
        try:
            system = plain_of(_parsed(piece), remarks.append)
        except TooDeep as exc:
            raise NotPlain from exc
        if remarks:
            raise NotPlain
        return self._systems.keep(piece, (system, os_matches({"os": [system]})))


def attributes_of(text: str) -> dict[str, str]:
    """Attributes as nmap writes them, a space before each."""
    found = ATTRIBUTE.findall(text)
    attributes = dict(found)
    if len(attributes) != len(found):
        raise NotPlain
    return {name: plain(value) for name, value in found} if "&" in text else attributes


def _divided(text: str) -> tuple[str, list[str], str]:
    """What follows the host's names: extraports, ports without their `<port `, and what follows the ports."""
    if not text.startswith("<ports>"):
        return "", [], text
    extras, *pieces = text[len("<ports>") :].split("<port ")
    if not pieces:
        extras, end, after = extras.partition("</ports>")
        if not end:
            raise NotPlain
        return extras.strip(), [], after.lstrip()
    last, end, after = pieces[-1].partition("</port>")
    pieces[-1] = f"{last}{end}\n"
    after = after.lstrip()
    if not after.startswith("</ports>"):
        raise NotPlain
    return extras, pieces, after[len("</ports>") :].lstrip()


def _port_of(piece: str) -> Port:
    """The port of a piece without scripts."""
    found = PORT.fullmatch(piece)
    if found is None:
        raise NotPlain
    protocol, number, state, reason, ttl, reason_ip, service, cpes = found.groups()
    if int(number) > MAX_PORT:
        raise NotPlain
    told = None if service is None else service_of(attributes_of(service), tuple(CPE.findall(cpes or "")), _refuse)
    return Port(
        protocol=protocol,
        number=int(number),
        state=plain(state),
        reason=plain(reason),
        reason_ttl=int(ttl),
        reason_ip=plain(reason_ip or ""),
        service=told,
    )


def _addresses(text: str) -> tuple[Address, ...]:
    found = ADDRESS.findall(text)
    if len(found) != text.count("<") or any(not addr for addr, _, _ in found):
        raise NotPlain
    return tuple([Address(plain(addr), kind, plain(vendor)) for addr, kind, vendor in found])


def _hostnames(text: str) -> tuple[Hostname, ...]:
    found = HOSTNAME.findall(text)
    if len(found) != text.count("<"):
        raise NotPlain
    return tuple([Hostname(plain(name), kind) for name, kind in found])


def _parsed(text: str) -> Any:
    try:
        return XML(text)
    except ParseError as exc:
        raise NotPlain from exc


def _until(text: str, end: str) -> tuple[str, str]:
    """The text up to the end and with it, and what follows, without white space before it."""
    piece, found, after = text.partition(end)
    if not found:
        raise NotPlain
    return piece + found, after.lstrip()


def _refuse(_sentence: str) -> None:
    raise NotPlain
