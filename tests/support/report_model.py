"""Random reports, and what a reader has to make of them: from nmap.dtd and docs/reading.md, not from the readers.

random_report(seed)   a report as bytes: mostly as nmap writes, with some of what nmap never writes
model_of(report)      its hosts as plain data, by walking the tree that ElementTree gives
facts_of(elements)    every attribute and text of elements, each with its path: to see that nothing vanishes
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import XML, Element
from xml.sax.saxutils import escape

WORDS = (
    "",
    "open",
    "a b",
    "x<y",
    'say "hi"',
    "it's",
    "a&b",
    "café",
    "€",
    "1.0",
    "-",
    "--",
    "]]>",
    "a\nb",
    "\t",
    ">\n<",
    "0",
)
NUMBERS = ("0", "1", "64", "00", "007", "65535", "4294967295", "99999999999", "")
STATES = ("open", "closed", "filtered", "open|filtered")
TIMES = ("1686560001", "1686560099", "0", "00", "99999999999999", "")
NAMED = {"status", "address", "hostnames", "ports", "hostscript"}


class Writer:
    """One random report. `oddity` is how likely each place is to hold what nmap never writes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (random reports, no secrets)
        self.oddity = self.random.choice((0, 0, 0.01, 0.04, 0.1))

    def odd(self) -> bool:
        return self.random.random() < self.oddity

    def some(self, most: int) -> range:
        return range(self.random.randint(0, most))

    def spelled(self, text: str) -> str:
        """As nmap spells it: bytes above 0x7F and control characters as references."""
        text = escape(text.encode().decode("latin-1"), {'"': "&quot;", "'": "&apos;"})
        return "".join(f"&#x{ord(c):x};" if c < " " or c > "~" else c for c in text)

    def tag(self, element: str, attributes: Mapping[str, str | None], content: str | None = None) -> str:
        given = {key: value for key, value in attributes.items() if value is not None}
        if given and self.odd():
            given.pop(self.random.choice(list(given)))
        if given and self.odd():
            given[self.random.choice(list(given))] = ""
        if self.odd():
            name, value = self.random.choice(("new", "text", "xmlns", "name")), self.random.choice(WORDS)
            given[name] = value or "a"
        quote, space = ("'", " ") if self.odd() else ('"', "")
        start = element + "".join(f" {key}={quote}{self.spelled(value)}{quote}" for key, value in given.items())
        if content is None:
            return f"<{start}{space}/>" if not self.odd() else f"<{start}></{element}>"
        return f"<{start}{space}>{self.stray()}{content}{self.stray()}</{element}>"

    def stray(self) -> str:
        if not self.odd():
            return ""
        return self.random.choice(
            (
                "stray",
                " ",
                "\n",
                ">\n",
                "<!-- a -->",
                "<![CDATA[<b>]]>",
                '<new a="1"/>',
                "<text>a</text>",
                "<elem>\n</elem>",
            )
        )

    def word(self) -> str:
        return self.random.choice(WORDS) if self.random.random() < 0.4 else self.random.choice(WORDS[1:3])

    def number(self) -> str:
        return self.random.choice(NUMBERS) if self.odd() else str(self.random.randint(0, 255))

    def time(self) -> str:
        return self.random.choice(TIMES) if self.odd() else TIMES[0]

    def report(self) -> str:
        hosts = "\n".join(self.stray() + self.host() for _ in self.some(4))
        head = (
            '<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="nmap" start="1" version="7.93">\n'
        )
        return f'{head}{hosts}\n<runstats><finished time="2" exit="success"/></runstats>\n</nmaprun>\n'

    def host(self) -> str:
        timed = {"starttime": self.time(), "endtime": self.time(), "timedout": "true" if self.odd() else None}
        parts = [
            self.status("status") + "\n",
            "".join(self.address() + "\n" for _ in range(self.random.randint(1, 2))),
            f"{self.tag('hostnames', {}, chr(10) + ''.join(self.hostname() for _ in self.some(2)))}\n",
            self.ports() if self.random.random() < 0.8 else "",
            *(self.detail() for _ in self.some(3)),
            self.tag("hostscript", {}, self.script()) if self.random.random() < 0.2 else "",
            self.trace() if self.random.random() < 0.3 else "",
            f"{self.tag('times', {'srtt': '1', 'rttvar': '2', 'to': '3'})}\n",
        ]
        if self.odd():
            self.random.shuffle(parts)
        if self.odd():
            parts.append(self.random.choice(parts))
        return self.tag("host", timed, "".join(parts))

    def status(self, tag: str) -> str:
        state = "up" if tag == "status" else self.random.choice(STATES)
        return self.tag(tag, {"state": state, "reason": self.word() or "x", "reason_ttl": self.number()})

    def address(self) -> str:
        if self.random.random() < 0.3:
            return self.tag("address", {"addr": "00:11:22:33:44:55", "addrtype": "mac", "vendor": self.word()})
        addr = f"192.0.2.{self.random.randint(0, 255)}"
        return self.tag("address", {"addr": addr, "addrtype": "ipv4"})

    def hostname(self) -> str:
        return self.tag("hostname", {"name": self.word() or "a", "type": self.random.choice(("user", "PTR"))}) + "\n"

    def ports(self) -> str:
        extras = "".join(self.extraports() for _ in self.some(1))
        return self.tag("ports", {}, extras + "".join(f"{self.port()}\n" for _ in self.some(4))) + "\n"

    def extraports(self) -> str:
        reason = self.tag("extrareasons", {"reason": "reset", "count": self.number(), "proto": "tcp", "ports": "1-5"})
        return self.tag("extraports", {"state": "closed", "count": self.number()}, f"{reason}\n") + "\n"

    def port(self) -> str:
        inner = self.status("state")
        if self.random.random() < 0.7:
            inner += self.service()
        inner += "".join(self.script() for _ in self.some(2))
        if self.odd():
            inner += inner
        return self.tag("port", {"protocol": "tcp", "portid": str(self.random.randint(1, 9))}, inner)

    def service(self) -> str:
        names = ("product", "version", "extrainfo", "hostname", "ostype", "devicetype", "servicefp")
        told = {name: self.word() for name in names if self.random.random() < 0.3}
        cpes = "".join(f"<cpe>{self.spelled(self.word() or 'cpe:/a:b')}</cpe>" for _ in self.some(2))
        ends = {"method": self.random.choice(("table", "probed")), "conf": self.number()}
        return self.tag("service", {"name": self.word()} | told | ends, cpes or None)

    def script(self) -> str:
        body = "".join(self.node(2) for _ in self.some(3))
        return self.tag("script", {"id": "a-script", "output": self.word()}, body or None)

    def node(self, depth: int) -> str:
        key = self.random.choice((None, "a", "b", "c d", "e&f"))
        end = self.random.choice(("", " ", "x", "\n\n")) if self.odd() else "\n"
        if not depth or self.random.random() < 0.6:
            return self.tag("elem", {"key": key}, self.spelled(self.word())) + end
        return self.tag("table", {"key": key}, "\n" + "".join(self.node(depth - 1) for _ in self.some(3))) + end

    def detail(self) -> str:
        return (
            self.random.choice(
                (
                    self.tag("uptime", {"seconds": "1", "lastboot": self.word()}),
                    self.tag("distance", {"value": self.number()}),
                    self.tag("tcpsequence", {"index": "1", "difficulty": self.word(), "values": "A,B"}),
                    self.tag(
                        "os", {}, self.tag("osmatch", {"name": self.word(), "accuracy": "90", "line": "1"}) + "\n"
                    ),
                    self.tag("new", {"a": self.word()}, self.spelled(self.word())) if self.odd() else "",
                )
            )
            + "\n"
        )

    def trace(self) -> str:
        hops = ({"ttl": "1", "ipaddr": "192.0.2.1", "rtt": "1.00", "host": self.word() or None} for _ in self.some(3))
        inner = "\n" + "".join(self.tag("hop", hop) + "\n" for hop in hops)
        return self.tag("trace", {"port": "80", "proto": "tcp"}, inner) + "\n"


def random_report(seed: int) -> bytes:
    return Writer(seed).report().encode()


def model_of(report: bytes) -> list[dict[str, Any]] | None:
    """What a reader has to make of the hosts; None: XML namespaces or damage, of which a reader warns."""
    if b"xmlns" in report:
        return None
    return [_host(host) for host in XML(report).iterfind("host")]


def text_of(value: str | None) -> str:
    """`Ã©` → `é`, where the characters are bytes of UTF-8."""

    def mend(run: re.Match[str]) -> str:
        try:
            return run[0].encode("latin-1").decode()
        except UnicodeDecodeError:
            return run[0]

    return re.sub("[\x80-\xff]+", mend, value or "")


def _number(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch("[0-9]+", value) else None


def _first(parent: Element, tag: str) -> dict[str, str]:
    found = parent.find(tag)
    return {} if found is None else found.attrib


def _host(host: Element) -> dict[str, Any]:
    status = _first(host, "status")
    ports = [port for each in host.iterfind("ports/port") for port in _port(each)]
    by_ports = "up" if any(port["state"] == "open" for port in ports) else "unknown"
    return {
        "state": text_of(status.get("state")) or by_ports,
        "reason": text_of(status.get("reason")),
        "reason_ttl": _number(status.get("reason_ttl")),
        "addresses": [
            {"addr": text_of(a.get("addr")), "kind": a.get("addrtype") or "ipv4", "vendor": text_of(a.get("vendor"))}
            for a in host.iterfind("address")
            if a.get("addr")
        ],
        "hostnames": [
            {"name": text_of(name.get("name")), "kind": text_of(name.get("type"))}
            for name in host.iterfind("hostnames/hostname")
            if name.get("name")
        ],
        "ports": ports,
        "extraports": [
            {
                "state": text_of(extra.get("state")),
                "count": _number(extra.get("count")) or 0,
                "reasons": [
                    {
                        "reason": text_of(reason.get("reason")),
                        "count": _number(reason.get("count")) or 0,
                        "protocol": text_of(reason.get("proto")),
                        "ports": text_of(reason.get("ports")),
                    }
                    for reason in extra.iterfind("extrareasons")
                ],
            }
            for extra in host.iterfind("ports/extraports")
        ],
        "scripts": [_script(script) for script in host.iterfind("hostscript/script")],
        "timed_out": host.get("timedout") == "true",
        "details": _details(child for child in host if child.tag not in NAMED),
    }


def _port(port: Element) -> list[dict[str, Any]]:
    number = _number(port.get("portid"))
    if number is None or number > 65_535:
        return []
    state, service = _first(port, "state"), port.find("service")
    return [
        {
            "protocol": text_of(port.get("protocol")) or "tcp",
            "number": number,
            "state": text_of(state.get("state")) or "unknown",
            "reason": text_of(state.get("reason")),
            "reason_ttl": _number(state.get("reason_ttl")),
            "service": None if service is None else _service(service),
            "scripts": [_script(script) for script in port.iterfind("script")],
        }
    ]


def _service(service: Element) -> dict[str, Any]:
    names = ("name", "product", "version", "extrainfo", "ostype", "devicetype", "hostname", "tunnel", "method")
    told: dict[str, Any] = {name: text_of(service.get(name)) for name in (*names, "servicefp")}
    told["confidence"] = _number(service.get("conf"))
    told["cpe"] = [text_of(cpe.text) for cpe in service.iterfind("cpe") if cpe.text]
    return told


def _script(script: Element) -> dict[str, Any]:
    return {"id": text_of(script.get("id")), "output": text_of(script.get("output")), "pieces": _pieces(script)}


def _pieces(parent: Element) -> list[Any]:
    """Tables, elems and text between them, in order."""
    found: list[Any] = [text_of(parent.text)] if parent.text and parent.text.strip() else []
    for child in parent:
        key = text_of(child.get("key")) or None
        if child.tag == "elem":
            found.append(("elem", key, text_of(child.text)))
        elif child.tag == "table":
            found.append(("table", key, _pieces(child)))
        if child.tail and child.tail.strip():
            found.append(text_of(child.tail))
    return found


def _details(elements: Iterable[Element]) -> dict[str, Any]:
    """Elements by tag, each as its attributes, its text and its children."""
    found: dict[str, Any] = {}
    for each in elements:
        text = text_of(each.text) if each.text and each.text.strip() else ""
        attributes = {name: text_of(value) for name, value in each.attrib.items()}
        found.setdefault(each.tag, []).append((attributes, text, _details(each)))
    return found


def facts_of(elements: Iterable[Element], path: str = "") -> Counter[tuple[str, str, str]]:
    """Path, attribute (empty: the text) and value; numbers without leading zeros, what is empty left out."""
    facts: Counter[tuple[str, str, str]] = Counter()
    for each in elements:
        here = f"{path}/{each.tag}"
        texts = {"": (each.text or "").strip()} | each.attrib
        for name, value in texts.items():
            if value:
                facts[here, name, str(int(value)) if value.isdecimal() else text_of(value)] += 1
        facts += facts_of(each, here)
        for child in each:
            if child.tail and child.tail.strip():
                facts[here, "tail", text_of(child.tail).strip()] += 1
    return facts
