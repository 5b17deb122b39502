"""Values of a report → nmap's XML, as nmap 7.93 writes it: read again, they are the same values.

    xml = chain(document_start(reader.head), map(xml_of, reader.items()), document_end())

Text goes out as nmap writes it: ASCII, markup and control characters as references, other characters byte by byte.
"""

from __future__ import annotations

import msgspec

from cascan.model.host import Host
from cascan.model.report import TAGS, Head, HostHint, Item, Output, PostScripts, PreScripts, RunStats
from cascan.nmap.report.write.host import addresses_xml, host_xml, hostnames_xml, status_xml
from cascan.nmap.report.write.xml_escape import element, escaped, scripts_xml

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
FLAT_TAGS = {kind: tag for tag, kind in TAGS.items()}


def document_start(head: Head) -> str:
    """The declaration, the document type, and the root element's tag."""
    return f"{DECLARATION}{element('nmaprun', _said(head), None)}\n"


def document_end() -> str:
    return "</nmaprun>\n"


def xml_of(item: Host | Item) -> str:
    """The element of the value, with the line's end."""
    match item:
        case Host():
            return host_xml(item)
        case HostHint():
            return f"<hosthint>{status_xml(item)}{addresses_xml(item)}{hostnames_xml(item, always=True)}</hosthint>\n"
        case PreScripts():
            return f"<prescript>{scripts_xml(item.scripts)}</prescript>\n"
        case PostScripts():
            return f"<postscript>{scripts_xml(item.scripts)}</postscript>\n"
        case Output():
            return f"{element('output', {'type': item.type}, escaped(item.text))}\n"
        case RunStats():
            return _runstats_xml(item)
    return f"{element(FLAT_TAGS[type(item)], _said(item), '')}\n"


def _runstats_xml(stats: RunStats) -> str:
    finished = element("finished", _said(stats.finished), "") if stats.finished else ""
    hosts = element("hosts", _said(stats.hosts), "") if stats.hosts else ""
    return f"<runstats>{finished}{hosts}\n</runstats>\n"


def _said(value: msgspec.Struct) -> dict[str, str | None]:
    return {name: getattr(value, name) for name in value.__struct_fields__}
