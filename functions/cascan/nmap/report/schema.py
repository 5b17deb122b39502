"""The elements and attributes of a report that are read, and warnings about all others.

Elements below a host that are not in nmap.dtd are kept in its details, with all their content.

Source: nmap.dtd.
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
    """The attributes and children of an element that are read."""

    attributes: frozenset[str] = frozenset()
    # None: the reader of the child checks it
    children: Mapping[str, Schema | None] = field(default_factory=dict)
    once: frozenset[str] = frozenset()  # children of which only the first is read
    has_text: bool = False
    keeps_others: bool = False  # children of any other name are kept


def _schema(attributes: str = "", once: str = "", **children: Schema | None) -> Schema:
    return Schema(frozenset(attributes.split()), children, frozenset(once.split()))


NOTHING = Schema()
STATUS = _schema("state reason reason_ttl")
ADDRESS = _schema("addr addrtype vendor")
HOSTNAMES = _schema(hostname=_schema("name type"))
EXTRAPORTS = _schema("state count", extrareasons=_schema("reason count proto ports"))
PORT = _schema(
    "protocol portid",
    "state owner service",
    state=_schema("state reason reason_ttl reason_ip"),
    owner=_schema("name"),
    service=None,
    script=None,
)
PORTS = _schema(extraports=EXTRAPORTS, port=PORT)
SCRIPTS = _schema(script=None)
HOST = Schema(
    frozenset({"starttime", "endtime", "timedout", "comment"}),
    {
        "status": STATUS,
        "address": ADDRESS,
        "hostnames": HOSTNAMES,
        "ports": PORTS,
        "hostscript": SCRIPTS,
    },
    once=frozenset({"status"}),
    keeps_others=True,
)
SERVICE_CHILDREN = Schema(children={"cpe": Schema(has_text=True)})
ITEMS = {
    **{tag: Schema(frozenset(kind.__struct_fields__)) for tag, kind in STRUCTS_BY_TAG.items()},
    "hosthint": _schema(once="status", status=STATUS, address=ADDRESS, hostnames=HOSTNAMES),
    "prescript": SCRIPTS,
    "postscript": SCRIPTS,
    "output": Schema(frozenset({"type"}), has_text=True),
    "runstats": _schema(
        once="finished hosts",
        finished=_schema(" ".join(Finished.__struct_fields__)),
        hosts=_schema(" ".join(HostCounts.__struct_fields__)),
    ),
}


def check_element(element: Element, schema: Schema, warn: Warn) -> None:
    """Warn about attributes, children and text that the schema does not have."""
    if not element.attrib.keys() <= schema.attributes:
        warn(ATTRIBUTES)
    check_content(element, schema, warn)


def check_content(element: Element, schema: Schema, warn: Warn) -> None:
    """Check the children and the text of an element, but not its attributes."""
    if not schema.has_text:
        check_text(element, warn)
    seen: set[str] = set()
    for child in element:
        if child.tag not in schema.children:
            if not schema.keeps_others:
                warn(ELEMENTS)
            continue
        if child.tag in seen and child.tag in schema.once:
            warn(REPEATED)
        seen.add(child.tag)
        inner = schema.children[child.tag]
        if inner is not None:
            check_element(child, inner, warn)


def check_text(element: Element, warn: Warn) -> None:
    """Warn about text directly below an element that should have none."""
    texts: Iterable[str | None] = (element.text, *(child.tail for child in element))
    if any(text and not text.isspace() for text in texts):
        warn(TEXT)


def drop_namespaces(element: Element, warn: Warn) -> None:
    """Remove the namespaces from the names of elements and attributes."""
    for descendant in element.iter():
        names = [descendant.tag, *descendant.attrib]
        if not any(name.startswith("{") for name in names):
            continue
        warn(NAMESPACES)
        descendant.tag = descendant.tag.rpartition("}")[2]
        attributes = {name.rpartition("}")[2]: value for name, value in descendant.attrib.items()}
        descendant.attrib.clear()
        descendant.attrib.update(attributes)
