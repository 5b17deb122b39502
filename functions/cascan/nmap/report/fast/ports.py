"""The quick reading of ports and of the scripts that ran on them. Pieces that come again are shared.

Ports without scripts are kept at once, since most come again. What scripts say mostly does not: it is kept when it came
twice, which saves a fifth of the time on a network of hosts that differ, and costs one more reading elsewhere.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from cascan.cache import BoundedCache, RecentHashes
from cascan.limits import MAX_CACHED_REPORT_CHARS, MAX_PORT, MAX_RECENT_HASHES
from cascan.model.host import Port, Script, Service
from cascan.nmap.report.decode import compile_pattern
from cascan.nmap.report.fast.script import UnusualMarkup, read_script, reject_markup, unescape
from cascan.nmap.report.fast.tail import ATTRIBUTES, FILLED, VALUE, read_attributes
from cascan.nmap.report.tree.host import build_service

START = (
    rf'protocol="(tcp|udp|sctp|ip)" portid="([0-9]{{1,5}})"><state state={FILLED} reason={VALUE}'
    rf' reason_ttl="([0-9]{{1,9}})"(?: reason_ip={VALUE})?/>\s*'
)
REST = r"(?:/>|>((?:<cpe>[^<>&\x00-\x1f]+</cpe>)*)</service>)"
TOLD = "".join(
    rf"(?: {name}={VALUE})?"
    for name in ("product", "version", "extrainfo", "hostname", "ostype", "devicetype", "servicefp")
)
COMMON = re.compile(  # a service with its attributes in nmap's order
    rf'{START}<service name={VALUE}{TOLD}(?: tunnel="(ssl)")? method="(table|probed)" conf="([0-9]{{1,2}})"{REST}\s*'
)
PORT = rf"{START}(?:<service{ATTRIBUTES}{REST})?\s*"
CPE = re.compile("<cpe>([^<]*)</cpe>")


class FastPortReader:
    def __init__(self) -> None:
        self._ports: BoundedCache[str, Port] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        self._long_ports: BoundedCache[str, Port] = BoundedCache(
            MAX_CACHED_REPORT_CHARS
        )  # with scripts: these crowd out no short ones
        self._scripts: BoundedCache[str, Script] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        self._sighted = RecentHashes(MAX_RECENT_HASHES)  # pieces with scripts

    def ports(self, pieces: list[str]) -> tuple[Port, ...]:
        """The ports of these elements, without their `<port ` and `</port>`.

        Raises: UnusualMarkup: written otherwise than nmap writes.
        """
        known, long = self._ports.get, self._long_ports.get
        return tuple([known(piece) or long(piece) or self._port(piece) for piece in pieces])

    def scripts(self, pieces: list[str]) -> tuple[Script, ...]:
        """The scripts of these elements, without their `<script `.

        Raises: UnusualMarkup: written otherwise than nmap writes.
        """
        known = self._scripts.get
        return tuple([known(piece) or self._script(piece) for piece in pieces])

    def _port(self, piece: str) -> Port:
        core, *pieces = piece.split("<script ")
        if not pieces:
            return self._ports.keep(piece, read_port(piece), len(piece))
        port = self._ports.get(core) or self._ports.keep(core, read_port(core), len(core))
        long = replace(port, scripts=self.scripts(pieces))
        return self._long_ports.keep(piece, long, len(piece)) if self._sighted.was_seen(hash(piece)) else long

    def _script(self, piece: str) -> Script:
        script = read_script(piece)
        return self._scripts.keep(piece, script, len(piece)) if self._sighted.was_seen(hash(piece)) else script


def read_port(piece: str) -> Port:
    """The port of a piece without scripts.

    Raises: UnusualMarkup: written otherwise than nmap writes.
    """
    found = COMMON.fullmatch(piece)
    if found is None or "&" in piece:
        return _any_port(piece)
    protocol, number, state, reason, ttl, reason_ip, *told, tunnel, method, confidence, cpes = found.groups("")
    name, product, version, extrainfo, hostname, ostype, devicetype, servicefp = told
    service = Service(
        name=name,
        product=product,
        version=version,
        extrainfo=extrainfo,
        ostype=ostype,
        devicetype=devicetype,
        hostname=hostname,
        tunnel=tunnel,
        method=method,
        confidence=int(confidence),
        servicefp=servicefp,
        cpe=tuple(CPE.findall(cpes)) if cpes else (),
    )
    return Port(
        protocol=protocol,
        number=read_port_number(number),
        state=state,
        reason=reason,
        reason_ttl=int(ttl),
        reason_ip=reason_ip,
        service=service,
    )


def read_port_number(text: str) -> int:
    number = int(text)
    if number > MAX_PORT:
        raise UnusualMarkup
    return number


def _any_port(piece: str) -> Port:
    found = compile_pattern(PORT).fullmatch(piece)
    if found is None:
        raise UnusualMarkup
    protocol, number, state, reason, ttl, reason_ip, service, cpes = found.groups()
    told = (
        None
        if service is None
        else build_service(read_attributes(service), tuple(CPE.findall(cpes or "")), reject_markup)
    )
    return Port(
        protocol=protocol,
        number=read_port_number(number),
        state=unescape(state),
        reason=unescape(reason),
        reason_ttl=int(ttl),
        reason_ip=unescape(reason_ip or ""),
        service=told,
    )
