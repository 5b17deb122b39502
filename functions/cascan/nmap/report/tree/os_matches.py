"""Build OsMatches from the `osmatch` elements in `Host.details`. Source: nmap.dtd."""

from __future__ import annotations

from typing import Any

from cascan.model.host import OsClass, OsMatch
from cascan.nmap.report.tree.values import parse_count

Data = dict[str, Any]  # an element: see Host.details


def parse_os_matches(details: dict[str, list[Data]]) -> tuple[OsMatch, ...]:
    """The matches in nmap's order, the best first."""
    systems = details.get("os", ())
    matches = (match for system in systems for match in _get_children(system, "osmatch"))
    return tuple(map(parse_os_match, matches))


def parse_os_match(data: Data) -> OsMatch:
    """One `osmatch` element."""
    return OsMatch(
        _get_text(data, "name"),
        parse_count(_get_text(data, "accuracy")) or 0,
        parse_count(_get_text(data, "line")),
        tuple(_parse_class(child) for child in _get_children(data, "osclass")),
    )


def _parse_class(data: Data) -> OsClass:
    return OsClass(
        vendor=_get_text(data, "vendor"),
        family=_get_text(data, "osfamily"),
        generation=_get_text(data, "osgen"),
        type=_get_text(data, "type"),
        accuracy=parse_count(_get_text(data, "accuracy")),
        cpe=tuple(_get_text(cpe, "text") for cpe in _get_children(data, "cpe")),
    )


def _get_children(data: Data, tag: str) -> list[Data]:
    """The children with this tag. None, if an attribute has the same name."""
    children = data.get(tag)
    return children if isinstance(children, list) else []


def _get_text(data: Data, name: str) -> str:
    """The attribute. Empty: it is absent, or children have the same name."""
    text = data.get(name, "")
    return text if isinstance(text, str) else ""
