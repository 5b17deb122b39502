"""The quick reading of scripts, as nmap writes them: a pattern for the start, two for the tables and elems behind."""

from __future__ import annotations

import re
from typing import Any

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Script
from cascan.nmap.report.script import Pairs, data_of, tells_all
from cascan.nmap.report.text import UnknownReference, unescaped

SCRIPT = re.compile(r'id="([^"<\x00-\x1f]*)" output="([^"<\x00-\x1f]*)"(/?)>')
TOKEN = re.compile(  # key and text of an elem; that a table begins, that it ends, its key
    r'<elem(?: key="([^"<\x00-\x1f]+)")?>([^<>\x00-\x08\x0b-\x1f]*)</elem>'
    r'|<(?:(table)|(/)table)(?: key="([^"<\x00-\x1f]+)")?>'
)
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
    tokens = TOKEN.findall(body)
    escaped = "&" in body
    pairs: Pairs = []
    above: list[tuple[Pairs, str]] = []
    elems = 0
    for key, value, opens, closes, name in tokens:
        if opens:
            if len(above) >= MAX_TABLES:
                raise NotPlain
            above.append((pairs, plain(name)))
            pairs = []
        elif closes:
            if name or not above:
                raise NotPlain
            told = _told(pairs)
            pairs, name_above = above.pop()
            pairs.append((name_above, {} if told is None else told))
        else:
            elems += 1
            pairs.append((plain(key), plain(value)) if escaped else (key, value))
    if above or body.count("<") != len(tokens) + elems:  # an elem has two of them
        raise NotPlain
    if not tokens and body and not body.isspace():
        raise NotPlain
    if tokens and (body.count(">\n<") != len(tokens) - 1 or body[0] != "<" or not body.endswith((">\n", ">"))):
        raise NotPlain
    return _told(pairs)


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
