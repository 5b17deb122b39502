"""`cascan rules test`: what rules would start on findings that are there, and why not more. Starts nothing."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.caps import MICRO, format_dollars
from cascan.cascades.child_documents import build_child_manifest
from cascan.cascades.context import CascadeContext, NewPlaces
from cascan.cascades.decide_children import decide_children
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.inheritance import read_chain
from cascan.cascades.rule import KIND, CascadingRule, read_rule
from cascan.errors import RequestRefused
from cascan.model.cascade import BudgetUse
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan_cli.errors import EXIT_REFUSED, BadInput
from cascan_cli.input.findings_file import read_findings
from cascan_cli.input.manifests import read_manifests
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.rehearsal.read_scan import read_scan
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack
from cascan_cli.stack.permissions import read_permissions

COLUMNS = ("DECISION", "RULE", "FINDINGS", "SCAN", "REASON")
WITHOUT_CASCADES = "the scan has no `cascades`: no rule follows it"
WITH_CASCADES = "; with `cascades: {}` these would:"


def rehearse(args: Namespace) -> int:
    """0, whatever is decided; 2: a rule cannot be read, and the others were looked at without it."""
    from_files = bool(args.scan_file or args.findings)
    if from_files == bool(args.scan) or (from_files and not (args.scan_file and args.findings)):
        raise BadInput("name a scan with --scan, or files with --scan-file and --findings")
    scan, findings, (rules, unreadable), known = _from_files(args) if from_files else _from_stack(args)
    if scan.request and scan.request.cascades is None:
        print_message(WITHOUT_CASCADES + ("" if from_files else WITH_CASCADES))
        scan = scan if from_files else _with_cascades(scan)
    context = CascadeContext(permit=read_permissions(args), **known)
    decisions = [*unreadable, *decide_children(scan, rules, findings, context)]
    if args.json:
        print_json(_told(decisions, scan))
    else:
        _print(decisions)
    for decision in unreadable:
        print_message(f"{decision.rule}: {decision.reason}")
    return EXIT_REFUSED if unreadable else 0


Chosen = tuple[list[CascadingRule], list[Decision]]  # the second: of those that cannot be read
Case = tuple[Scan, Iterable[Finding | dict[str, Any]], Chosen, dict[str, Any]]  # the last: of the Context


def _from_files(args: Namespace) -> Case:
    documents = dict(_documents(args)) if args.file else dict(read_bundled_rules())
    scan, scan_type = read_scan(args.scan_file)
    known = {"scan_type": scan_type, "started_by": _started_by(scan, documents)}
    return scan, read_findings(args.findings), _chosen(args, documents), known


def _from_stack(args: Namespace) -> Case:
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        stored = {rule.name: rule.document for rule in stack.rules.rules()}
        documents = dict(_documents(args)) if args.file else read_bundled_rules() | stored
        root = scan.request.origin.root_scan if scan.request and scan.request.origin else scan.scan_id
        own = list(stack.cascades.cascade_children(scan.scan_id))
        known = {  # as it was before the scan's own children
            "spent": stack.cascades.spent(root) - sum((child.weight for child in own), BudgetUse()),
            "started_by": _started_by(scan, documents),
            "requested": tuple(set(stack.cascades.asked(root)) - {child.asked for child in own}),
            "new_places": NewPlaces.from_changes(
                change for number in range(scan.shards) for change in stack.table.changes(scan.scan_id, number)
            ),
        }
        return scan, list(stack.table.findings(scan.scan_id)), _chosen(args, documents), known


def _started_by(scan: Scan, documents: Mapping[str, dict[str, Any]]) -> CascadingRule | None:
    """The rule that the scan itself came from, if it is among the documents: what that gave it is not inherited."""
    chain = read_chain(scan.request.annotations) if scan.request else []
    try:
        return read_rule(documents[chain[-1]]) if chain and chain[-1] in documents else None
    except RequestRefused:
        return None


def _documents(args: Namespace) -> Iterable[tuple[str, dict[str, Any]]]:
    """The rules in the files, by name; other manifests stand beside them and are passed over."""
    for _, document in read_manifests(args.file):
        if document.get("kind") == KIND:
            metadata = document.get("metadata")
            yield str(metadata.get("name") if isinstance(metadata, dict) else None), document


def _chosen(args: Namespace, documents: Mapping[str, dict[str, Any]]) -> Chosen:
    """Raises: BadInput: no such rule."""
    unknown = sorted(set(args.rules) - documents.keys())
    if unknown:
        raise BadInput(f"no rule {', '.join(unknown)}; there are {', '.join(sorted(documents)) or 'none'}")
    rules: list[CascadingRule] = []
    unreadable: list[Decision] = []
    for name in sorted(args.rules or documents):
        try:
            rules.append(read_rule(documents[name]))
        except RequestRefused as exc:
            unreadable.append(Decision(kind=DecisionKind.FAILED, rule=name, reason=str(exc)))
    return rules, unreadable


def _with_cascades(scan: Scan) -> Scan:
    return structs.replace(scan, request=structs.replace(scan.request, cascades={})) if scan.request else scan


def _told(decisions: Iterable[Decision], scan: Scan) -> dict[str, Any]:
    decisions = list(decisions)
    weight = _weight(decisions)
    return {
        "children": [build_child_manifest(one.child, scan) for one in decisions if one.child],
        "decisions": [
            {
                "decision": one.kind,
                "rule": one.rule,
                "reason": one.reason,
                "cap": one.cap,
                "count": one.count,
                "findings": one.findings,
                "scan": one.child.name if one.child else "",
            }
            for one in decisions
        ],
        "summary": _counts(decisions) | {"probes": weight.probes, "estimatedCostUsd": weight.cost_micro_usd / MICRO},
    }


def _print(decisions: list[Decision]) -> None:
    rows = ((d.kind, d.rule, d.count, d.child.name if d.child else "", _reason(d)) for d in decisions)
    print_table(COLUMNS, rows, drop=("SCAN", "FINDINGS"))
    counts = ", ".join(f"{count} {kind}" for kind, count in _counts(decisions).items()) or "nothing matches"
    print_message(f"{counts}; {format_dollars(_weight(decisions).cost_micro_usd)} by estimate")


def _reason(decision: Decision) -> str:
    if decision.kind is not DecisionKind.START or decision.child is None:
        return decision.reason
    targets = decision.child.targets
    return f"{decision.reason} {' '.join(targets[:3])}{' ...' if len(targets) > 3 else ''}"  # noqa: PLR2004  a glimpse


def _counts(decisions: Iterable[Decision]) -> dict[str, int]:
    """Scans that would start or be requested, and findings that lead to none, by kind."""
    counts: Counter[str] = Counter()
    for decision in decisions:
        counts[decision.kind] += 1 if decision.child else max(decision.count, 1)
    return dict(counts)


def _weight(decisions: Iterable[Decision]) -> BudgetUse:
    return sum((decision.child.weight for decision in decisions if decision.child), BudgetUse())
