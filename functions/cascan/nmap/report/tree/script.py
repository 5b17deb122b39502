"""Build Scripts, with their structured output, from `script` elements. Source: nmap.dtd."""

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
    """The script elements directly below, in order."""
    return tuple([parse_script(element, warn) for element in parent.iterfind("script")])


def parse_script(element: Element, warn: Warn) -> Script:
    """The script. Tables nested too deep are left out with a warning."""
    if not element.attrib.keys() <= SCRIPT_ATTRIBUTES:
        warn(ATTRIBUTES)
    identity, output = repair_utf8(element.get("id", "")), repair_utf8(element.get("output", ""))
    if not len(element) and not (element.text or "").strip():
        return Script(identity, output)
    nodes = tuple(_parse_nodes(element, warn))
    data = pairs_to_data(_pairs(nodes))
    return Script(identity, output, data, () if _is_data_enough(nodes) else nodes)


def pairs_to_data(pairs: Pairs) -> Any:
    """Keys and values, in order, as data.

    The data are a dict by key, a list if no value has a key, or None if there are no values. In a
    dict, a repeated key has a list of its values, and "" has a list of the values without a key.
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
    return {
        key: entries[0] if key and len(entries) == 1 else entries  # a list for a repeated key
        for key, entries in values.items()
    }


def is_lossless(pairs: Pairs) -> bool:
    """Whether the pairs can be restored from their data, so that they can be written again."""
    keys = {key for key, _ in pairs}
    return keys <= {""} or ("" not in keys and len(keys) == len(pairs))


def _pairs(nodes: tuple[Node, ...]) -> Pairs:
    pairs: Pairs = []
    for node in nodes:
        if node.kind == "text":
            continue
        value = node.text if node.kind == "elem" else pairs_to_data(_pairs(node.children)) or {}
        pairs.append((node.key or "", value))
    return pairs


def _is_data_enough(nodes: tuple[Node, ...]) -> bool:
    """Whether the nodes can be restored from `data`."""
    return (
        is_lossless([(node.key or "", None) for node in nodes])
        and all(node.kind != "text" and node.key != "" for node in nodes)
        and all(_is_data_enough(node.children) for node in nodes)
    )


def _parse_nodes(parent: Element, warn: Warn, depth: int = 4) -> Iterator[Node]:
    """The nodes below an element, in order."""
    yield from _parse_text(parent.text)
    for child in parent:
        match child.tag:
            case "elem":
                yield _parse_elem(child, warn)
            case "table" if depth >= MAX_XML_DEPTH:
                _parse_key(child, warn)
                warn(TOO_DEEP)
            case "table":
                key = _parse_key(child, warn)
                yield Node("table", key, children=tuple(_parse_nodes(child, warn, depth + 1)))
            case _:
                warn("Elements of a script's output that nmap does not know were left out.")
        yield from _parse_text(child.tail)


def _parse_elem(element: Element, warn: Warn) -> Node:
    key = _parse_key(element, warn)
    if len(element):
        warn(INSIDE_ELEM)
    return Node("elem", key, repair_utf8(element.text or ""))


def _parse_key(element: Element, warn: Warn) -> str | None:
    """The key of an elem or a table. It is their only attribute."""
    if not element.attrib.keys() <= {"key"}:
        warn(ATTRIBUTES)
    key = element.get("key")
    return repair_utf8(key) if key else key


def _parse_text(text: str | None) -> Iterator[Node]:
    """The text between elements, unless it is only white space."""
    if text and text.strip():
        yield Node("text", text=repair_utf8(text))
