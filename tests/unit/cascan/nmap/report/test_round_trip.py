"""Report → values → report: nothing that nmap wrote is lost on the way."""

from __future__ import annotations

import io
import shutil
import subprocess
from itertools import chain
from pathlib import Path
from xml.etree.ElementTree import XML, Element

import pytest

from cascan.nmap.report.decode import repair_utf8, replace_forbidden
from cascan.nmap.report.read import read_report
from cascan.nmap.report.write.report import render_end, render_item, render_start
from tests.data.reports import HEADLESS, ODDITIES, WHOLE, report

DTD = Path("/usr/share/nmap/nmap.dtd")
INVALID = ("oddities/masscan", "oddities/missing", "oddities/unknown-attributes")  # told in the reader's warnings
EMPTY = ("hostnames", "ports")  # such an element without content says nothing
CAN_BE_WRITTEN = [*WHOLE, *ODDITIES]


def written(data: bytes) -> str:
    """The report, read and written again."""
    reader = read_report(io.BytesIO(data))
    return "".join(chain([render_start(reader.head)], map(render_item, reader.items()), [render_end()]))


def canonical(element: Element) -> object:
    """The element as something to compare: no layout, text repaired, children of a host and of its `os` by their tags.

    nmap.dtd leaves the order of a host's children open; versions of nmap differ in it.
    """
    children = [canonical(child) for child in element if len(child) or child.attrib or child.tag not in EMPTY]
    if element.tag in ("host", "os"):
        children.sort(key=lambda child: child[0])  # type: ignore[index]  # a canonical element begins with its tag
    text = repair_utf8(element.text or "")
    attributes = {name: repair_utf8(value) for name, value in element.attrib.items()}
    return element.tag, attributes, text if element.tag == "elem" else text.strip(), children


def tree(data: bytes | str) -> object:
    return canonical(XML(replace_forbidden(data if isinstance(data, str) else data.decode())))


@pytest.mark.parametrize("name", [name for name in CAN_BE_WRITTEN if name not in INVALID])
def test_a_report_read_and_written_is_the_same_element_by_element(name: str) -> None:
    assert tree(written(report(name))) == tree(report(name))


@pytest.mark.parametrize("name", INVALID)
def test_a_report_that_cannot_be_written_the_same_was_warned_of(name: str) -> None:
    reader = read_report(io.BytesIO(report(name)))
    assert list(reader)
    assert reader.warnings


@pytest.mark.parametrize("name", CAN_BE_WRITTEN)
def test_what_was_written_reads_as_the_same_values(name: str) -> None:
    data = report(name)
    again = read_report(io.BytesIO(written(data).encode()))
    assert list(again.items()) == list(read_report(io.BytesIO(data)).items())
    assert (again.complete, again.warnings) == (True, ())


@pytest.mark.skipif(
    not (DTD.exists() and shutil.which("xmllint")), reason="xmllint or nmap's DTD is not installed here"
)
@pytest.mark.parametrize("name", [name for name in WHOLE if name not in (*HEADLESS, "osclass")])  # it was not valid
def test_what_was_written_is_valid_by_nmaps_own_dtd(name: str, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(written(report(name)))
    command = ["xmllint", "--noout", "--dtdvalid", str(DTD), str(tmp_path / "report.xml")]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.stderr == ""
