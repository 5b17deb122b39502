"""What stands beside the hosts of a report: elements → values. Source: nmap.dtd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from cascan.model.report import TAGS, Finished, HostCounts, HostHint, Item, Output, PostScripts, PreScripts, RunStats
from cascan.nmap.report.decode import repaired
from cascan.nmap.report.known import ITEMS, check
from cascan.nmap.report.tree.host import addresses_in, count_in, hostnames_in, text_in
from cascan.nmap.report.tree.script import scripts_in
from cascan.nmap.report.tree.values import said

Warn = Callable[[str], None]


def item_of(element: Element, warn: Warn) -> Item | None:
    """The element's value; None where nmap does not know such an element, which `warn` is told."""
    if element.tag in ITEMS:
        check(element, ITEMS[element.tag], warn)
    match element.tag:
        case tag if tag in TAGS:
            return said(TAGS[tag], element.attrib)
        case "hosthint":
            return _hint(element, warn)
        case "prescript":
            return PreScripts(scripts_in(element, warn))
        case "postscript":
            return PostScripts(scripts_in(element, warn))
        case "runstats":
            return _runstats(element)
        case "output":
            return Output(type=element.get("type"), text=repaired(element.text or ""))
    warn("Elements beside the hosts that nmap does not know were left out.")
    return None


def whole_elements(text: str) -> Iterator[Element]:
    """The elements of the text that are whole, as far as it is well-formed."""
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
        state=text_in(attributes, "state") or "unknown",
        reason=text_in(attributes, "reason"),
        reason_ttl=count_in(attributes, "reason_ttl", warn),
        addresses=addresses_in(element, warn),
        hostnames=hostnames_in(element, warn),
    )


def _runstats(element: Element) -> RunStats:
    finished, hosts = element.find("finished"), element.find("hosts")
    return RunStats(
        finished=None if finished is None else said(Finished, finished.attrib),
        hosts=None if hosts is None else said(HostCounts, hosts.attrib),
    )
