"""An operator's rules on findings: what they say, and what becomes of findings."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan.errors import RequestRefused
from cascan.findings.to_json import to_json
from cascan.limits import MAX_SEVERITY_REASON_CHARS, MAX_SEVERITY_RULES, MAX_SEVERITY_RULES_BYTES
from cascan.model.finding import Finding, Severity
from cascan.rules.severity import Acceptance, Override, RuleSet, SeverityRule, to_count_key, to_rule_set, undo_rules
from cascan.rules.severity_form import read_severity_rules
from tests.support.no_hang import no_hang

TELNET = Finding(
    id="f5c2d7fe-0000-5000-8000-000000000000",
    fingerprint="0" * 32,
    parsed_at=datetime(2026, 6, 15, 23, 59, tzinfo=UTC),
    name="Open Port: 23 (telnet)",
    description="Port 23 is open using tcp protocol.",
    category="Open Port",
    severity=Severity.INFORMATIONAL,
    osi_layer="NETWORK",
    location="tcp://old.example:23",
    attributes={"port": 23, "state": "open", "ip_addresses": ["192.0.2.1"]},
)
# The example of secureCodeBox's finding post-processing hook, word for word in shape: its severity is in small letters.
SECURE_CODE_BOX = """
rules:
  - matches:
      anyOf:
        - category: "Open Port"
          attributes:
            port: 23
            state: open
    override:
      severity: "high"
      description: "Telnet is bad"
"""
OPEN_PORT = {"category": "Open Port"}


def apply_rules(*rules: dict[str, Any], finding: Finding = TELNET) -> Finding:
    return RuleSet(read_severity_rules(msgspec.json.encode({"rules": rules}).decode())).apply(finding)


def rule(pattern: dict[str, Any] | None = None, **does: Any) -> dict[str, Any]:
    return {"matches": {"anyOf": [pattern or OPEN_PORT]}, **does}


def reasons(text: str) -> tuple[str, ...]:
    with pytest.raises(RequestRefused) as refused:
        read_severity_rules(text)
    return refused.value.reasons


def reasons_of(*rules: Any) -> tuple[str, ...]:
    return reasons(msgspec.json.encode({"rules": rules}).decode())


def finding_on_day(day: int) -> Finding:
    return msgspec.structs.replace(TELNET, parsed_at=datetime(2026, 6, day, 23, 59, tzinfo=UTC))


class TestJudging:
    def test_a_rule_file_of_secure_code_box_is_read_as_it_is(self) -> None:
        (telnet,) = read_severity_rules(SECURE_CODE_BOX)
        assert (telnet.name, telnet.override) == (
            "rule 1",
            Override(severity=Severity.HIGH, description="Telnet is bad"),
        )
        finding = RuleSet([telnet]).apply(TELNET)
        assert (finding.severity, finding.description) == ("HIGH", "Telnet is bad")

    def test_the_original_of_what_a_rule_changed_is_kept(self) -> None:
        override = {"severity": "HIGH", "description": "bad", "attributes": {"owner": "net", "state": "OPEN"}}
        finding = apply_rules(rule(name="telnet", override=override))
        assert finding.attributes == {
            "severity_rules": ["telnet"],
            "original_severity": "INFORMATIONAL",
            "original": {"description": TELNET.description, "attributes": {"state": "open"}},
            "port": 23,
            "state": "OPEN",
            "ip_addresses": ["192.0.2.1"],
            "owner": "net",
        }
        assert (finding.id, finding.fingerprint, finding.location) == (TELNET.id, TELNET.fingerprint, TELNET.location)

    def test_c4_an_override_takes_any_field_and_merges_mappings(self) -> None:
        details = {"service_details": {"ostype": "Linux", "extrainfo": "protocol 2.0"}}
        found = msgspec.structs.replace(TELNET, attributes=TELNET.attributes | details)
        override = {
            "severity": "high",
            "location": "telnet://old.example",
            "osi_layer": "APPLICATION",
            "ticket": "123",
            "mitigation": "switch it off",
            "references": [{"type": "CWE", "value": "CWE-319"}],
            "scan": {"namespace": "lan"},
            "attributes": {"service_details": {"ostype": "Solaris"}},
        }
        finding = to_json(
            apply_rules(rule(override=override), finding=found), {"name": "nightly", "namespace": "default"}
        )
        assert {name: finding[name] for name in override if name not in ("attributes", "scan", "severity")} == {
            name: value for name, value in override.items() if name not in ("attributes", "scan", "severity")
        }
        assert finding["scan"] == {"name": "nightly", "namespace": "lan"}
        assert finding["attributes"]["service_details"] == {"ostype": "Solaris", "extrainfo": "protocol 2.0"}
        assert finding["attributes"]["original"]["location"] == TELNET.location

    def test_c4_a_file_of_secure_code_boxs_hook_adds_its_own_field(self) -> None:
        text = (Path(__file__).parents[3] / "data" / "securecodebox" / "severity-ticket.yaml").read_text()
        finding = RuleSet(read_severity_rules(text)).apply(TELNET)
        assert (finding.severity, to_json(finding)["ticket"]) == (Severity.HIGH, "123")
        assert undo_rules(finding) == TELNET

    def test_a_finding_with_added_fields_comes_back_from_the_table_as_it_was(self) -> None:
        finding = apply_rules(rule(override={"ticket": "123"}))
        assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding
        assert b"added" not in msgspec.json.encode(TELNET)

    @pytest.mark.parametrize("name", ["id", "fingerprint", "parsed_at"])
    def test_what_a_finding_is_known_by_is_not_overridden(self, name: str) -> None:
        (reason,) = reasons_of(rule(override={name: "x"}))
        assert reason.startswith(f"rules[0].override.{name} is not a field here; ")

    def test_a_finding_that_no_rule_fits_is_the_same_finding(self) -> None:
        assert apply_rules(rule({"category": "Host"}, suppress="x")) is TELNET
        assert apply_rules(rule({"attributes": {"port": "23"}}, suppress="x")) is TELNET
        assert to_rule_set(None).apply(TELNET) is TELNET

    def test_an_override_that_changes_nothing_says_so_by_its_name_alone(self) -> None:
        finding = apply_rules(rule(name="same", override={"severity": "INFORMATIONAL"}))
        assert finding.attributes == {"severity_rules": ["same"]} | TELNET.attributes

    @pytest.mark.parametrize(
        "pattern",
        [
            {"category": "Open*"},
            {"category": "!Host"},
            {"name": "*telnet*"},
            {"location": "tcp://old.example:*"},
            {"severity": "INFORMATIONAL"},
            {"attributes": {"ip_addresses": ["192.0.2.*"]}},
            {"osi_layer": "NETWORK", "description": "Port 23 *"},
        ],
    )
    def test_a_rule_fits_as_a_cascading_rule_does(self, pattern: dict[str, Any]) -> None:
        assert to_count_key(apply_rules(rule(pattern, suppress="x"))) == "(suppressed)"

    def test_of_two_rules_the_later_wins_and_both_are_named(self) -> None:
        finding = apply_rules(
            rule(name="first", override={"severity": "HIGH", "name": "one"}),
            rule(name="second", override={"severity": "LOW"}),
        )
        assert (finding.severity, finding.name) == ("LOW", "one")
        assert finding.attributes["severity_rules"] == ["first", "second"]
        assert finding.attributes["original_severity"] == "INFORMATIONAL"

    def test_rules_are_compared_with_the_finding_as_it_was_found(self) -> None:
        finding = apply_rules(
            rule(override={"severity": "HIGH", "category": "Telnet"}),
            rule({"severity": "HIGH"}, suppress="never"),
            rule({"category": "Telnet"}, suppress="never"),
        )
        assert (to_count_key(finding), finding.category) == ("HIGH", "Telnet")

    def test_a_suppressed_finding_is_kept_and_counted_apart(self) -> None:
        finding = apply_rules(rule(suppress="a honeypot of ours"))
        assert to_count_key(finding) == "(suppressed)"
        assert (finding.severity, finding.attributes["suppressed"]) == ("INFORMATIONAL", "a honeypot of ours")
        assert finding.attributes["port"] == 23

    @pytest.mark.parametrize(("day", "kind"), [(14, "(accepted)"), (15, "(accepted)"), (16, "INFORMATIONAL")])
    def test_an_accepted_finding_past_its_date_is_back(self, day: int, kind: str) -> None:
        finding = apply_rules(rule(accept={"until": "2026-06-15", "reason": "CHG-1"}), finding=finding_on_day(day))
        assert to_count_key(finding) == kind
        ended = {"acceptance_ended": "2026-06-15"}
        accepted = {"accepted_until": "2026-06-15", "accepted_reason": "CHG-1"}
        assert (ended if day == 16 else accepted).items() <= finding.attributes.items()

    def test_suppressed_wins_over_accepted_and_the_longer_acceptance_over_the_shorter(self) -> None:
        short, long = {"until": "2026-06-01", "reason": "short"}, {"until": "2026-07-01", "reason": "long"}
        assert apply_rules(rule(accept=long), rule(accept=short)).attributes["accepted_reason"] == "long"
        both = apply_rules(rule(suppress="x"), rule(accept=long))
        assert (to_count_key(both), "accepted_until" in both.attributes) == ("(suppressed)", False)

    def test_a_judged_finding_can_be_judged_anew(self) -> None:
        override = {"severity": "HIGH", "name": "n", "category": "c", "attributes": {"state": "x"}}
        first = apply_rules(rule(override=override), rule(accept={"until": "2026-07-01", "reason": "x"}))
        assert undo_rules(first) == TELNET
        assert undo_rules(TELNET) is TELNET
        again = msgspec.json.decode(msgspec.json.encode(first), type=Finding)
        assert undo_rules(again) == TELNET

    def test_what_a_rule_says_comes_first_so_that_a_finding_that_is_cut_keeps_it(self) -> None:
        assert list(apply_rules(rule(suppress="x")).attributes)[:2] == ["severity_rules", "suppressed"]

    def test_a_thousand_findings_by_a_hundred_rules_come_to_an_end(self) -> None:
        rules = [
            SeverityRule(name=str(n), any_of=({"category": f"C{n}", "name": "*x*"}, {"attributes": {"port": n}}))
            for n in range(100)
        ]
        rule_set = RuleSet(rules)
        with no_hang():
            assert all(rule_set.apply(TELNET).attributes["severity_rules"] == ["23"] for _ in range(1_000))


class TestReading:
    def test_every_form_of_a_rule_is_read(self) -> None:
        one, two = read_severity_rules(
            "rules:\n"
            "  - {name: a, matches: {anyOf: [{name: x}]}, accept: {until: 2027-03-31, reason: ' why '}}\n"
            "  - {matches: {anyOf: [{name: x}, {name: y}]}, suppress: noise, override: {severity: low}}\n"
        )
        assert one.accept == Acceptance(date(2027, 3, 31), "why")
        assert (two.name, two.suppress, len(two.any_of)) == ("rule 2", "noise", 2)
        assert two.override == Override(severity=Severity.LOW)

    def test_a_file_without_rules_takes_all_of_them_away(self) -> None:
        assert read_severity_rules("rules: []") == ()

    def test_all_problems_are_reported_at_once_with_their_paths(self) -> None:
        assert reasons_of(
            {"matches": {"anyOf": [{"categroy": "Host"}, {}]}, "override": {"severity": "critical"}},
            {"matches": {"anyOf": []}, "accept": {"until": "tomorrow", "reason": " "}, "suppress": "x"},
            {"matches": {"allOf": []}},
            {"name": "x", "matches": {"anyOf": [OPEN_PORT]}, "overide": {}},
        ) == (
            "rules[0].matches.anyOf[0].categroy is not a field here; did you mean category?",
            "rules[0].matches.anyOf[1] would match every finding; name at least one field",
            "rules[0].override.severity: 'critical' is none of INFORMATIONAL, LOW, MEDIUM, HIGH",
            "rules[1].matches.anyOf has 0 entries; it takes 1 to 100",
            "rules[1].accept.reason has no reason",
            "rules[1].accept.until: 'tomorrow' is not a date; write 2027-03-31",
            "rules[1] has both suppress and accept; use one of them",
            "rules[2].matches.allOf is not a field here; did you mean anyOf?",
            "rules[2].matches.anyOf is missing",
            "rules[2] has no effect: give it override, suppress or accept",
            "rules[3].overide is not a field here; did you mean override?",
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "the file is empty"),
            ("- x", 'the file is not a mapping of fields, as in {"rules": []}'),
            ("rules: [", "the file is not YAML that can be read"),
            ("{", "the file is not JSON"),
            ("rulez: []", "rulez is not a field here; did you mean rules?"),
            ("rules: {}", "rules: expected array, got object"),
            ("rules: [x]", "rules[0]: expected object, got str"),
            ("x: " + "a" * MAX_SEVERITY_RULES_BYTES, "more than 131072"),
        ],
    )
    def test_a_file_without_valid_rules_is_refused_with_the_reason(self, text: str, reason: str) -> None:
        assert any(reason in told for told in reasons(text)), reasons(text)

    def test_a_duplicate_name_is_refused(self) -> None:
        assert reasons_of(rule(name="a", suppress="x"), rule(name="a", suppress="y")) == ("rules: duplicate name 'a'",)

    def test_an_override_must_not_be_empty_or_use_a_reserved_name(self) -> None:
        assert reasons_of(rule(override={})) == ("rules[0].override is empty",)
        assert reasons_of(rule(override={"attributes": {"suppressed": "x"}})) == (
            "rules[0].override.attributes.suppressed is reserved for cascan",
        )

    def test_there_are_bounds_to_rules_and_to_reasons(self) -> None:
        many = [rule(suppress="x")] * (MAX_SEVERITY_RULES + 1)
        assert reasons_of(*many) == (f"the file has {MAX_SEVERITY_RULES + 1} rules, more than {MAX_SEVERITY_RULES}",)
        long = "x" * (MAX_SEVERITY_REASON_CHARS + 1)
        assert reasons_of(rule(suppress=long)) == ("rules[0].suppress has 1025 characters, more than 1024",)
