"""Write the values of a report as nmap 7.93 writes its XML. Read again, they are the same values.

    xml = chain(render_start(reader.head), map(render_item, reader.items()), render_end())

Text is ASCII, as nmap writes it: markup and control characters become references, and so does each
byte of other characters.
"""

from __future__ import annotations

import msgspec

from cascan.model.host import Host
from cascan.model.report import (
    STRUCTS_BY_TAG,
    Head,
    HostHint,
    Item,
    Output,
    PostScripts,
    PreScripts,
    RunStats,
)
from cascan.nmap.report.write.host import (
    render_addresses,
    render_host,
    render_hostnames,
    render_status,
)
from cascan.nmap.report.write.xml_escape import escape_xml, render_element, render_scripts

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
FLAT_TAGS = {kind: tag for tag, kind in STRUCTS_BY_TAG.items()}


def render_start(head: Head) -> str:
    """The declaration, the document type, and the root element's tag."""
    return f"{DECLARATION}{render_element('nmaprun', _to_attributes(head), None)}\n"


def render_end() -> str:
    return "</nmaprun>\n"


def render_item(item: Host | Item) -> str:
    """The element of the value, with a line end."""
    match item:
        case Host():
            return render_host(item)
        case HostHint():
            names = render_hostnames(item, always=True)
            content = f"{render_status(item)}{render_addresses(item)}{names}"
            return f"<hosthint>{content}</hosthint>\n"
        case PreScripts():
            return f"<prescript>{render_scripts(item.scripts)}</prescript>\n"
        case PostScripts():
            return f"<postscript>{render_scripts(item.scripts)}</postscript>\n"
        case Output():
            return f"{render_element('output', {'type': item.type}, escape_xml(item.text))}\n"
        case RunStats():
            return _runstats_xml(item)
    return f"{render_element(FLAT_TAGS[type(item)], _to_attributes(item), '')}\n"


def _runstats_xml(stats: RunStats) -> str:
    content = ""
    if stats.finished:
        content += render_element("finished", _to_attributes(stats.finished), "")
    if stats.hosts:
        content += render_element("hosts", _to_attributes(stats.hosts), "")
    return f"<runstats>{content}\n</runstats>\n"


def _to_attributes(value: msgspec.Struct) -> dict[str, str | None]:
    return {name: getattr(value, name) for name in value.__struct_fields__}
