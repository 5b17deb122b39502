"""`script` elements → Scripts, with the structure behind their text. Source: nmap.dtd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Node, Script
from cascan.nmap.report.decode import repair_utf8
from cascan.nmap.report.schema import ATTRIBUTES

SCRIPT_ATTRIBUTES = {"id", "output"}
INSIDE_ELEM = "Elements inside an elem of a script's output were left out."
Warn = Callable[[str], None]
Pairs = list[tuple[str, Any]]
TOO_DEEP = f"Tables of a script nested more than {MAX_XML_DEPTH} deep were left out."


def parse_scripts(parent: Element, warn: Warn) -> tuple[Script, ...]:
    """The script elements right below, in order."""
    return tuple([parse_script(element, warn) for element in parent.iterfind("script")])


def parse_script(element: Element, warn: Warn) -> Script:
    """The script; tables nested too deep are left out, and `warn` told so."""
    if not element.attrib.keys() <= SCRIPT_ATTRIBUTES:
        warn(ATTRIBUTES)
    identity, output = repair_utf8(element.get("id", "")), repair_utf8(element.get("output", ""))
    if not len(element) and not (element.text or "").strip():
        return Script(identity, output)
    nodes = tuple(_nodes(element, warn))
    return Script(identity, output, pairs_to_data(_pairs(nodes)), () if _plain(nodes) else nodes)


def pairs_to_data(pairs: Pairs) -> Any:
    """Keys and values, in order, as data: a dict by key, a list where no key is given, None where there are none.

    A key that repeats holds the list of its values; values without a key beside keyed ones stand in a list under "".
    """
    if not pairs:
        return None
    data = dict(pairs)
    if len(data) == len(pairs) and "" not in data:
        return data
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    if values.keys() == {""}:
        return values[""]
    return {key: found[0] if len(found) == 1 and key else found for key, found in values.items()}


def is_lossless(pairs: Pairs) -> bool:
    """Whether `pairs_to_data` keeps all that the pairs say, so that it can be written again as it was."""
    keys = {key for key, _ in pairs}
    return keys <= {""} or ("" not in keys and len(keys) == len(pairs))


def _pairs(nodes: tuple[Node, ...]) -> Pairs:
    return [
        (node.key or "", node.text if node.kind == "elem" else pairs_to_data(_pairs(node.children)) or {})
        for node in nodes
        if node.kind != "text"
    ]


def _plain(nodes: tuple[Node, ...]) -> bool:
    """Whether data alone tells these nodes."""
    return (
        is_lossless([(node.key or "", None) for node in nodes])
        and all(node.kind != "text" and node.key != "" for node in nodes)
        and all(_plain(node.children) for node in nodes)
    )


def _nodes(parent: Element, warn: Warn, depth: int = 4) -> Iterator[Node]:
    """What stands below, in order."""
    if parent.text and parent.text.strip():
        yield Node("text", text=repair_utf8(parent.text))
    for child in parent:
        key = child.get("key")
        if child.tag in ("elem", "table") and not child.attrib.keys() <= {"key"}:
            warn(ATTRIBUTES)
        if child.tag == "elem":
            if len(child):
                warn(INSIDE_ELEM)
            yield Node("elem", key and repair_utf8(key), repair_utf8(child.text or ""))
        elif child.tag != "table":
            warn("Elements of a script's output that nmap does not know were left out.")
        elif depth >= MAX_XML_DEPTH:
            warn(TOO_DEEP)
        else:
            yield Node("table", key and repair_utf8(key), children=tuple(_nodes(child, warn, depth + 1)))
        if child.tail and child.tail.strip():
            yield Node("text", text=repair_utf8(child.tail))
