"""`cascan rules list|show|delete|test`: the cascading rules of a stack."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.pinned_rules import load_current_rules
from cascan.clock import utc_now
from cascan.findings.redact import redact_parameters
from cascan.model.cascade import StoredRule
from cascan.recovery.operator_records import record_rule_deletion
from cascan_cli.errors import BadInput
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = ("RULE", "SOURCE", "LABELS", "SCAN")
LABEL_PREFIX = "securecodebox.io/"


def run(args: Namespace) -> int:
    if args.action == "test":
        # Imports what the other actions do not need.
        from cascan_cli.rehearsal.rehearse import rehearse

        return rehearse(args)
    with open_stack(args) as stack:
        if args.action == "list":
            _list(load_current_rules(stack.rules, read_bundled_rules), stack, args)
        elif args.action == "show":
            _show(_find_rule(args.rule, args.version, stack), as_json=args.json)
        elif not stack.rules.delete_rule(args.rule):
            raise BadInput(f"no rule {args.rule!r} is stored; see cascan rules list")
        else:
            back_up(record_rule_deletion, stack.operator_records, args.rule, utc_now())
            remark = "; the bundled rule is in force again" if args.rule in read_bundled_rules() else ""
            print(f"{args.rule} is deleted{remark}")
    return 0


def _find_rule(name: str, version: int, stack: StackGateways) -> StoredRule:
    rule = stack.rules.rule(name, version) if version else load_current_rules(stack.rules, read_bundled_rules).get(name)
    if rule is None:
        raise BadInput(f"no rule {name!r}{f' has a version {version}' if version else ''}; see cascan rules list")
    return rule


def _list(rules: Mapping[str, StoredRule], stack: StackGateways, args: Namespace) -> None:
    listing = Listing(
        title="cascading rules",
        unit="rule",
        items=[_summary(rule, stack, shows_secrets=not (args.form or args.output)) for rule in rules.values()],
        columns=COLUMNS,
        to_row=_to_row,
        to_json=dict,
        drop=("LABELS", "SOURCE"),
        whole=("RULE",),
    )
    print_listing(listing, args)


def _to_row(summary: Mapping[str, Any]) -> tuple[object, ...]:
    return summary["name"], summary["source"], _format_labels(summary["labels"]), summary["scan"]


def _format_labels(labels: Mapping[str, str]) -> str:
    """Labels such as `invasive=non-invasive`, without their usual prefix."""
    return " ".join(f"{key.removeprefix(LABEL_PREFIX)}={value}" for key, value in labels.items())


def _summary(rule: StoredRule, stack: StackGateways, *, shows_secrets: bool) -> dict[str, Any]:
    spec = rule.document["spec"]["scanSpec"]
    parameters = spec.get("parameters", [])
    bundled = f"bundled, {stack.outputs.get('CascadingRules', 'disabled')}"
    source = f"version {rule.version}" if rule.version else bundled
    return {
        "name": rule.name,
        "version": rule.version,
        "source": source,
        "storedAt": rule.stored_at,
        "labels": rule.document["metadata"].get("labels") or {},
        "scan": " ".join([spec["scanType"], *(parameters if shows_secrets else redact_parameters(parameters))]),
    }


def _show(rule: StoredRule, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rule.document, indent=2))
        return
    import yaml

    print(yaml.safe_dump(rule.document, sort_keys=False), end="")
