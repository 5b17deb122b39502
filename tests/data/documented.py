"""The output that nmap's scripts document in their own files, as the scripts would write it into a report.

It is read from the nmap that is installed, when a test runs: none of it is kept here. A script documents what it
prints (@output: lines that begin with `|`, as nmap shows them), and often the structure of one example (@xmloutput).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

from cascan.errors import CascanError
from cascan.model.host import Script
from tests.data.reports import read_through

SCRIPTS = Path("/usr/share/nmap/scripts")
TAG = re.compile(r"^--+\s*@(\w+)(.*)$")
COMMENT = re.compile(r"^--+ ?")
OUTPUT = re.compile(r"^\s*\|[ _]?(?P<line>.*)$")
NAME = re.compile(r"^ ?[\w.-]+: *")  # the script's, or one that it had before
REPORT = """<nmaprun scanner="nmap" version="7.93"><host><status state="up" reason="user-set"/>
<address addr="192.0.2.1" addrtype="ipv4"/><ports><port protocol="tcp" portid="1000"><state state="open" reason=""/>
<script id={id} output={output}>{data}</script></port></ports></host></nmaprun>"""


def installed() -> dict[str, Path]:
    """Each script of the installed nmap, and its file; empty where nmap keeps them elsewhere."""
    return {path.stem: path for path in sorted(SCRIPTS.glob("*.nse"))}


@cache
def documented(script: str) -> tuple[Script, ...]:
    """Each example that the script documents; the last one that has text carries the documented structure."""
    tagged = list(_tagged(installed()[script].read_text(errors="replace")))
    outputs = [output for tag, lines in tagged if tag == "output" for output in _outputs(script, lines)]
    structures = ["\n".join(lines) for tag, lines in tagged if tag == "xmloutput"]
    scripts = [_script(script, output) for output in outputs]
    for structure in structures:
        scripts += [_script(script, output, structure) for output in outputs[:1] or [""]]
    return tuple(found for found in scripts if found)


def _tagged(text: str) -> Iterator[tuple[str, list[str]]]:
    """Tag → the lines below it, without what makes them comments."""
    tag, lines = "", list[str]()
    for line in text.splitlines():
        found = TAG.match(line)
        if found or not line.startswith("--"):
            yield tag, lines
            tag, lines = (found[1].lower(), [found[2]]) if found else ("", [])
        else:
            lines.append(COMMENT.sub("", line))
    yield tag, lines


def _outputs(script: str, lines: list[str]) -> Iterator[str]:
    """The text of each example. A block of lines with bars is one; so is what follows the script's name within."""
    own = re.compile(rf"{re.escape(script)}(?:\.nse)?:", re.IGNORECASE)
    example = list[str]()
    for line in lines:
        shown = OUTPUT.match(line)
        text = shown["line"].rstrip() if shown else ""
        if example and (not shown or own.match(text.lstrip())):
            yield "\n".join(example)
            example = []
        if shown:
            example.append(text if example else NAME.sub("", text))  # the first line is the name's, and may have more
    if example:
        yield "\n".join(example)


def _script(script: str, output: str, data: str = "") -> Script | None:
    """What our reader makes of it; None: the documented structure is not XML."""
    try:
        hosts, _ = read_through(REPORT.format(id=quoteattr(script), output=_attribute(output), data=data).encode())
    except CascanError:
        return None
    return hosts[0].ports[0].scripts[0] if hosts and hosts[0].ports else None


def _attribute(output: str) -> str:
    return quoteattr(output, {"\n": "&#xa;"})
