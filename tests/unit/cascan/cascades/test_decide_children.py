"""Rows C9 to C20: what a child is, and what it has from its parent and its rule."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cascan.cascades.child_documents import build_child_manifest, build_child_name, build_child_request
from cascan.cascades.decision import Child, DecisionKind
from cascan.cascades.scan_proposal import find_host_or_ip
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.manifest import read_manifest
from cascan.model.scan import Scan
from cascan.planning.plan import plan
from tests.support.builders import SCAN_ID
from tests.support.cascading import PERMIT, a_finding, a_parent, a_rule, decide, reasons, started, the_child

SCOPE_ANNOTATION = "scope.cascading.securecodebox.io/domain"


def child_of(rule: dict[str, Any], parent: dict[str, Any] | None = None, **finding: Any) -> Child:
    return the_child(decide(a_rule(**rule), a_finding(**finding), a_parent(**parent or {})))


def elsewhere(parent: Scan, started_by: dict[str, Any] | None = None, **rule: Any) -> dict[str, Any]:
    """The spec of the manifest of a child that another scanner runs."""
    by = a_rule("before", **started_by) if started_by else None
    decisions = decide(a_rule(scanType="nikto", **rule), a_finding(), parent, started_by=by)
    spec: dict[str, Any] = build_child_manifest(the_child(decisions), parent)["spec"]
    return spec


def with_manifest(cascades: dict[str, Any], **spec: Any) -> Scan:
    """A parent that came as a manifest."""
    document = {
        "apiVersion": "execution.securecodebox.io/v1",
        "kind": "Scan",
        "metadata": {"name": "lan"},
        "spec": {"scanType": "nmap", "parameters": ["10.0.0.0/24"], "cascades": cascades, **spec},
    }
    request, _ = read_manifest(document)
    parent = a_parent()
    return type(parent)(**{name: getattr(parent, name) for name in parent.__struct_fields__} | {"request": request})


def test_c9_a_child_says_which_scan_finding_and_rules_it_came_from() -> None:
    parent, finding = a_parent(), a_finding()
    child = the_child(decide(a_rule(), finding, parent))
    assert child.annotations == {
        "securecodebox.io/hook": "cascading-scans",
        "cascading.securecodebox.io/parent-scan": "lan",
        "cascading.securecodebox.io/matched-finding": finding.id,
        "cascading.securecodebox.io/chain": "follow",
    }
    (owner,) = build_child_manifest(child, parent)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Scan", "lan", SCAN_ID)


def test_c9_the_request_names_parent_root_rule_and_hop() -> None:
    parent = a_parent(hop=2)
    request = build_child_request(the_child(decide(a_rule(), a_finding(), parent)), parent, "rootscan", "event")
    assert request.origin is not None
    assert (request.origin.parent_scan, request.origin.root_scan) == (SCAN_ID, "rootscan")
    assert (request.origin.rule, request.origin.hop, request.origin.cause_id) == ("follow", 3, "event")


@pytest.mark.parametrize(
    ("parent", "parent_type", "child_type", "expected"),
    [
        ("lan", "nmap", "nikto", "lan-rule"),
        ("nmap-lan", "nmap", "nikto", "nikto-lan-rule"),
        ("nmap-lan", "nmap-privileged", "nikto", "nmap-lan-rule"),
    ],
)
def test_c10_a_child_is_named_after_its_parent_and_its_rule(
    parent: str, parent_type: str, child_type: str, expected: str
) -> None:
    assert build_child_name(parent, parent_type, child_type, "rule") == expected


def test_c10_a_name_stays_within_its_bounds_and_tells_long_parents_apart() -> None:
    names = {build_child_name("a" * 250 + end, "nmap", "nmap", "rule") for end in ("b", "c")}
    assert len(names) == 2
    assert max(map(len, names)) < 253


def test_c11_scan_type_parameters_environment_labels_and_annotations_are_templates() -> None:
    rule = {
        "scanType": "{{attributes.scanner}}",
        "parameters": ["-p", "{{attributes.port}}"],
        "scanSpec": {
            "env": [{"name": "PORT", "value": "{{attributes.port}}"}, {"name": "SECRET", "valueFrom": {"a": "{{b}}"}}],
            "initContainers": [
                {
                    "name": "{{x}}",
                    "command": ["sh", "-c", "{{name}}"],
                    "env": [{"name": "H", "value": "{{$.hostOrIP}}"}],
                }
            ],
        },
        "scanLabels": {"port": "{{attributes.port}}"},
        "scanAnnotations": {"where": "{{location}}"},
    }
    child = child_of(rule, attributes={"scanner": "nikto"})
    assert (child.scan_type, child.parameters) == ("nikto", ("-p", "443"))
    assert child.carried["env"] == [
        {"name": "PORT", "value": "443"},
        {"name": "SECRET", "valueFrom": {"a": "{{b}}"}},
    ]
    (container,) = child.carried["initContainers"]
    assert container["name"] == "{{x}}"
    assert container["command"] == ["sh", "-c", "Open Port: 443"]
    assert container["env"] == [{"name": "H", "value": "10.0.0.1"}]
    assert child.labels == {"port": "443"}
    assert child.annotations["where"] == "tcp://10.0.0.1:443"


def test_c12_the_parent_scans_fields_are_there_and_do_not_shadow_the_findings() -> None:
    rule = {"scanType": "zap", "parameters": ["{{metadata.name}}", "{{spec.scanType}}", "{{name}}"]}
    assert child_of(rule).parameters == ("lan", "nmap", "Open Port: 443")
    shadowed = a_finding(attributes={"metadata": "mine"})
    assert the_child(decide(a_rule(scanType="zap", parameters=["{{attributes.metadata}}"]), shadowed)).parameters == (
        "mine",
    )


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"hostname": "db.example.org", "ip_addresses": ["10.0.0.1"]}, "db.example.org"),
        ({"hostname": None, "ip_addresses": ["10.0.0.10", "10.0.0.9"]}, "10.0.0.9"),
        ({"ip_addresses": ["2001:db8::1", "10.0.0.9"]}, "10.0.0.9"),
        ({"ip_addresses": ["fd00::10", "fd00::9"]}, "fd00::9"),
        ({"ip_address": "10.0.0.1"}, "10.0.0.1"),
        ({"ip_addresses": []}, ""),
        ({}, ""),
    ],
)
def test_c12_host_or_ip_is_the_name_else_the_lowest_address_by_number(
    attributes: dict[str, Any], expected: str
) -> None:
    assert find_host_or_ip(attributes) == expected


def test_c12_an_empty_target_is_refused() -> None:
    decisions = decide(a_rule(), a_finding(attributes={"ip_addresses": []}))
    assert reasons(decisions, DecisionKind.REFUSED) == ["parameter '{{$.hostOrIP}}': the finding has no $.hostOrIP"]


def test_c12_a_missing_value_never_lets_an_option_swallow_the_next_word() -> None:
    rule = a_rule(parameters=["-p{{attributes.nosuch}}", "--script", "banner", "{{$.hostOrIP}}"])
    assert "the finding has no attributes.nosuch" in reasons(decide(rule, a_finding()), DecisionKind.REFUSED)[0]


def test_c13_nothing_is_escaped_and_each_parameter_stays_one_word() -> None:
    rule = {"scanType": "nikto", "parameters": ["{{attributes.url}}", "{{{attributes.url}}}", "{{&attributes.url}}"]}
    url = "http://10.0.0.1/?a=1&b='x y'"
    assert child_of(rule, attributes={"url": url}).parameters == (url, url, url)


def test_c14_a_finding_leaves_nothing_behind_in_the_rule() -> None:
    rule = a_rule(scanType="nikto", parameters=["{{name}}"], scanSpec={"env": [{"name": "N", "value": "{{name}}"}]})
    findings = [a_finding(name=name) for name in ("one", "two")]
    children = [decision.child for decision in decide(rule, findings) if decision.child]
    assert sorted((child.parameters[0], child.carried["env"][0]["value"]) for child in children) == [
        ("one", "one"),
        ("two", "two"),
    ]
    assert rule.scan_spec.env == ({"name": "N", "value": "{{name}}"},)


def test_c15_labels_and_annotations_are_inherited_by_default() -> None:
    child = child_of({}, {"labels": {"team": "blue"}, "annotations": {"note": "x"}})
    assert child.labels == {"team": "blue"}
    assert child.annotations["note"] == "x"


def test_c15_labels_and_annotations_are_left_out_when_the_scan_says_so() -> None:
    cascades = {"inheritLabels": False, "inheritAnnotations": False}
    child = child_of({}, {"cascades": cascades, "labels": {"team": "blue"}, "annotations": {"note": "x"}})
    assert child.labels == {}
    assert "note" not in child.annotations


OF_KUBERNETES: dict[str, Any] = {
    "env": [{"name": "A", "value": "1"}],
    "volumes": [{"name": "v"}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "initContainers": [{"name": "i"}],
    "hookSelector": {"matchLabels": {"h": "1"}},
    "affinity": {"nodeAffinity": {}},
    "tolerations": [{"key": "t"}],
    "resourceMode": "clusterWide",
}


def test_c15_affinity_and_tolerations_are_inherited_by_default_and_the_rest_is_not() -> None:
    spec = elsewhere(with_manifest({}, **OF_KUBERNETES))
    assert set(spec) - {"scanType", "parameters", "cascades"} == {"affinity", "tolerations", "resourceMode"}


@pytest.mark.parametrize(
    ("option", "fields"),
    [
        ("inheritEnv", {"env"}),
        ("inheritVolumes", {"volumes", "volumeMounts"}),
        ("inheritInitContainers", {"initContainers"}),
        ("inheritHookSelector", {"hookSelector"}),
    ],
)
def test_c15_each_part_is_inherited_when_the_scan_says_so(option: str, fields: set[str]) -> None:
    spec = elsewhere(with_manifest({option: True}, **OF_KUBERNETES))
    assert {name: spec[name] for name in fields} == {name: OF_KUBERNETES[name] for name in fields}


def test_c16_the_rules_entries_win_lists_are_joined_affinity_is_replaced() -> None:
    parent = with_manifest({"inheritEnv": True, "inheritVolumes": True}, **OF_KUBERNETES)
    spec = elsewhere(
        parent,
        scanSpec={
            "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
            "volumes": [{"name": "w"}],
            "affinity": {"podAffinity": {"x": 1}},
            "tolerations": [{"key": "u"}],
        },
    )
    assert spec["env"] == [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    assert spec["volumes"] == [{"name": "v"}, {"name": "w"}]
    assert spec["affinity"] == {"podAffinity": {"x": 1}}
    assert spec["tolerations"] == [{"key": "t"}, {"key": "u"}]


def test_c16_the_rules_labels_and_annotations_win() -> None:
    parent = {"labels": {"team": "blue", "kept": "1"}, "annotations": {"note": "parent"}}
    child = child_of({"scanLabels": {"team": "red"}, "scanAnnotations": {"note": "rule"}}, parent)
    assert child.labels == {"team": "red", "kept": "1"}
    assert child.annotations["note"] == "rule"


def test_c17_what_the_parent_had_from_its_own_rule_is_not_inherited() -> None:
    own = {
        "env": [{"name": "FROM_RULE", "value": "1"}],
        "volumes": [{"name": "rule"}],
        "tolerations": [{"key": "rule"}],
    }
    parent = with_manifest(
        {"inheritEnv": True, "inheritVolumes": True},
        env=[{"name": "A", "value": "1"}, *own["env"]],
        volumes=own["volumes"],
        tolerations=[{"key": "t"}, *own["tolerations"]],
    )
    spec = elsewhere(parent, started_by={"scanSpec": own})
    assert spec["env"] == [{"name": "A", "value": "1"}]
    assert "volumes" not in spec
    assert spec["tolerations"] == [{"key": "t"}]


def test_c17_what_a_template_of_the_rule_gave_the_parent_is_known_by_its_name() -> None:
    rule = {"env": [{"name": "HOST", "value": "{{$.hostOrIP}}"}, {"name": "PLAIN", "value": "1"}]}
    parent = with_manifest(
        {"inheritEnv": True},
        env=[{"name": "HOST", "value": "db.example.org"}, {"name": "PLAIN", "value": "another"}],
    )
    spec = elsewhere(parent, started_by={"scanSpec": rule})
    assert spec["env"] == [{"name": "PLAIN", "value": "another"}]


def test_c16_an_empty_affinity_or_list_of_tolerations_is_not_a_missing_one() -> None:
    parent = with_manifest({}, affinity={"podAffinity": {"x": 1}}, tolerations=[])
    assert elsewhere(parent)["affinity"] == {"podAffinity": {"x": 1}}
    assert elsewhere(parent)["tolerations"] == []
    spec = elsewhere(parent, scanSpec={"affinity": {}, "tolerations": []})
    assert (spec["affinity"], spec["tolerations"]) == ({}, [])
    assert not {"affinity", "tolerations"} & elsewhere(with_manifest({})).keys()


def test_c18_a_child_has_its_parents_cascades_and_resource_mode_and_no_wider_ones() -> None:
    parent = with_manifest({"matchLabels": {}}, resourceMode="clusterWide")
    spec = elsewhere(parent, scanSpec={"cascades": {"matchLabels": {"invasive": "invasive"}}})
    assert spec["cascades"] == {"matchLabels": {}}
    assert spec["resourceMode"] == "clusterWide"
    child = the_child(decide(a_rule(), a_finding(), parent))
    assert build_child_request(child, parent, SCAN_ID, "event").cascades == {"matchLabels": {}}


def test_c19_a_rule_that_sets_the_scope_is_refused_alone() -> None:
    with pytest.raises(RequestRefused, match=r"spec\.scanAnnotations: scope\.cascading.* is not a rule's to set"):
        a_rule(scanAnnotations={SCOPE_ANNOTATION: "example.com"})


def test_c20_the_scope_is_handed_on_unchanged_even_where_annotations_are_not() -> None:
    annotations = {SCOPE_ANNOTATION: "example.org", "note": "x"}
    child = child_of({}, {"cascades": {"inheritAnnotations": False}, "annotations": annotations})
    assert child.annotations[SCOPE_ANNOTATION] == "example.org"
    assert "note" not in child.annotations


def test_a_child_keeps_its_parents_excludes_permission_and_contact() -> None:
    kept: dict[str, Any] = {"exclude": ("10.0.0.13",), "authorization": "CHG-1", "contact": "soc@example.org"}
    parent = a_parent(**kept)
    request = build_child_request(the_child(decide(a_rule(), a_finding(), parent)), parent, SCAN_ID, "event")
    assert {name: getattr(request, name) for name in kept} == kept


def test_an_excluded_host_is_not_followed() -> None:
    decisions = decide(a_rule(), a_finding("10.0.0.13"), a_parent(exclude=("10.0.0.8/29",)))
    assert reasons(decisions, DecisionKind.OUT_OF_SCOPE) == ["10.0.0.13 is excluded by the scan itself"]


def test_a_childs_request_and_manifest_are_read_as_any_other() -> None:
    parent = a_parent(labels={"team": "blue"})
    child = the_child(decide(a_rule(), a_finding(), parent))
    request = build_child_request(child, parent, SCAN_ID, "event")
    assert read_request(msgspec.json.encode(request), is_issued=True).request == request
    again = read_request(json.dumps(build_child_manifest(child, parent)), is_issued=True).request
    assert (again.name, again.parameters, again.labels) == (
        "lan-follow",
        ("-Pn", "-p443", "10.0.0.1"),
        {"team": "blue"},
    )


PORTED: dict[str, Any] = {"parameters": ["-Pn", "[{{$.hostOrIP}}]:{{attributes.port}}"]}


def test_a_rule_may_ask_each_host_the_port_that_was_found_there_in_one_request_for_each_family() -> None:
    found = [
        a_finding("10.0.0.1", 22),
        a_finding("10.0.0.1", 443),
        a_finding("10.0.0.2", 80),
        a_finding("2001:db8::5", 8080),
    ]
    children = started(decide(a_rule(**PORTED), found))
    assert [(child.targets, child.parameters) for child in children] == [
        (("[10.0.0.1]:22", "[10.0.0.1]:443", "[10.0.0.2]:80"), ("-Pn",)),
        (("[2001:db8::5]:8080",), ("-Pn", "-6")),
    ]
    assert [child.weight.probes for child in children] == [3, 1]  # not those of nmap's default ports
    for child in children:
        request = build_child_request(child, a_parent(), "rootscan", "event")
        assert plan(request, PERMIT).probes == child.weight.probes


def test_an_ipv6_address_before_a_port_needs_brackets_since_it_would_be_another_address() -> None:
    rule = a_rule(parameters=["-Pn", "{{$.hostOrIP}}:{{attributes.port}}"])
    decisions = decide(rule, [a_finding("10.0.0.1", 22), a_finding("2001:db8::5", 22)])
    assert [child.targets for child in started(decisions)] == [("10.0.0.1:22",)]
    (reason,) = reasons(decisions, DecisionKind.REFUSED)
    assert "2001:db8::5 is an IPv6 address; put it in brackets before a port" in reason


def test_ports_of_a_target_do_not_hide_an_exclude_or_the_scope() -> None:
    decisions = decide(a_rule(**PORTED), [a_finding("10.0.0.9"), a_finding("8.8.8.8")], a_parent(exclude=("10.0.0.9",)))
    assert not started(decisions)
    assert len(reasons(decisions, DecisionKind.OUT_OF_SCOPE)) == 2
