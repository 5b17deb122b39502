"""A bundled rule that follows a service follows it wherever it listens: its scripts run there too.

nmap's scripts go by port numbers, or by what version detection says; a port alone says nothing of 45123.
"""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO

import pytest

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.rule import read_rule
from cascan.findings import build_findings
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.report.read import read_report
from cascan.permissions.permissions import Permissions
from tests.support.builders import NOW, SCAN_ID
from tests.support.cascading import PERMIT, a_finding, decide, the_child

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed"),
]


@pytest.mark.parametrize(
    ("rule", "server", "attributes", "script"),
    [
        ("nmap-http", "http", {"service": "http"}, "http-title"),
        ("nmap-http", "https", {"service": "http", "tunnel": "ssl"}, "http-title"),
        ("nmap-ftp-anonymous", "ftp", {"service": "ftp"}, "ftp-anon"),
        ("nmap-tls-certificate", "https", {"service": "http", "tunnel": "ssl"}, "ssl-cert"),
        ("nmap-tls-ciphers", "https", {"service": "http", "tunnel": "ssl"}, "ssl-enum-ciphers"),
    ],
)
def test_scripts_of_a_bundled_rule_run_at_a_service_on_an_unusual_port(
    lab: dict[str, int], rule: str, server: str, attributes: dict[str, str], script: str
) -> None:
    port = lab[server]
    found = a_finding("127.0.0.1", port, attributes=attributes)
    decisions = decide(
        read_rule(read_bundled_rules()[rule]), found, permit=Permissions(PERMIT.scope, PolicyProfile.INTRUSIVE)
    )
    child = the_child(decisions)
    argv = ["nmap", *child.parameters, "-oX", "-", *child.targets]
    report = subprocess.run(argv, capture_output=True, check=True, timeout=250).stdout
    (host,) = read_report(BytesIO(report))
    (open_port,) = [one for one in build_findings(host, SCAN_ID, NOW) if one.category == "Open Port"]
    assert open_port.attributes["port"] == port
    assert script in open_port.attributes["scripts"]
