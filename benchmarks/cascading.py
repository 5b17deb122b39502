"""Cascades: match 10,000 findings with 20 rules, in one process on one core. No network.

The findings are those of 1,250 hosts with eight open ports. Every rule matches some of them, four
by an expression.
"""

from __future__ import annotations

import os
import statistics
from ipaddress import ip_address

from cascan.cascades.context import CascadeContext
from cascan.cascades.decide_children import decide_children
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.rule import API_VERSION, KIND, CascadingRule, read_rule
from cascan.clock import utc_now
from cascan.ids import derive_finding_id, derive_fingerprint, derive_scan_id
from cascan.model.finding import Finding, Severity
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope

ROUNDS, AIM_S = 7, 2.0
SERVICES = {
    22: "ssh",
    25: "smtp",
    80: "http",
    443: "https",
    445: "microsoft-ds",
    3306: "mysql",
    3389: "rdp",
    8080: "http",
}
HOSTS = 1_250
SCAN_ID = derive_scan_id("benchmark")


def main() -> None:
    findings, rules = list(map(finding, range(HOSTS * len(SERVICES)))), [rule(number) for number in range(20)]
    scan = Scan(
        scan_id=SCAN_ID,
        name="lan",
        state=ScanState.HOOK_PROCESSING,
        requested_at=utc_now(),
        cause_id="",
        request=ScanRequest(name="lan", targets=("10.0.0.0/8",), cascades={}),
    )
    context = CascadeContext(permit=Permissions(Scope.of(["10.0.0.0/8"])))
    decide(scan, rules, findings, context)
    seconds = []
    for _ in range(ROUNDS):
        started = processor_time()
        decisions = decide(scan, rules, findings, context)
        seconds.append(processor_time() - started)
    children = [decision.child for decision in decisions if decision.kind is DecisionKind.START and decision.child]
    print(f"{len(findings):,} findings, {len(rules)} rules: median of {ROUNDS}, one core")
    print(f"  {statistics.median(seconds):6.2f} s; aim {AIM_S}")
    matches = sum(decision.count for decision in decisions)
    print(f"  {matches:,} matches → {len(children)} requests for {sum(len(c.targets) for c in children):,} targets")


def processor_time() -> float:
    """Of this process, and of its children that evaluated expressions."""
    return sum(os.times()[:4])


def decide(scan: Scan, rules: list[CascadingRule], findings: list[Finding], context: CascadeContext) -> list[Decision]:
    return list(decide_children(scan, rules, findings, context))


def finding(number: int) -> Finding:
    host, kind = divmod(number, len(SERVICES))
    port, service = list(SERVICES.items())[kind]
    address = str(ip_address("10.0.0.1") + host)
    fingerprint = derive_fingerprint("Open Port", address, "tcp", str(port))
    return Finding(
        id=derive_finding_id(SCAN_ID, fingerprint),
        fingerprint=fingerprint,
        parsed_at=utc_now(),
        name=f"Open Port: {port} ({service})",
        description=f"Port {port} is open using tcp protocol.",
        category="Open Port",
        severity=Severity.INFORMATIONAL,
        osi_layer="NETWORK",
        location=f"tcp://{address}:{port}",
        attributes={
            "ip_addresses": [address],
            "mac_address": None,
            "hostname": None,
            "hostnames": [],
            "operating_system": None,
            "port": port,
            "state": "open",
            "protocol": "tcp",
            "method": "probed",
            "service": service,
            "serviceProduct": "Product",
            "serviceVersion": "1.2.3",
            "tunnel": "none",
            "cpe": [f"cpe:/a:vendor:product:{port}"],
            "reason": "syn-ack",
            "reason_ttl": 64,
            "reason_ip": None,
            "confidence": 10,
            "service_details": None,
            "scripts": {"banner": "220 ready"},
            "scripts_data": None,
        },
    )


def rule(number: int) -> CascadingRule:
    port, service = list(SERVICES.items())[number % len(SERVICES)]
    kinds = (
        {"anyOf": [{"category": "Open Port", "attributes": {"port": port, "state": "open"}}]},
        {"anyOf": [{"category": "Open Port", "attributes": {"service": f"{service}*", "state": "open"}}]},
        {"anyOf": [{"name": "Host*"}, {"category": "Open Port", "attributes": {"service": service}}]},
        {"anyOf": [{"category": "Open Port", "severity": "HIGH"}, {"category": "Host"}]},
        {"expression": f'finding.attributes.port == {port} && finding.attributes.service.matches("^[a-z-]+$")'},
    )
    return read_rule(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": f"rule-{number}"},
            "spec": {
                "matches": kinds[number % len(kinds)],
                "scanSpec": {
                    "scanType": "nmap",
                    "parameters": ["-Pn", "-p{{attributes.port}}", "--script", "banner", "{{$.hostOrIP}}"],
                },
            },
        }
    )


if __name__ == "__main__":
    main()
