"""What the values of a report have fields for: a parsed element in, a warning out for what none of them keeps.

Elements below a host that nmap.dtd does not know are kept in its details, with all they hold. Source: nmap.dtd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from cascan.model.report import STRUCTS_BY_TAG, Finished, HostCounts

Warn = Callable[[str], None]

ATTRIBUTES = "Attributes that nmap does not know were left out."
ELEMENTS = "Elements that nmap does not know were left out."
REPEATED = "Elements that nmap writes once were left out where they came again."
TEXT = "Text between elements was left out."
NAMESPACES = "XML namespaces, which nmap does not use, were left out."


@dataclass(frozen=True, slots=True)
class Schema:
    """What is read of an element."""

    attributes: frozenset[str] = frozenset()
    children: Mapping[str, Schema | None] = field(default_factory=dict)  # None: its own reader checks it
    once: frozenset[str] = frozenset()  # children of which the first is read
    has_text: bool = False
    keeps_others: bool = False  # children of any other name are kept


def _known(attributes: str = "", once: str = "", **children: Schema | None) -> Schema:
    return Schema(frozenset(attributes.split()), children, frozenset(once.split()))


NOTHING = Schema()
STATUS = _known("state reason reason_ttl")
ADDRESS = _known("addr addrtype vendor")
HOSTNAMES = _known(hostname=_known("name type"))
EXTRAPORTS = _known("state count", extrareasons=_known("reason count proto ports"))
PORT = _known(
    "protocol portid",
    "state owner service",
    state=_known("state reason reason_ttl reason_ip"),
    owner=_known("name"),
    service=None,
    script=None,
)
PORTS = _known(extraports=EXTRAPORTS, port=PORT)
SCRIPTS = _known(script=None)
HOST = Schema(
    frozenset({"starttime", "endtime", "timedout", "comment"}),
    {"status": STATUS, "address": ADDRESS, "hostnames": HOSTNAMES, "ports": PORTS, "hostscript": SCRIPTS},
    once=frozenset({"status"}),
    keeps_others=True,
)
SERVICE_CHILDREN = Schema(children={"cpe": Schema(has_text=True)})
ITEMS = {
    **{tag: Schema(frozenset(kind.__struct_fields__)) for tag, kind in STRUCTS_BY_TAG.items()},
    "hosthint": _known(once="status", status=STATUS, address=ADDRESS, hostnames=HOSTNAMES),
    "prescript": SCRIPTS,
    "postscript": SCRIPTS,
    "output": Schema(frozenset({"type"}), has_text=True),
    "runstats": _known(
        once="finished hosts",
        finished=_known(" ".join(Finished.__struct_fields__)),
        hosts=_known(" ".join(HostCounts.__struct_fields__)),
    ),
}


def check_element(element: Element, known: Schema, warn: Warn) -> None:
    """Warn of what the element holds besides what is known."""
    if not element.attrib.keys() <= known.attributes:
        warn(ATTRIBUTES)
    check_content(element, known, warn)


def check_content(element: Element, known: Schema, warn: Warn) -> None:
    """As `check_element`, but of the attributes."""
    if not known.has_text:
        check_text(element, warn)
    seen: set[str] = set()
    for child in element:
        if child.tag not in known.children:
            if not known.keeps_others:
                warn(ELEMENTS)
            continue
        if child.tag in seen and child.tag in known.once:
            warn(REPEATED)
        seen.add(child.tag)
        inner = known.children[child.tag]
        if inner is not None:
            check_element(child, inner, warn)


def check_text(element: Element, warn: Warn) -> None:
    """Warn of text right below the element, where all text is layout."""
    texts: Iterable[str | None] = (element.text, *(child.tail for child in element))
    if any(text and not text.isspace() for text in texts):
        warn(TEXT)


def drop_namespaces(element: Element, warn: Warn) -> None:
    """Name elements and attributes as if there were no namespaces."""
    for each in element.iter():
        names = [each.tag, *each.attrib]
        if not any(name.startswith("{") for name in names):
            continue
        warn(NAMESPACES)
        each.tag = each.tag.rpartition("}")[2]
        attributes = {name.rpartition("}")[2]: value for name, value in each.attrib.items()}
        each.attrib.clear()
        each.attrib.update(attributes)
