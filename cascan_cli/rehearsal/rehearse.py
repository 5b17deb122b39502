"""`cascan rules test`: show which scans rules would start for existing findings."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.permissions import read_permissions

COLUMNS = ("DECISION", "RULE", "FINDINGS", "SCAN", "REASON")
NO_CASCADES = "the scan has no `cascades`: no rule follows it"
WITH_CASCADES = "; with `cascades: {}` these would:"
MAX_TARGETS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Rules:
    readable: list[CascadingRule]
    unreadable: list[Decision]  # one for each rule that cannot be read


@dataclass(frozen=True, slots=True)
class _Case:
    """What the rules are tried on.

    `context`: the fields of CascadeContext besides the permissions.
    """

    scan: Scan
    findings: Iterable[Finding | dict[str, Any]]
    rules: _Rules
    context: dict[str, Any]


def rehearse(args: Namespace) -> int:
    """Exit code 0, whatever is decided; 2 if a rule cannot be read: it is then left out."""
    uses_files = _uses_files(args)
    case = _case_from_files(args) if uses_files else _case_from_stack(args)
    scan = case.scan
    if scan.request and scan.request.cascades is None:
        print_message(NO_CASCADES + ("" if uses_files else WITH_CASCADES))
        if not uses_files:
            scan = _with_cascades(scan)
    decisions = _decide(case, scan, args)
    unreadable = case.rules.unreadable
    if args.json:
        print_json(_to_json(decisions, scan))
    else:
        _print(decisions)
    for decision in unreadable:
        print_message(f"{decision.rule}: {decision.reason}")
    return EXIT_REFUSED if unreadable else 0


def rehearse_on_scan(stack: StackGateways, scan: Scan, names: Sequence[str], args: Namespace) -> list[Decision]:
    """What the rules of these names, or all rules, would do after the scan, as if it had asked for cascades.

    `args`: the options that choose the stack. Raises: BadInput: there is no such rule.
    """
    case = _read_case(stack, scan, _load_documents(stack), names)
    if scan.request and scan.request.cascades is None:
        scan = _with_cascades(scan)
    return _decide(case, scan, args)


def _with_cascades(scan: Scan) -> Scan:
    return structs.replace(scan, request=structs.replace(scan.request, cascades={})) if scan.request else scan


def _decide(case: _Case, scan: Scan, args: Namespace) -> list[Decision]:
    context = CascadeContext(permit=read_permissions(args), **case.context)
    return [*case.rules.unreadable, *decide_children(scan, case.rules.readable, case.findings, context)]


def _load_documents(stack: StackGateways) -> dict[str, dict[str, Any]]:
    """The manifests of the current rules, by name."""
    return dict(read_bundled_rules()) | {rule.name: rule.document for rule in stack.rules.rules()}


def _uses_files(args: Namespace) -> bool:
    """Whether scan and findings come from files.

    Raises: BadInput: the options do not go together.
    """
    has_both_files = bool(args.scan_file and args.findings)
    has_any_file = bool(args.scan_file or args.findings)
    if has_any_file != has_both_files or has_any_file == bool(args.scan):
        raise BadInput("name a scan with --scan, or files with --scan-file and --findings")
    return has_both_files


def _case_from_files(args: Namespace) -> _Case:
    documents = dict(_read_documents(args)) if args.file else dict(read_bundled_rules())
    scan, scan_type = read_scan(args.scan_file)
    context = {"scan_type": scan_type, "started_by": _find_starting_rule(scan, documents)}
    return _Case(scan, read_findings(args.findings), _read_rules(args.rules, documents), context)


def _case_from_stack(args: Namespace) -> _Case:
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        documents = dict(_read_documents(args)) if args.file else _load_documents(stack)
        return _read_case(stack, scan, documents, args.rules)


def _read_case(
    stack: StackGateways, scan: Scan, documents: Mapping[str, dict[str, Any]], names: Sequence[str]
) -> _Case:
    """The scan on the stack, as it was before its cascade started: its own children do not count."""
    root = scan.request.origin.root_scan if scan.request and scan.request.origin else scan.scan_id
    children = list(stack.cascades.cascade_children(scan.scan_id))
    changes = (change for number in range(scan.shards) for change in stack.table.changes(scan.scan_id, number))
    context = {
        "spent": stack.cascades.spent(root) - sum((child.weight for child in children), BudgetUse()),
        "started_by": _find_starting_rule(scan, documents),
        "requested": tuple(set(stack.cascades.asked(root)) - {child.asked for child in children}),
        "new_places": NewPlaces.from_changes(changes),
    }
    findings = list(stack.table.findings(scan.scan_id))
    return _Case(scan, findings, _read_rules(names, documents), context)


def _find_starting_rule(scan: Scan, documents: Mapping[str, dict[str, Any]]) -> CascadingRule | None:
    """The rule that started the scan, if it is known: children do not inherit what it added."""
    chain = read_chain(scan.request.annotations) if scan.request else []
    try:
        return read_rule(documents[chain[-1]]) if chain and chain[-1] in documents else None
    except RequestRefused:
        return None


def _read_documents(args: Namespace) -> Iterable[tuple[str, dict[str, Any]]]:
    """The rules in the files, by name; other manifests in them are ignored."""
    for _, document in read_manifests(args.file):
        if document.get("kind") == KIND:
            metadata = document.get("metadata")
            yield str(metadata.get("name") if isinstance(metadata, dict) else None), document


def _read_rules(names: Sequence[str], documents: Mapping[str, dict[str, Any]]) -> _Rules:
    """The rules of these names; without names, all.

    Raises: BadInput: there is no such rule.
    """
    unknown = sorted(set(names) - documents.keys())
    if unknown:
        raise BadInput(f"no rule {', '.join(unknown)}; there are {', '.join(sorted(documents)) or 'none'}")
    rules: list[CascadingRule] = []
    unreadable: list[Decision] = []
    for name in sorted(names or documents):
        try:
            rules.append(read_rule(documents[name]))
        except RequestRefused as exc:
            unreadable.append(Decision(kind=DecisionKind.FAILED, rule=name, reason=str(exc)))
    return _Rules(rules, unreadable)


def _to_json(decisions: list[Decision], scan: Scan) -> dict[str, Any]:
    weight = _weigh(decisions)
    counts = _count_by_kind(decisions)
    return {
        "children": [build_child_manifest(decision.child, scan) for decision in decisions if decision.child],
        "decisions": [
            {
                "decision": decision.kind,
                "rule": decision.rule,
                "reason": decision.reason,
                "cap": decision.cap,
                "count": decision.count,
                "findings": decision.findings,
                "scan": decision.child.name if decision.child else "",
            }
            for decision in decisions
        ],
        "summary": counts | {"probes": weight.probes, "estimatedCostUsd": weight.cost_micro_usd / MICRO},
    }


def _print(decisions: list[Decision]) -> None:
    rows = ((d.kind, d.rule, d.count, d.child.name if d.child else "", describe_decision(d)) for d in decisions)
    print_table(COLUMNS, rows, drop=("SCAN", "FINDINGS"))
    counts = ", ".join(f"{count} {kind}" for kind, count in _count_by_kind(decisions).items())
    cost = format_dollars(_weigh(decisions).cost_micro_usd)
    print_message(f"{counts or 'nothing matches'}; estimated cost {cost}")


def describe_decision(decision: Decision) -> str:
    if decision.kind is not DecisionKind.START or decision.child is None:
        return decision.reason
    targets = decision.child.targets
    ellipsis = " ..." if len(targets) > MAX_TARGETS_SHOWN else ""
    return f"{decision.reason} {' '.join(targets[:MAX_TARGETS_SHOWN])}{ellipsis}"


def _count_by_kind(decisions: Iterable[Decision]) -> dict[str, int]:
    """By kind of decision: scans that would be requested, and findings that lead to none."""
    counts: Counter[str] = Counter()
    for decision in decisions:
        counts[decision.kind] += 1 if decision.child else max(decision.count, 1)
    return dict(counts)


def _weigh(decisions: Iterable[Decision]) -> BudgetUse:
    """Probes and cost of all scans together."""
    return sum((decision.child.weight for decision in decisions if decision.child), BudgetUse())
