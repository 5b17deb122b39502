"""Rules, findings and scans for tests of cascades: plain ones, of which a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cascan.cascades.context import CascadeContext
from cascan.cascades.decide_children import decide_children
from cascan.cascades.decision import Child, Decision, DecisionKind
from cascan.cascades.rule import API_VERSION, KIND, CascadingRule, read_rule
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding, Severity
from cascan.model.scan import Scan
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan

PERMIT = Permissions(Scope.of(["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32", "example.org"]))
OPEN_PORT = {"category": "Open Port", "attributes": {"state": "open"}}


def rule_document(name: str = "follow", **spec: Any) -> dict[str, Any]:
    """A CascadingRule manifest; `labels` are its own, `scanType` and `parameters` its scanSpec's."""
    scan_spec = {
        "scanType": spec.pop("scanType", "nmap"),
        "parameters": spec.pop("parameters", ["-Pn", "-p{{attributes.port}}", "{{$.hostOrIP}}"]),
    } | spec.pop("scanSpec", {})
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "labels": spec.pop("labels", {})},
        "spec": {"matches": spec.pop("matches", {"anyOf": [OPEN_PORT]}), "scanSpec": scan_spec, **spec},
    }


def a_rule(name: str = "follow", **spec: Any) -> CascadingRule:
    return read_rule(rule_document(name, **spec))


def a_finding(address: str = "10.0.0.1", port: int = 443, *, scan_id: str = SCAN_ID, **fields: Any) -> Finding:
    """An open port; `attributes` are added to those it has."""
    fingerprint = derive_fingerprint("Open Port", address, "tcp", str(port), repr(fields))
    attributes = {"port": port, "state": "open", "protocol": "tcp", "ip_addresses": [address], "hostname": None}
    plain: dict[str, Any] = {
        "id": derive_finding_id(scan_id, fingerprint),
        "fingerprint": fingerprint,
        "parsed_at": NOW,
        "name": f"Open Port: {port}",
        "description": f"Port {port} is open using tcp protocol.",
        "category": "Open Port",
        "severity": Severity.INFORMATIONAL,
        "osi_layer": "NETWORK",
        "location": f"tcp://{address}:{port}",
    }
    return Finding(**plain | fields | {"attributes": attributes | fields.get("attributes", {})})


def a_parent(*, cascades: dict[str, Any] | None = None, hop: int = 0, **request: Any) -> Scan:
    return a_scan(hop=hop, request=a_request(cascades={} if cascades is None else cascades, **request))


def decide(
    rules: Iterable[CascadingRule] | CascadingRule,
    findings: Iterable[Finding] | Finding,
    parent: Scan | None = None,
    **context: Any,
) -> list[Decision]:
    rules = [rules] if isinstance(rules, CascadingRule) else rules
    findings = [findings] if isinstance(findings, Finding) else findings
    return list(decide_children(parent or a_parent(), rules, findings, CascadeContext(**{"permit": PERMIT} | context)))


def started(decisions: Iterable[Decision]) -> list[Child]:
    return [decision.child for decision in decisions if decision.child and decision.kind is DecisionKind.START]


def the_child(decisions: Iterable[Decision]) -> Child:
    (child,) = [decision.child for decision in decisions if decision.child]
    return child


def reasons(decisions: Iterable[Decision], kind: DecisionKind) -> list[str]:
    return [decision.reason for decision in decisions if decision.kind is kind]
