"""Rules that were written for secureCodeBox's findings start the scans that they start there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascan.cascades.child_documents import build_child_manifest, build_child_request
from cascan.cascades.decision import DecisionKind
from cascan.cascades.rule import read_rule
from cascan.clock import to_wire
from cascan.errors import RequestRefused
from cascan.findings import build_findings
from cascan.forms import read_request
from cascan.forms.cascades import find_scope_notes, read_cascades
from cascan.forms.documents import read_documents
from cascan.model.scan import Scan
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from tests.data.reports import hosts
from tests.support.builders import NOW, SCAN_ID, a_scan
from tests.support.cascading import a_finding, a_parent, a_rule, decide, reasons, started, the_child

ANNOTATIONS = {"scope.cascading.securecodebox.io/nets": "10.0.0.0/8, 2001:db8::/32"}
REQUIREMENT = {"key": next(iter(ANNOTATIONS)), "operator": "In", "values": ["{{$.ip}}"]}
FILES = Path(__file__).parents[3] / "data" / "securecodebox"


def test_c2_a_web_server_inside_tls_is_told_from_one_outside_by_its_tunnel() -> None:
    rules = [read_rule(document) for document in read_documents((FILES / "http-in-tls-rules.yaml").read_text())]
    request = read_request((FILES / "http-in-tls-scan.yaml").read_bytes()).request
    (host,) = hosts("oddities/http-in-tls")
    children = started(
        decide(
            rules,
            list(build_findings(host, SCAN_ID, NOW)),
            a_scan(name=request.name, request=request),
            permit=Permissions(Scope.of(["10.50.0.0/16"])),
        )
    )
    assert [(child.key.partition("/")[0], child.parameters[1], child.parameters[3]) for child in children] == [
        ("https-by-tunnel", "-p443", "ssl-cert"),
        ("http-by-tunnel", "-p80", "http-title"),
    ]


def test_c1_a_rule_may_have_its_scans_created_suspended() -> None:
    (document,) = read_documents((FILES / "rule-scanspec-suspend.yaml").read_text())
    document["spec"] |= {"matches": {"anyOf": [{"category": "Open Port"}]}}
    for suspend in (False, True):
        document["spec"]["scanSpec"]["suspend"] = suspend
        child = the_child(decide(read_rule(document), a_finding()))
        assert build_child_request(child, a_parent(), SCAN_ID, "").suspend is suspend
        assert build_child_manifest(child, a_parent())["spec"].get("suspend", False) is suspend


def limited(operator: str, value: str, aliases: dict[str, str] | None = None) -> Scan:
    requirement = {"key": next(iter(ANNOTATIONS)), "operator": operator, "values": [value]}
    cascades = {"scopeLimiter": {"allOf": [requirement]}, "scopeLimiterAliases": aliases or {}}
    return a_parent(cascades=cascades, annotations=ANNOTATIONS)


@pytest.mark.parametrize(
    ("addresses", "operator", "is_followed"),
    [
        (["10.0.0.1", "2001:db8::1"], "InCIDR", True),
        (["2001:db8::1"], "InCIDR", True),
        (["10.0.0.1", "2001:db9::1"], "InCIDR", False),
        (["192.0.2.1"], "NotInCIDR", True),
        (["192.0.2.1", "2001:db8::1"], "NotInCIDR", False),
    ],
)
def test_c5_a_scope_may_have_networks_of_both_families(addresses: list[str], operator: str, is_followed: bool) -> None:
    found = a_finding(attributes={"ip_addresses": addresses, "hostname": "host.example.org"})
    parent = limited(operator, "{{#asList}}attributes.ip_addresses{{/asList}}")
    decisions = decide(a_rule(), found, parent)
    assert bool(started(decisions)) is is_followed, reasons(decisions, DecisionKind.OUT_OF_SCOPE)


@pytest.mark.parametrize("value", ["{{$.own}}", "{{#split}}{{$.own}},{{$.own}}{{/split}}", "{{$.own}}/32"])
def test_c5_a_scope_limiter_takes_aliases_of_its_own(value: str) -> None:
    parent = limited("InCIDR", value, {"own": "{{attributes.ip_addresses.0}}"})
    assert started(decide(a_rule(), [a_finding("10.0.0.1")], parent))
    assert not started(decide(a_rule(), [a_finding("127.0.0.1")], parent))


def test_c5_a_name_that_never_renders_is_told_when_the_request_is_read() -> None:
    (note,) = find_scope_notes({"scopeLimiter": {"noneOf": [{**REQUIREMENT, "values": ["a{{$.ip}}", "{{$.domain}}"]}]}})
    assert note.startswith("cascades.scopeLimiter.noneOf[0].values: {{$.ip}} never renders to anything: of $ there are")
    assert not list(find_scope_notes({"scopeLimiter": {"allOf": [REQUIREMENT]}, "scopeLimiterAliases": {"ip": "x"}}))
    (rule_note,) = a_rule(parameters=["{{$.hostOrIP}}", "{{#a}}{{$.ip}}{{/a}}"]).notes
    assert rule_note.startswith("spec.scanSpec.parameters[1]: {{$.ip}} never renders to anything")


@pytest.mark.parametrize("text", ["{{#open}}", "{{#asList}}{{/asList}}", 7])
def test_c5_an_alias_that_cannot_be_read_is_refused_by_its_path(text: Any) -> None:
    with pytest.raises(RequestRefused, match=r"cascades.scopeLimiterAliases"):
        read_cascades({"scopeLimiterAliases": {"ip": text}})


def test_c3_templates_and_expressions_name_the_scan_that_a_finding_is_of() -> None:
    words = ["--script-args", "{{scan.name}},{{scan.scan_type}},{{scan.namespace}}", "{{scan.created_at}}"]
    elsewhere = a_rule(scanType="nuclei", parameters=words)
    child = the_child(decide(elsewhere, a_finding()))
    assert child.parameters[1:] == ("lan,nmap,default", to_wire(NOW))
    for name, is_followed in (("lan", True), ("wan", False)):
        rule = a_rule(matches={"expression": f'finding.scan.name == "{name}" && finding.scan.scan_type == "nmap"'})
        assert bool(started(decide(rule, a_finding()))) is is_followed
