"""`cascan severity apply|show|test`: rules that change the severity of findings."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator

import msgspec

from cascan.clock import to_wire, utc_now
from cascan.errors import RequestRefused
from cascan.findings.to_json import to_json
from cascan.model.finding import Finding, Severity
from cascan.recovery.operator_records import record_severity_rules
from cascan.rules.severity import (
    ACCEPTED,
    SUPPRESSED,
    RuleSet,
    SeverityRule,
    StoredRules,
    to_count_key,
    undo_rules,
)
from cascan.rules.severity_form import read_severity_rules
from cascan_cli.errors import EXIT_REFUSED, BadInput, CliError
from cascan_cli.input.findings_file import read_findings
from cascan_cli.input.rules_file import read_rules_text
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: the rules in the file are invalid, and nothing was changed."""
    if args.action == "show":
        return _show(args)
    text = read_rules_text(args.file)
    try:
        rules = read_severity_rules(text)
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(reason)
        return EXIT_REFUSED
    return _test(rules, args) if args.action == "test" else _apply(text, rules, args)


def _apply(text: str, rules: tuple[SeverityRule, ...], args: Namespace) -> int:
    with open_stack(args) as stack:
        current = stack.table.severity_rules()
        version = current.version + 1 if current else 1
        stored = StoredRules(version=version, applied_at=utc_now(), text=text, rules=rules)
        if not stack.table.put_severity_rules(stored) and stack.table.severity_rules() != stored:
            raise CliError("other rules were applied at the same moment; look at them with `cascan severity show`")
        back_up(record_severity_rules, stack.operator_records, stack.table)
    for rule in rules:
        if rule.accept and rule.accept.until < stored.applied_at.date():
            print_message(f"{rule.name} accepts findings until {rule.accept.until}, which has passed: it has no effect")
    if args.json:
        print_json({"version": version, "rules": len(rules)})
    else:
        print(f"version {version}: {pluralize(len(rules), 'rule')}; they apply to reports that are stored from now on")
    return 0


def _show(args: Namespace) -> int:
    with open_stack(args) as stack:
        stored = stack.table.severity_rules()
    if args.json:
        print_json(stored or {"version": 0, "rules": []})
    elif stored:
        print_message(f"version {stored.version}, applied at {to_wire(stored.applied_at)}")
        sys.stdout.write(stored.text)
    else:
        print_message("there are no severity rules; all findings keep their original severity")
    return 0


def _test(rules: tuple[SeverityRule, ...], args: Namespace) -> int:
    rule_set, matches, kinds = RuleSet(rules), Counter[str](), Counter[str]()
    changed = []
    for original in map(undo_rules, _read_findings(args.findings)):
        judged = rule_set.apply(original)
        kinds[to_count_key(judged)] += 1
        matches.update(judged.attributes.get("severity_rules", ()))
        if judged is not original:
            changed.append((original, judged))
    unused = [rule.name for rule in rules if not matches[rule.name]]
    if args.json:
        findings = [to_json(judged) for _, judged in changed]
        print_json({"findings": findings, "severities": dict(kinds), "unused": unused})
        return 0
    print_table(("WAS", "IS", "NAME", "LOCATION", "RULES", "WHY"), map(_row, changed), drop=("RULES",))
    for name in unused:
        print_message(f"{name} matches none of these findings")
    print_message(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "there are no findings")
    return 0


def _row(change: tuple[Finding, Finding]) -> tuple[object, ...]:
    original, judged = change
    attributes, kind = judged.attributes, to_count_key(judged)
    why = {
        SUPPRESSED: attributes.get("suppressed"),
        ACCEPTED: attributes.get("accepted_reason"),
    }.get(kind)
    if "acceptance_ended" in attributes:
        why = f"accepted until {attributes['acceptance_ended']}, which had passed"
    return (
        original.severity,
        kind,
        judged.name,
        judged.location,
        ", ".join(attributes["severity_rules"]),
        why or "",
    )


def _read_findings(name: str) -> Iterator[Finding]:
    """The findings in the file.

    Fields that only other scanners use are kept. Raises: BadInput: an invalid finding.
    """
    blank = {"fingerprint": "", "parsed_at": utc_now(), "severity": Severity.INFORMATIONAL}
    blank |= dict.fromkeys(("name", "description", "category", "osi_layer", "location"), "")
    for document in read_findings(name):
        fields = {key: value for key, value in document.items() if key in Finding.__struct_fields__}
        others = {key: value for key, value in document.items() if key not in Finding.__struct_fields__}
        values = {key: value for key, value in fields.items() if value is not None}
        try:
            yield msgspec.convert(blank | values | ({"added": others} if others else {}), Finding)
        except msgspec.ValidationError as exc:
            raise BadInput(f"{name}: {document['id']} is not a valid finding: {exc}") from exc
