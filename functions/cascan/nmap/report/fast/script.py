"""The quick reading of scripts, as nmap writes them: a pattern for the start, two for the tables and elems behind."""

from __future__ import annotations

import re
from typing import Any

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Script
from cascan.nmap.report.decode import UnknownReference, resolve_references
from cascan.nmap.report.tree.script import Pairs, is_lossless, pairs_to_data

SCRIPT = re.compile(r'id="([^"<\x00-\x1f]*)" output="([^"<\x00-\x1f]*)"(/?)>')
TOKEN = re.compile(  # key and text of an elem; that a table begins, that it ends, its key
    r'(?:<elem(?: key="([^"<\x00-\x1f]+)")?>([^<>\x00-\x08\x0b-\x1f]*)</elem>'
    r'|<(?:(table)|(/)table)(?: key="([^"<\x00-\x1f]+)")?>)(?:\n|\Z)'
)
ELEM_CHARS, TABLE_CHARS, TABLE_END_CHARS = len("<elem></elem>\n"), len("<table>\n"), len("</table>\n")
KEY_CHARS = len(' key=""')
MAX_TABLES = MAX_XML_DEPTH - 5  # nested below host, ports, port and script


class UnusualMarkup(Exception):
    """The element is not written as nmap writes it; an XML parser may read it all the same."""


def reject_markup(_sentence: str) -> None:
    """Where host.py warns of something, it is for host.py to read."""
    raise UnusualMarkup


def read_script(text: str) -> Script:
    """The script of an element without its `<script `, white space behind it allowed.

    Raises: UnusualMarkup: written otherwise, or with a structure that a Script tells by its nodes.
    """
    start = SCRIPT.match(text)
    if start is None:
        raise UnusualMarkup
    identity, output, closed = start.groups()
    data = None
    if not closed:
        body, end, behind = text[start.end() :].rpartition("</script>")
        data = _data(body)
    else:
        end, behind = "/>", text[start.end() :]
    if not end or (behind and not behind.isspace()):
        raise UnusualMarkup
    return Script(unescape(identity), unescape(output), data)


def unescape(text: str) -> str:
    """The text, its references resolved.

    Raises: UnusualMarkup: one of them is for an XML parser to judge.
    """
    if "&" not in text:
        return text
    try:
        return resolve_references(text)
    except UnknownReference as exc:
        raise UnusualMarkup from exc


def _data(body: str) -> Any:
    """The structure between the script's tags: each elem and each table's tag on a line, nothing between them.

    So the lengths of the tokens add up to that of the body.
    """
    tokens = TOKEN.findall(body)
    escaped = "&" in body
    pairs: Pairs = []
    above: list[tuple[Pairs, str]] = []
    chars = 0
    for key, value, opens, closes, name in tokens:
        if opens:
            if len(above) >= MAX_TABLES:
                raise UnusualMarkup
            above.append((pairs, unescape(name)))
            pairs = []
            chars += TABLE_CHARS + (KEY_CHARS + len(name) if name else 0)
        elif closes:
            if name or not above:
                raise UnusualMarkup
            told = _told(pairs)
            pairs, name_above = above.pop()
            pairs.append((name_above, {} if told is None else told))
            chars += TABLE_END_CHARS
        else:
            chars += ELEM_CHARS + len(value) + (KEY_CHARS + len(key) if key else 0)
            pairs.append((unescape(key), unescape(value)) if escaped else (key, value))
    if not tokens and body.isspace():
        return None
    if above or chars != len(body) + (not body.endswith("\n") and bool(body)):  # the last may lack the line's end
        raise UnusualMarkup
    return _told(pairs)


def _told(pairs: Pairs) -> Any:
    """As data, if data alone tells it."""
    if not pairs:
        return None
    data = dict(pairs)
    if len(data) == len(pairs) and "" not in data:
        return data
    if not is_lossless(pairs):
        raise UnusualMarkup
    return pairs_to_data(pairs)
