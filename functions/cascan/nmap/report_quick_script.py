"""The quick reading of scripts, as nmap writes them: a pattern for the start, two for the tables and elems behind."""

from __future__ import annotations

import re
from typing import Any

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Script
from cascan.nmap.report_script import Pairs, data_of, tells_all
from cascan.nmap.report_text import UnknownReference, unescaped

SCRIPT = re.compile(r'id="([^"<\x00-\x1f]*)" output="([^"<\x00-\x1f]*)"(/?)>')
TABLE = re.compile(r'<(/?)table(?: key="([^"<\x00-\x1f]+)")?>')
ELEM = re.compile(r'<elem(?: key="([^"<\x00-\x1f]+)")?>([^<>\x00-\x08\x0b-\x1f]*)</elem>')
MAX_TABLES = MAX_XML_DEPTH - 5  # nested below host, ports, port and script


class NotPlain(Exception):
    """The element is not written as nmap writes it; an XML parser may read it all the same."""


def quick_script(text: str) -> Script:
    """The script of an element without its `<script `, white space behind it allowed.

    Raises: NotPlain: written otherwise, or with a structure that a Script tells by its nodes.
    """
    start = SCRIPT.match(text)
    if start is None:
        raise NotPlain
    identity, output, closed = start.groups()
    data = None
    if not closed:
        body, end, behind = text[start.end() :].rpartition("</script>")
        data = _data(body)
    else:
        end, behind = "/>", text[start.end() :]
    if not end or (behind and not behind.isspace()):
        raise NotPlain
    return Script(plain(identity), plain(output), data)


def plain(text: str) -> str:
    """The text, its references resolved.

    Raises: NotPlain: one of them is for an XML parser to judge.
    """
    if "&" not in text:
        return text
    try:
        return unescaped(text)
    except UnknownReference as exc:
        raise NotPlain from exc


def _data(body: str) -> Any:
    """The structure between the script's tags: each elem and each table's tag on a line, nothing between them."""
    escaped = "&" in body
    elems, *tables = TABLE.split(body)
    pairs = _elems(elems, escaped)
    count = len(pairs)
    above: list[tuple[Pairs, str]] = []
    for end, name, elems in zip(tables[::3], tables[1::3], tables[2::3], strict=True):
        if not end:
            above.append((pairs, plain(name or "")))
            pairs = []
        elif name or not above:
            raise NotPlain
        else:
            value = _told(pairs)
            pairs, key = above.pop()
            pairs.append((key, {} if value is None else value))
        if len(elems) > 1:
            found = _elems(elems, escaped)
            count += len(found)
            pairs += found
        if len(above) > MAX_TABLES:
            raise NotPlain
    tags = count + len(tables) // 3
    if above or body.count("<") != count + tags:  # an elem has two of them
        raise NotPlain
    if not tags and body and not body.isspace():
        raise NotPlain
    if tags and (body.count(">\n<") != tags - 1 or body[0] != "<" or not body.endswith((">\n", ">"))):
        raise NotPlain
    return _told(pairs)


def _elems(text: str, escaped: bool) -> Pairs:
    found: Pairs = ELEM.findall(text)
    if escaped and "&" in text:
        return [(plain(key), plain(value)) for key, value in found]
    return found


def _told(pairs: Pairs) -> Any:
    """As data, if data alone tells it."""
    if not pairs:
        return None
    data = dict(pairs)
    if len(data) == len(pairs) and "" not in data:
        return data
    if not tells_all(pairs):
        raise NotPlain
    return data_of(pairs)
