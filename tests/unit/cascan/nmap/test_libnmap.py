"""A stored report as libnmap's own object."""

from __future__ import annotations

import io
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from cascan.errors import UnreadableReport
from cascan.nmap.libnmap import as_libnmap
from tests.data.reports import report


def test_a_stream_and_its_bytes_give_the_same_report() -> None:
    stored = as_libnmap(io.BytesIO(report("hosts")))
    assert stored == as_libnmap(report("hosts"))
    assert [host.address for host in stored.hosts] == ["127.0.0.1"] * 3


def test_two_stored_reports_can_be_compared_with_libnmaps_diff() -> None:
    before = as_libnmap(report("oddities/states"))
    after = as_libnmap(
        report("oddities/states").replace(b'portid="1"><state state="open"', b'portid="1"><state state="closed"', 1)
    )
    assert before.hosts[0].diff(before.hosts[0]).changed() == set()
    assert before.hosts[0].diff(after.hosts[0]).changed() == {"NmapService::tcp.1"}


def test_a_report_with_control_characters_is_readable_for_libnmap_too() -> None:
    assert as_libnmap(report("arguments")).hosts_total == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "No report data to parse"),
        (report("killed"), "Wrong XML structure"),
        (report("oddities/entities"), "EntitiesForbidden"),
        (report("oddities/script-help"), "libnmap cannot read"),
        (b"<nmaprun><host><ports><port/></ports></host></nmaprun>", "libnmap"),
        (b"<host/>", "libnmap|only a part"),
        (b"<nmaprun>\xff</nmaprun>", "libnmap fails"),
        (report("oddities/missing"), "libnmap"),
    ],
)
def test_what_libnmap_cannot_read_is_refused_with_its_reason(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableReport, match=why):
        as_libnmap(data)


def test_without_defusedxml_no_report_is_handed_to_libnmap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libnmap.parser.ET", ET)  # what libnmap falls back to
    with pytest.raises(ModuleNotFoundError, match=r"without defusedxml; .* pip install 'cascan\[libnmap\]'"):
        as_libnmap(report("hosts"))


def test_without_libnmap_the_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libnmap", None)  # as if it were not installed
    with pytest.raises(ModuleNotFoundError, match=r"python-libnmap is not installed; .* 'cascan\[libnmap\]'"):
        as_libnmap(report("hosts"))


def test_importing_the_module_does_not_import_libnmap() -> None:
    code = "import sys, cascan.nmap.libnmap; sys.exit('libnmap' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
