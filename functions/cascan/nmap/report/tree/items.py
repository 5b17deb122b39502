"""Build the items of a report other than hosts from their elements. Source: nmap.dtd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from cascan.model.report import (
    STRUCTS_BY_TAG,
    Finished,
    HostCounts,
    HostHint,
    Item,
    Output,
    PostScripts,
    PreScripts,
    RunStats,
)
from cascan.nmap.report.decode import repair_utf8
from cascan.nmap.report.schema import ITEMS, check_element
from cascan.nmap.report.tree.host import get_count, get_text, parse_addresses, parse_hostnames
from cascan.nmap.report.tree.script import parse_scripts
from cascan.nmap.report.tree.values import to_struct

Warn = Callable[[str], None]


def parse_item(element: Element, warn: Warn) -> Item | None:
    """The element's value. None, with a warning: nmap has no such element."""
    if element.tag in ITEMS:
        check_element(element, ITEMS[element.tag], warn)
    match element.tag:
        case tag if tag in STRUCTS_BY_TAG:
            return to_struct(STRUCTS_BY_TAG[tag], element.attrib)
        case "hosthint":
            return _hint(element, warn)
        case "prescript":
            return PreScripts(parse_scripts(element, warn))
        case "postscript":
            return PostScripts(parse_scripts(element, warn))
        case "runstats":
            return _runstats(element)
        case "output":
            return Output(type=element.get("type"), text=repair_utf8(element.text or ""))
    warn("Elements beside the hosts that nmap does not know were left out.")
    return None


def parse_whole_elements(text: str) -> Iterator[Element]:
    """The whole elements of the text, up to the first place that is not well-formed."""
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    depth = 0
    try:
        parser.feed("<r>")
        parser.feed(text)
        for event, element in cast("Iterable[tuple[str, Element]]", parser.read_events()):
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                yield element
    except ParseError:
        return


def _hint(element: Element, warn: Warn) -> HostHint:
    status = element.find("status")
    attributes = {} if status is None else status.attrib
    return HostHint(
        state=get_text(attributes, "state") or "unknown",
        reason=get_text(attributes, "reason"),
        reason_ttl=get_count(attributes, "reason_ttl", warn),
        addresses=parse_addresses(element, warn),
        hostnames=parse_hostnames(element, warn),
    )


def _runstats(element: Element) -> RunStats:
    finished, hosts = element.find("finished"), element.find("hosts")
    return RunStats(
        finished=None if finished is None else to_struct(Finished, finished.attrib),
        hosts=None if hosts is None else to_struct(HostCounts, hosts.attrib),
    )
