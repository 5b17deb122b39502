"""Rows C21 to C33: where a cascade may lead. What cannot be judged leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.cascades.context import CascadeContext
from cascan.cascades.decision import DecisionKind
from cascan.cascades.scope_limiter import ScopeUndecidable, explain_refusal
from cascan.errors import RequestRefused
from cascan.forms.cascades import read_cascades
from cascan.model.request import ScanRequest
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from tests.support.cascading import PERMIT, a_finding, a_parent, a_rule, decide, reasons, started

KEY = "scope.cascading.securecodebox.io/it"
HOSTNAME = "{{attributes.hostname}}"


def requirement(operator: str, *values: str, key: str = KEY) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def in_scope(limiter: dict[str, Any], annotation: str | None = None, **attributes: Any) -> bool:
    """Raises: ScopeUnjudgeable."""
    read = read_cascades({"scopeLimiter": limiter}).scope_limiter
    annotations = {} if annotation is None else {KEY: annotation}
    return explain_refusal(read, annotations, {"attributes": attributes}) is None


def holds(operator: str, annotation: str, *values: str, **attributes: Any) -> bool:
    return in_scope({"allOf": [requirement(operator, *values)]}, annotation, **attributes)


def test_c21_without_a_limiter_the_stacks_own_scope_decides_and_nothing_is_allowed_by_default() -> None:
    inside, outside = a_finding("10.0.0.1"), a_finding("192.0.2.1")
    decisions = decide(a_rule(), [inside, outside])
    assert [child.targets for child in started(decisions)] == [("10.0.0.1",)]
    assert reasons(decisions, DecisionKind.OUT_OF_SCOPE) == ["192.0.2.1 is outside AllowedTargets"]
    assert started(decide(a_rule(), inside, permit=Permissions(Scope.of([])))) == []


@pytest.mark.parametrize(
    ("limiter", "expected"),
    [
        ({}, True),
        ({"allOf": [], "anyOf": [], "noneOf": []}, True),
        ({"allOf": [requirement("In", "a"), requirement("In", "a", "b")]}, True),
        ({"allOf": [requirement("In", "a"), requirement("In", "b")]}, False),
        ({"anyOf": [requirement("In", "b"), requirement("In", "a")]}, True),
        ({"anyOf": [requirement("In", "b"), requirement("In", "c")]}, False),
        ({"noneOf": [requirement("In", "b"), requirement("In", "c")]}, True),
        ({"noneOf": [requirement("In", "b"), requirement("In", "a")]}, False),
        ({"allOf": [requirement("In", "a")], "noneOf": [requirement("In", "a")]}, False),
        ({"allOf": [requirement("In", "a")], "anyOf": [requirement("In", "b")]}, False),
    ],
)
def test_c22_all_any_and_none_are_anded_and_an_empty_list_has_passed(limiter: dict[str, Any], expected: bool) -> None:
    assert in_scope(limiter, "a") is expected


def test_c23_a_key_without_the_scope_prefix_is_an_error() -> None:
    with pytest.raises(RequestRefused, match="'engagement/domains' does not start with"):
        in_scope({"allOf": [requirement("In", "a", key="engagement/domains")]}, "a")


def test_c23_a_missing_annotation_is_an_error_and_leads_nowhere() -> None:
    with pytest.raises(ScopeUndecidable, match="using operator In: the scan has no annotation"):
        in_scope({"allOf": [requirement("In", "a")]})
    parent = a_parent(cascades={"scopeLimiter": {"allOf": [requirement("In", "a")]}})
    decisions = decide(a_rule(), a_finding(), parent)
    assert started(decisions) == []
    assert "the scope cannot be judged" in reasons(decisions, DecisionKind.OUT_OF_SCOPE)[0]


def test_c24_in_and_not_in_look_for_the_annotation_among_the_values() -> None:
    assert holds("In", "b", "a", "b")
    assert not holds("In", "c", "a", "b")
    assert holds("NotIn", "c", "a", "b")
    assert not holds("NotIn", "b", "a", "b")


def test_c25_contains_splits_the_annotation_and_every_value_is_in_it() -> None:
    assert holds("Contains", "a, b ,c", "a", " b")
    assert not holds("Contains", "a,b", "a", "c")
    assert holds("DoesNotContain", "a,b", "a", "c")
    assert not holds("DoesNotContain", "a,b", "a", "b")


@pytest.mark.parametrize(
    ("network", "values", "inside"),
    [
        ("10.0.0.0/16", ("10.0.1.0", "10.0.255.255"), True),
        ("10.0.0.0/16", ("10.0.1.0", "10.1.0.0"), False),
        ("2001:db8::/32", ("2001:db8::1",), True),
        ("2001:db8::/32", ("2001:db9::1",), False),
        ("10.0.0.0/16", ("2001:db8::1",), False),
        ("2001:db8::/32", ("10.0.0.1",), False),
        ("10.0.0.0/16", ("::ffff:10.0.0.1",), True),
        ("10.0.0.1", ("10.0.0.1",), True),
    ],
)
def test_c26_in_cidr_means_every_value_inside_and_the_other_family_is_outside(
    network: str, values: tuple[str, ...], inside: bool
) -> None:
    assert holds("InCIDR", network, *values) is inside


@pytest.mark.parametrize(
    ("network", "value"), [("10.0.0.0/16", "host"), ("nowhere", "10.0.0.1"), ("10.0.0.0/33", "10.0.0.1")]
)
def test_c26_what_is_no_address_is_an_error(network: str, value: str) -> None:
    for operator in ("InCIDR", "NotInCIDR"):
        with pytest.raises(ScopeUndecidable, match=f"using operator {operator}"):
            holds(operator, network, "192.0.2.1", value)


@pytest.mark.parametrize(
    ("values", "expected"), [(("192.0.2.1",), True), (("10.0.0.1",), False), (("10.0.0.1", "192.0.2.1"), False)]
)
def test_c27_not_in_cidr_means_none_inside(values: tuple[str, ...], expected: bool) -> None:
    assert holds("NotInCIDR", "10.0.0.0/8", *values) is expected


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        ("example.com", "example.com", True),
        ("example.com", "a.b.example.com", True),
        ("example.com", "WWW.Example.Com.", True),
        ("example.com", "https://www.example.com/path?x", True),
        ("example.com", "notexample.com", False),
        ("www.example.com", "example.com", False),
        ("example.co.uk", "other.co.uk", False),
        ("corp.internal", "db.corp.internal", True),
    ],
)
def test_c28_subdomain_of_is_inclusive_and_compares_labels_from_the_right(
    domain: str, value: str, expected: bool
) -> None:
    assert holds("SubdomainOf", domain, value) is expected
    assert holds("NotSubdomainOf", domain, value) is not expected


@pytest.mark.parametrize(
    ("domain", "value"), [("com", "example.com"), ("example.com", "10.0.0.1"), ("a..b", "a.b"), ("a.b", "x y.a.b")]
)
def test_c28_an_invalid_domain_is_an_error(domain: str, value: str) -> None:
    for operator in ("SubdomainOf", "NotSubdomainOf"):
        with pytest.raises(ScopeUndecidable, match="domain"):
            holds(operator, domain, value)


def test_c28_not_subdomain_of_means_none_below() -> None:
    assert holds("NotSubdomainOf", "example.com", "a.org", "notexample.com")
    assert not holds("NotSubdomainOf", "example.com", "a.org", "a.example.com")


def test_c26_a_network_is_inside_as_a_whole_or_not_at_all() -> None:
    assert holds("InCIDR", "10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8")
    assert not holds("InCIDR", "10.0.0.0/8", "10.0.0.0/7")
    assert not holds("InCIDR", "10.0.0.0/8", "0.0.0.0/0")
    assert not holds("NotInCIDR", "10.0.0.0/8", "10.0.0.0/7")
    assert holds("InCIDR", "10.0.0.0/8", "::ffff:10.0.0.1")
    assert not holds("InCIDR", "10.0.0.0/8", "::/0")


def test_c29_values_are_templates_and_an_alias_comes_before_the_finding() -> None:
    limiter = {"allOf": [requirement("SubdomainOf", "{{$.domain}}")]}
    read = read_cascades({"scopeLimiter": limiter}).scope_limiter
    finding = {
        "attributes": {"hostname": "www.example.com", "other": "elsewhere.org"},
        "$": {"domain": "elsewhere.org"},
    }
    assert explain_refusal(read, {KEY: "example.com"}, finding) is None
    assert explain_refusal(read, {KEY: "example.com"}, finding, {"domain": "{{attributes.other}}"})
    assert explain_refusal(read, {KEY: "elsewhere.org"}, finding, {}) is None


def test_c29_template_syntax_in_a_finding_is_not_rendered() -> None:
    assert not holds("In", "secret", HOSTNAME, hostname="{{attributes.other}}", other="secret")


def test_c30_as_list_takes_a_whole_list() -> None:
    value = "{{#asList}}attributes.ip_addresses{{/asList}}"
    assert holds("InCIDR", "10.0.0.0/8", value, ip_addresses=["10.0.0.1", "10.0.0.2"])
    assert not holds("InCIDR", "10.0.0.0/8", value, ip_addresses=["10.0.0.1", "192.0.2.1"])


def test_c30_get_values_takes_one_field_of_each_entry() -> None:
    value = "{{#getValues}}attributes.addresses.ip{{/getValues}}"
    assert holds("InCIDR", "10.0.0.0/8", value, addresses=[{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}])
    assert not holds("InCIDR", "10.0.0.0/8", value, addresses=[{"ip": "10.0.0.1"}, {"other": "x"}])


def test_c30_a_list_key_may_stand_in_braces() -> None:
    names, addresses = ["a.example.com", "example.com"], [{"ip": "10.0.0.1"}]
    assert holds("SubdomainOf", "example.com", "{{#asList}}{{attributes.domains}}{{/asList}}", domains=names)
    assert not holds("SubdomainOf", "example.com", "{{#asList}} {{attributes.domains}}{{/asList}}", domains=["b.org"])
    assert holds("InCIDR", "10.0.0.0/8", "{{#getValues}}{{a.addresses.ip}}{{/getValues}}") is False
    value = "{{#getValues}}{{attributes.addresses.ip}}{{/getValues}}"
    assert holds("InCIDR", "10.0.0.0/8", value, addresses=addresses)


@pytest.mark.parametrize("text", ["a.example.com,b.example.com", "a.example.com, b.example.com", "a.example.com,"])
def test_c30_split_cuts_at_commas_and_a_trailing_one_makes_no_entry(text: str) -> None:
    assert holds("SubdomainOf", "example.com", f"{{{{#split}}}}{text}{{{{/split}}}}")
    assert not holds("SubdomainOf", "example.com", f"{{{{#split}}}}{text}, c.example.org{{{{/split}}}}")


def test_c30_split_renders_what_it_holds() -> None:
    value = "{{#split}}{{attributes.hostnames}}{{/split}}"
    assert holds("SubdomainOf", "example.com", value, hostnames=["a.example.com", "b.example.com"])
    sections = "{{#split}}{{#attributes.addresses}}{{domain}},{{/attributes.addresses}}{{/split}}"
    assert not holds("SubdomainOf", "example.com", sections, addresses=[{"domain": "example.com"}, {"domain": "b.org"}])


@pytest.mark.parametrize("value", ["{{#asList}}attributes{{/asList}}", "{{#getValues}}attributes.ip{{/getValues}}"])
def test_c30_a_list_key_that_is_too_short_is_an_error(value: str) -> None:
    with pytest.raises(RequestRefused, match="levels deep"):
        holds("InCIDR", "10.0.0.0/8", value)


@pytest.mark.parametrize("lenient", [False, True])
def test_c31_a_value_that_renders_empty_takes_valid_on_missing_render(lenient: bool) -> None:
    for part in ("allOf", "anyOf"):
        limiter = {part: [requirement("In", HOSTNAME)], "validOnMissingRender": lenient}
        assert in_scope(limiter, "a") is lenient


@pytest.mark.parametrize("lenient", [False, True])
def test_c31_a_value_that_renders_empty_never_passes_in_none_of(lenient: bool) -> None:
    limiter = {"noneOf": [requirement("In", HOSTNAME)], "validOnMissingRender": lenient}
    assert not in_scope(limiter, "a")


@pytest.mark.parametrize(
    "value",
    ["www{{attributes.nosuch}}.example.com", "{{#split}}{{attributes.hostname}},{{attributes.nosuch}}{{/split}}"],
)
def test_c31_half_a_value_is_none(value: str) -> None:
    limiter = {"allOf": [requirement("SubdomainOf", value)]}
    assert not in_scope(limiter, "example.com", hostname="a.example.com")
    assert in_scope(limiter | {"validOnMissingRender": True}, "example.com", hostname="a.example.com")


def test_c31_valid_on_missing_render_may_stand_one_level_above_as_in_the_manual() -> None:
    limiter = {"allOf": [requirement("In", HOSTNAME)]}
    for above, below, expected in (
        (True, {}, True),
        (False, {}, False),
        (True, {"validOnMissingRender": False}, False),
    ):
        cascades = {"validOnMissingRender": above, "scopeLimiter": limiter | below}
        assert (explain_refusal(read_cascades(cascades).scope_limiter, {KEY: "a"}, {}) is None) is expected


@pytest.mark.parametrize("operator", ["In", "NotIn", "Contains", "InCIDR", "NotInCIDR", "SubdomainOf"])
def test_a_requirement_without_values_is_refused_and_not_fulfilled_by_nobody(operator: str) -> None:
    with pytest.raises(RequestRefused, match="values: empty"):
        in_scope({"allOf": [requirement(operator)]}, "10.0.0.0/8")


def test_null_in_cascades_is_what_is_not_there() -> None:
    expression = {"key": "a", "operator": "Exists", "values": None}
    nulls = {"matchLabels": None, "inheritLabels": None, "scopeLimiter": {"allOf": None, "validOnMissingRender": None}}
    assert read_cascades({"matchExpressions": [expression], **nulls}) == read_cascades(
        {"matchExpressions": [{"key": "a", "operator": "Exists"}], "scopeLimiter": {}}
    )


def test_c31_the_default_is_not_to_pass() -> None:
    assert not in_scope({"allOf": [requirement("In", HOSTNAME)]}, "a")


def test_c32_a_refusal_says_what_was_compared_per_finding_and_rule() -> None:
    limiter = {"allOf": [requirement("InCIDR", "{{$.address}}")]}
    parent = a_parent(cascades={"scopeLimiter": limiter}, annotations={KEY: "10.1.0.0/16"})
    decisions = decide([a_rule("one"), a_rule("two")], [a_finding("10.0.0.1"), a_finding("10.1.0.1")], parent)
    assert [child.targets for child in started(decisions)] == [("10.1.0.1",), ("10.1.0.1",)]
    said = f"allOf: {KEY} InCIDR does not hold: '10.1.0.0/16' against '10.0.0.1'"
    assert [(d.rule, d.reason, d.count) for d in decisions if d.kind is DecisionKind.OUT_OF_SCOPE] == [
        ("one", said, 1),
        ("two", said, 1),
    ]


def test_c33_the_first_scan_is_checked_against_the_scope_as_well() -> None:
    with pytest.raises(RequestRefused, match=r"192\.0\.2\.1 is outside AllowedTargets"):
        plan(ScanRequest(targets=("192.0.2.1",), cascades={}), PERMIT)


def test_another_scanners_child_is_about_a_host_in_the_scope_as_well() -> None:
    rule = a_rule(scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"])
    decisions = decide(rule, [a_finding("10.0.0.1"), a_finding("192.0.2.1")])
    assert [decision.kind for decision in decisions] == [DecisionKind.REQUEST, DecisionKind.OUT_OF_SCOPE]


@pytest.mark.parametrize("name", ["10.0.0.0/24", "10.0.0.1-5", "10.0.0.1,2", "example.org/24"])
def test_a_host_cannot_call_itself_many_for_another_scanner_either(name: str) -> None:
    rule = a_rule(scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"])
    (decision,) = decide(rule, a_finding(attributes={"hostname": name}))
    assert (decision.kind, decision.child) == (DecisionKind.REFUSED, None)


def test_another_scanners_host_may_be_a_url() -> None:
    rule = a_rule(scanType="gitleaks", parameters=["-r", "{{attributes.hostname}}"])
    inside = a_finding(attributes={"hostname": "https://git.example.org/a.git"})
    outside = a_finding(attributes={"hostname": "https://192.0.2.1/a.git"})
    decisions = decide(rule, [inside, outside])
    assert [decision.kind for decision in decisions] == [DecisionKind.REQUEST, DecisionKind.OUT_OF_SCOPE]
    assert decisions[0].child
    assert decisions[0].child.parameters == ("-r", "https://git.example.org/a.git")


def test_every_context_has_a_scope() -> None:
    with pytest.raises(TypeError):
        CascadeContext()  # type: ignore[call-arg]
