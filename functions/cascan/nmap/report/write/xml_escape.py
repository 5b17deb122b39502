"""Write elements and text as XML, in nmap's spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Node, Script
from cascan.nmap.report.decode import repair_utf8

# Characters that nmap writes as references: markup, control characters, bytes above 0x7F, and the
# second of two hyphens.
SPECIAL = re.compile("[&<>\"'\x00-\x1f\x7f-\U0010ffff]|(?<=-)-")
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def escape_xml(text: str) -> str:
    """The text, escaped for XML. Control characters that XML forbids become U+FFFD."""
    return SPECIAL.sub(_reference, text) if SPECIAL.search(text) else text


def render_element(
    tag: str,
    attributes: Mapping[str, str | int | None],
    content: str | None,
) -> str:
    """The element, without the attributes that are None.

    Empty content gives `<tag/>`, and None only the start tag.
    """
    pairs = attributes.items()
    texts = [f' {name}="{escape_xml(str(value))}"' for name, value in pairs if value is not None]
    text = "".join(texts)
    if content is None:
        return f"<{tag}{text}>"
    return f"<{tag}{text}>{content}</{tag}>" if content else f"<{tag}{text}/>"


def render_parsed(parsed: Element, depth: int = 2) -> str:
    """A parsed element as nmap would have written it, without elements nested too deep."""
    attributes = {name: repair_utf8(value) for name, value in parsed.attrib.items()}
    content = _parsed_text(parsed.text)
    if depth < MAX_XML_DEPTH:
        for child in parsed:
            content += render_parsed(child, depth + 1) + _parsed_text(child.tail)
    return render_element(parsed.tag, attributes, content)


def _parsed_text(text: str | None) -> str:
    """Text as nmap would have written it. White space alone is not changed."""
    return text or "" if not text or text.isspace() else escape_xml(repair_utf8(text))


def render_scripts(scripts: Iterable[Script]) -> str:
    """The script elements, without white space between them, as nmap writes them."""
    return "".join(map(_script_xml, scripts))


def _script_xml(script: Script) -> str:
    content = "".join(map(_node_xml, script.nodes)) if script.nodes else _data_xml(script.data)
    return render_element("script", {"id": script.id, "output": script.output}, content)


def _node_xml(node: Node) -> str:
    if node.kind == "text":
        return escape_xml(node.text)
    if node.kind == "elem":
        return _elem(node.key, node.text)
    return _table(node.key, "".join(map(_node_xml, node.children)))


def _data_xml(data: Any) -> str:
    """The content of a script without `nodes`: see Script."""
    if isinstance(data, dict):
        return "".join([_value_xml(key, value) for key, value in data.items()])
    return "".join([_value_xml(None, value) for value in data or ()])


def _value_xml(key: str | None, value: Any) -> str:
    return _elem(key, value) if isinstance(value, str) else _table(key, _data_xml(value))


def _elem(key: str | None, text: str) -> str:
    attribute = "" if key is None else f' key="{escape_xml(key)}"'
    return f"<elem{attribute}>{escape_xml(text)}</elem>\n"


def _table(key: str | None, content: str) -> str:
    attribute = "" if key is None else f' key="{escape_xml(key)}"'
    return f"<table{attribute}>\n{content}</table>\n"


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    if character in NAMED:
        return NAMED[character]
    if UNWRITABLE.match(character):
        character = "\N{REPLACEMENT CHARACTER}"
    if character == "-":
        return "&#45;"
    return "".join([f"&#x{byte:x};" for byte in character.encode("utf-8", "replace")])
