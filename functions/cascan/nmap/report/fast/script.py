"""Read scripts by patterns: one for the start tag, and one for tables and elems."""

from __future__ import annotations

import re
from typing import Any

from cascan.limits import MAX_XML_DEPTH
from cascan.model.host import Script
from cascan.nmap.report.decode import UnknownReference, resolve_references
from cascan.nmap.report.tree.script import Pairs, is_lossless, pairs_to_data

SCRIPT = re.compile(r'id="([^"<\x00-\x1f]*)" output="([^"<\x00-\x1f]*)"(/?)>')
TOKEN = re.compile(  # key and text of an elem; whether a table begins; whether it ends; its key
    r'(?:<elem(?: key="([^"<\x00-\x1f]+)")?>([^<>\x00-\x08\x0b-\x1f]*)</elem>'
    r'|<(?:(table)|(/)table)(?: key="([^"<\x00-\x1f]+)")?>)(?:\n|\Z)'
)
ELEM_CHARS = len("<elem></elem>\n")
TABLE_CHARS, TABLE_END_CHARS = len("<table>\n"), len("</table>\n")
KEY_CHARS = len(' key=""')
MAX_TABLES = MAX_XML_DEPTH - 5  # nested below host, ports, port and script


class UnusualMarkup(Exception):
    """The element is not written as nmap writes it. An XML parser may be able to read it."""


def reject_markup(_sentence: str) -> None:
    """Replaces a function that warns: the XML parser reads such an element, and warns."""
    raise UnusualMarkup


def read_script(text: str) -> Script:
    """The script of an element that lacks its `<script `. White space may follow the element.

    Raises: UnusualMarkup: the element is not written as nmap writes it, or needs `Script.nodes`.
    """
    start = SCRIPT.match(text)
    if start is None:
        raise UnusualMarkup
    identity, output, closed = start.groups()
    data = None
    if not closed:
        body, end, trailing = text[start.end() :].rpartition("</script>")
        data = _read_data(body)
    else:
        end, trailing = "/>", text[start.end() :]
    if not end or (trailing and not trailing.isspace()):
        raise UnusualMarkup
    return Script(unescape(identity), unescape(output), data)


def unescape(text: str) -> str:
    """The text, with its references resolved.

    Raises: UnusualMarkup: only an XML parser can resolve one of them.
    """
    if "&" not in text:
        return text
    try:
        return resolve_references(text)
    except UnknownReference as exc:
        raise UnusualMarkup from exc


def _read_data(body: str) -> Any:
    """The structured output between the script's tags.

    nmap writes each elem, and each tag of a table, on a line. If there is nothing between them, the
    lengths of the tokens add up to the length of the body.
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
            table = _to_data(pairs)
            pairs, table_name = above.pop()
            pairs.append((table_name, {} if table is None else table))
            chars += TABLE_END_CHARS
        else:
            chars += ELEM_CHARS + len(value) + (KEY_CHARS + len(key) if key else 0)
            pairs.append((unescape(key), unescape(value)) if escaped else (key, value))
    if not tokens and body.isspace():
        return None
    lacks_line_end = bool(body) and not body.endswith("\n")  # allowed after the last token
    if above or chars != len(body) + lacks_line_end:
        raise UnusualMarkup
    return _to_data(pairs)


def _to_data(pairs: Pairs) -> Any:
    """The pairs as data. Raises: UnusualMarkup: data cannot represent all of them."""
    if not pairs:
        return None
    data = dict(pairs)
    if len(data) == len(pairs) and "" not in data:
        return data
    if not is_lossless(pairs):
        raise UnusualMarkup
    return pairs_to_data(pairs)
