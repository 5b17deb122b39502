"""Read ports and their scripts by patterns. Equal elements give the same value, which is cached.

Ports without scripts are cached at once, since most of them repeat. The output of most scripts does
not repeat, so it is cached when it occurs for the second time. That saves a fifth of the time if
hosts differ; otherwise it costs one more reading.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from cascan.cache import BoundedCache, RecentHashes
from cascan.limits import MAX_CACHED_REPORT_CHARS, MAX_PORT, MAX_RECENT_HASHES
from cascan.model.host import Port, Script, Service
from cascan.nmap.report.fast.script import UnusualMarkup, read_script, reject_markup, unescape
from cascan.nmap.report.fast.tail import ATTRIBUTES, FILLED, VALUE, read_attributes
from cascan.nmap.report.tree.host import build_service
from cascan.patterns import compile_pattern

START = (
    rf'protocol="(tcp|udp|sctp|ip)" portid="([0-9]{{1,5}})"><state state={FILLED} reason={VALUE}'
    rf' reason_ttl="([0-9]{{1,9}})"(?: reason_ip={VALUE})?/>\s*'
)
REST = r"(?:/>|>((?:<cpe>[^<>&\x00-\x1f]+</cpe>)*)</service>)"
SERVICE_DETAILS = "".join(
    rf"(?: {name}={VALUE})?"
    for name in ("product", "version", "extrainfo", "hostname", "ostype", "devicetype", "servicefp")
)
COMMON = re.compile(  # a service with its attributes in nmap's order
    rf"{START}<service name={VALUE}{SERVICE_DETAILS}"
    rf'(?: tunnel="(ssl)")? method="(table|probed)" conf="([0-9]{{1,2}})"{REST}\s*'
)
PORT = rf"{START}(?:<service{ATTRIBUTES}{REST})?\s*"
CPE = re.compile("<cpe>([^<]*)</cpe>")


class FastPortReader:
    """Reads the ports and scripts of hosts, and caches those that repeat."""

    def __init__(self) -> None:
        self._short_ports: BoundedCache[str, Port] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        # Ports with scripts have their own cache, so that they do not displace short ones.
        self._long_ports: BoundedCache[str, Port] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        self._scripts: BoundedCache[str, Script] = BoundedCache(MAX_CACHED_REPORT_CHARS)
        self._seen = RecentHashes(MAX_RECENT_HASHES)  # of elements with scripts

    def read_ports(self, texts: list[str]) -> tuple[Port, ...]:
        """The ports of these elements, which lack their `<port ` and `</port>`.

        Raises: UnusualMarkup: an element is not written as nmap writes it.
        """
        get_short, get_long = self._short_ports.get, self._long_ports.get
        return tuple([get_short(text) or get_long(text) or self._read_port(text) for text in texts])

    def read_scripts(self, texts: list[str]) -> tuple[Script, ...]:
        """The scripts of these elements, which lack their `<script `.

        Raises: UnusualMarkup: an element is not written as nmap writes it.
        """
        get_cached = self._scripts.get
        return tuple([get_cached(text) or self._read_script(text) for text in texts])

    def _read_port(self, text: str) -> Port:
        bare_port, *scripts = text.split("<script ")
        if not scripts:
            return self._short_ports.keep(text, read_port(text), len(text))
        port = self._short_ports.get(bare_port)
        if port is None:
            port = self._short_ports.keep(bare_port, read_port(bare_port), len(bare_port))
        port = replace(port, scripts=self.read_scripts(scripts))
        if self._seen.was_seen(hash(text)):
            self._long_ports.keep(text, port, len(text))
        return port

    def _read_script(self, text: str) -> Script:
        script = read_script(text)
        if self._seen.was_seen(hash(text)):
            self._scripts.keep(text, script, len(text))
        return script


def read_port(text: str) -> Port:
    """The port of an element without scripts.

    Raises: UnusualMarkup: the element is not written as nmap writes it.
    """
    match = COMMON.fullmatch(text)
    if match is None or "&" in text:
        return _read_any_port(text)
    protocol, number, state, reason, ttl, reason_ip, *details, cpes = match.groups("")
    name, product, version, extra, hostname, ostype, device, servicefp, tunnel, method, conf = details
    service = Service(
        name=name,
        product=product,
        version=version,
        extrainfo=extra,
        ostype=ostype,
        devicetype=device,
        hostname=hostname,
        tunnel=tunnel,
        method=method,
        confidence=int(conf),
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


def _read_any_port(text: str) -> Port:
    match = compile_pattern(PORT).fullmatch(text)
    if match is None:
        raise UnusualMarkup
    protocol, number, state, reason, ttl, reason_ip, attributes, cpes = match.groups()
    service = None
    if attributes is not None:
        cpe = tuple(CPE.findall(cpes or ""))
        service = build_service(read_attributes(attributes), cpe, reject_markup)
    return Port(
        protocol=protocol,
        number=read_port_number(number),
        state=unescape(state),
        reason=unescape(reason),
        reason_ttl=int(ttl),
        reason_ip=unescape(reason_ip or ""),
        service=service,
    )
