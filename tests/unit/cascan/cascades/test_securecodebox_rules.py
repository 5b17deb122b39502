"""Rules that were written for secureCodeBox's findings start the scans that they start there."""

from __future__ import annotations

from pathlib import Path

from cascan.cascades.rule import read_rule
from cascan.findings import findings_of
from cascan.forms import read_request
from cascan.forms.documents import read_documents
from cascan.scope import Scope
from cascan.permit import Permit
from tests.builders import NOW, SCAN_ID, a_scan
from tests.cascading import decide, started
from tests.data.reports import hosts

FILES = Path(__file__).parents[3] / "data" / "securecodebox"


def test_c2_a_web_server_inside_tls_is_told_from_one_outside_by_its_tunnel() -> None:
    rules = [read_rule(document) for document in read_documents((FILES / "http-in-tls-rules.yaml").read_text())]
    request = read_request((FILES / "http-in-tls-scan.yaml").read_bytes()).request
    (host,) = hosts("oddities/http-in-tls")
    children = started(
        decide(
            rules,
            list(findings_of(host, SCAN_ID, NOW)),
            a_scan(name=request.name, request=request),
            permit=Permit(Scope.of(["10.50.0.0/16"])),
        )
    )
    assert [(child.key.partition("/")[0], child.parameters[1], child.parameters[3]) for child in children] == [
        ("https-by-tunnel", "-p443", "ssl-cert"),
        ("http-by-tunnel", "-p80", "http-title"),
    ]
