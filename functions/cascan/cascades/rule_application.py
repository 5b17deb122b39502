"""One rule applied to the findings of a scan: what it proposes, what is refused, and the decisions
that follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cascan.cascades.argument_positions import ArgumentPositions, find_argument_positions
from cascan.cascades.child_documents import build_child_name, build_child_request
from cascan.cascades.context import FindingView, ParentScan
from cascan.cascades.decision import Child, Decision, DecisionKind
from cascan.cascades.inheritance import (
    COUNT,
    FINDING,
    inherit_annotations,
    inherit_carried,
    inherit_labels,
)
from cascan.cascades.matcher import compile_matcher
from cascan.cascades.proposal_merger import (
    ChildRequest,
    MatchedFindings,
    ProposalMerger,
    compute_digest,
)
from cascan.cascades.rule import CascadingRule
from cascan.cascades.scan_proposal import (
    NMAP_SCAN_TYPES,
    NoProposal,
    ProposalRenderer,
    ScanProposal,
    extract_host,
)
from cascan.errors import CascanError, RequestRefused
from cascan.limits import MAX_DECISIONS_KEPT, MAX_PROPOSALS
from cascan.model.cascade import BudgetUse, ChildIdentity
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.nmap.targets.own_ports import parse_own_ports, split_ports
from cascan.planning.plan import plan

AND_OTHERS = "as others of this rule, of which there are too many to tell apart"


class RuleApplication:
    """One rule, applied to one finding after another."""

    def __init__(self, rule: CascadingRule, parent: ParentScan) -> None:
        self.rule, self.parent = rule, parent
        self.matches = compile_matcher(rule.matches)
        self.renderer = ProposalRenderer(rule)
        self.requested = parent.context.find_requested(rule.name)
        self.merger = ProposalMerger(self.requested)
        self.for_others: dict[ScanProposal, MatchedFindings] = {}  # scans by other scanners
        self.refused: dict[tuple[DecisionKind, str], MatchedFindings] = {}
        self.unchanged = MatchedFindings()
        self.positions: dict[tuple[str | None, ...], ArgumentPositions] = {}
        self.failure = ""

    def apply(self, finding: FindingView) -> None:
        """Follow the finding if it matches; the rule has no expression."""
        if not self.failure and self.matches(finding.json):
            self.follow(finding)

    def apply_answer(self, finding: FindingView, answer: bool | str) -> None:
        """Follow the finding, which matches, if the expression is true for it.

        `answer`: a text says why the expression has no answer. Only this finding is skipped then,
        so that no scanned host can keep a rule from the findings of others.
        """
        if isinstance(answer, str):
            self._refuse(DecisionKind.FAILED, answer, finding.id)
        elif answer and not self.failure:
            self.follow(finding)

    def follow(self, finding: FindingView) -> None:
        """Propose a scan for a finding that matches. An error becomes the failure of this rule."""
        try:
            self._follow(finding)
        except CascanError as exc:
            self.failure = str(exc)

    def _follow(self, finding: FindingView) -> None:
        new_places = self.parent.context.new_places if self.rule.only_new_or_changed else None
        if new_places is not None and not new_places.includes(finding.json):
            self.unchanged.add(finding.id)
            return
        if reason := finding.out_of_scope:
            self._refuse(DecisionKind.OUT_OF_SCOPE, reason, finding.id)
            return
        try:
            proposal = self.renderer.render(finding.data)
        except NoProposal as exc:
            self._refuse(DecisionKind.REFUSED, str(exc), finding.id)
            return
        if proposal.scan_type in NMAP_SCAN_TYPES:
            self._propose(proposal, finding.id)
        else:
            self._propose_to_others(proposal, finding.id, finding.data["$"]["hostOrIP"])

    def _propose(self, proposal: ScanProposal, finding_id: str) -> None:
        positions = self._find_positions(proposal.arguments)
        if not positions.targets:
            self._refuse(DecisionKind.REFUSED, "the rule's parameters name no target", finding_id)
        for position in positions.targets:
            target = proposal.arguments[position]
            problem = self.parent.find_problem(target)
            if problem:
                self._refuse(*problem, finding_id)
            else:
                self.merger.add(proposal, positions, target, finding_id)

    def _propose_to_others(self, proposal: ScanProposal, finding_id: str, host_or_url: str) -> None:
        """What the arguments of another scanner mean is unknown here, so the finding's own host has
        to be in scope.
        """
        host = extract_host(host_or_url)
        problem = self.parent.find_problem(host) if host else None
        if host and not problem and self.parent.addresses[host] != 1:
            reason = f"{host[:60]!r} would be more than the one host that was found"
            problem = DecisionKind.REFUSED, reason
        if problem:
            self._refuse(*problem, finding_id)
            return
        if _digest(proposal) in self.requested:
            self.merger.duplicates.add(finding_id)
            return
        if proposal in self.for_others:
            self.merger.duplicates.add(finding_id)
        elif len(self.for_others) >= MAX_PROPOSALS:
            reason = f"the rule asks for more than {MAX_PROPOSALS} different scans"
            self._refuse(DecisionKind.REFUSED, reason, finding_id)
            return
        self.for_others.setdefault(proposal, MatchedFindings()).add(finding_id)

    def _refuse(self, kind: DecisionKind, reason: str, finding_id: str) -> None:
        if (kind, reason) not in self.refused and len(self.refused) >= MAX_DECISIONS_KEPT:
            reason = AND_OTHERS
        self.refused.setdefault((kind, reason), MatchedFindings()).add(finding_id)

    def _find_positions(self, arguments: tuple[str, ...]) -> ArgumentPositions:
        """Found once for all findings that give the same options.

        A parameter that is one variable never renders to an option, so its value does not matter
        for positions.
        """
        shape = tuple(
            None if template.is_one_value else argument
            for template, argument in zip(self.renderer.parameters, arguments, strict=True)
        )
        if shape not in self.positions:
            self.positions[shape] = find_argument_positions(arguments)
        return self.positions[shape]

    def decisions(self) -> Iterator[Decision]:
        """All decisions of the rule, once every finding was seen."""
        if self.failure:
            yield Decision(kind=DecisionKind.FAILED, rule=self.rule.name, reason=self.failure)
            return
        for request in self.merger.requests():
            yield from self._start(request)
        for_others = sorted(self.for_others.items(), key=lambda item: repr(item[0].values))
        for proposal, findings in for_others:
            reason = f"{proposal.scan_type} is another scanner's: CascadeRequested says what to run"
            identity = ChildIdentity(self.rule.name, _digest(proposal), (), ("",))
            child = self._build_child(proposal, proposal.arguments, (), findings, identity)
            yield self._decision(DecisionKind.REQUEST, reason, findings, child=child)
        duplicates = self.merger.duplicates
        if duplicates.count:
            source = "a finding or a scan of this cascade"
            reason = f"the same scan of the same target is asked for already, by {source}"
            yield self._decision(DecisionKind.DUPLICATE, reason, duplicates)
        if self.unchanged.count:
            reason = "neither new nor changed, which the rule asks for"
            yield self._decision(DecisionKind.UNCHANGED, reason, self.unchanged)
        for (kind, reason), findings in self.refused.items():
            yield self._decision(kind, reason, findings)

    def _start(self, request: ChildRequest) -> Iterator[Decision]:
        """A decision for each child of the request.

        Targets were checked one by one; the rest of the request is checked by planning it with the
        targets that ask the most ports. A request that is large beside the root scan's budget is split, so that the
        parts that fit are started.
        """
        parent, findings = self.parent, MatchedFindings.merge(request.findings)
        try:
            child = self._build_request_child(request, findings)
            scan_request = build_child_request(child, parent.scan, parent.scan.scan_id, "")
            widest = msgspec.structs.replace(scan_request, targets=_choose_widest(scan_request.targets))
            groups = plan(widest, parent.context.permit).groups
            arguments = max(groups, key=lambda group: count_ports(group.arguments)).arguments
        except RequestRefused as exc:
            yield self._decision(DecisionKind.REFUSED, str(exc), findings)
            return
        max_addresses = parent.context.caps.max_child_addresses(arguments)
        for part_request in request.split(parent.addresses, max_addresses):
            findings = MatchedFindings.merge(part_request.findings)
            child = self._build_request_child(part_request, findings)
            addresses = sum(parent.addresses[target] for target in part_request.targets)
            count = f"{addresses} {'address' if addresses == 1 else 'addresses'}"
            reason = f"{count}: {' '.join(child.parameters)}"
            weight = parent.context.caps.estimate_use(arguments, addresses)
            weighed = msgspec.structs.replace(child, weight=weight)
            yield self._decision(DecisionKind.START, reason, findings, child=weighed)

    def _build_request_child(self, request: ChildRequest, findings: MatchedFindings) -> Child:
        identity = ChildIdentity(self.rule.name, request.base, request.ports, request.targets)
        return self._build_child(
            request.proposal,
            request.arguments,
            request.targets,
            findings,
            identity,
        )

    def _build_child(
        self,
        proposal: ScanProposal,
        arguments: Sequence[str],
        targets: tuple[str, ...],
        findings: MatchedFindings,
        identity: ChildIdentity,
    ) -> Child:
        rule, parent = self.rule, self.parent
        rule_annotations = dict(proposal.annotations)
        annotations = inherit_annotations(
            parent.request,
            parent.scan.name,
            parent.cascades,
            rule,
            rule_annotations,
        )
        annotations[FINDING] = findings.ids[0]
        annotations.pop(COUNT, None)
        if findings.count > 1:
            annotations[COUNT] = str(findings.count)
        spec = rule.scan_spec
        if proposal.spec:
            rendered = msgspec.json.decode(proposal.spec)
            env, containers = tuple(rendered["env"]), tuple(rendered["initContainers"])
            spec = msgspec.structs.replace(spec, env=env, init_containers=containers)
        content = (proposal.values, tuple(arguments), targets)
        started_by = parent.context.started_by
        scan_type = proposal.scan_type
        name = build_child_name(parent.scan.name, parent.scan_type, scan_type, rule.name)
        carried = inherit_carried(parent.request, parent.cascades, spec, started_by)
        return Child(
            key=f"{rule.name}/{compute_digest(repr(content))}",
            name=name,
            scan_type=proposal.scan_type,
            parameters=tuple(arguments),
            targets=targets,
            labels=inherit_labels(parent.request, parent.cascades, dict(proposal.labels)),
            annotations=annotations,
            carried=carried,
            ttl_seconds_after_finished=spec.ttl_seconds_after_finished,
            suspend=spec.suspend,
            weight=BudgetUse(scans=1),
            asked=identity,
        )

    def _decision(
        self,
        kind: DecisionKind,
        reason: str,
        findings: MatchedFindings,
        *,
        child: Child | None = None,
    ) -> Decision:
        return Decision(
            kind=kind,
            rule=self.rule.name,
            reason=reason,
            count=findings.count,
            findings=tuple(findings.ids),
            child=child,
        )


def _digest(proposal: ScanProposal) -> str:
    return compute_digest(repr(proposal.values))


def _choose_widest(targets: Sequence[str]) -> tuple[str, ...]:
    """The first target without ports of its own, and the one with the most. Either may be missing."""
    counts = {target: _count_own_ports(target) for target in targets}
    without_ports = [target for target, count in counts.items() if not count]
    widest = max(counts, key=lambda target: counts[target])
    return tuple(dict.fromkeys((*without_ports[:1], widest)))


def _count_own_ports(target: str) -> int:
    ports = split_ports(target)[1]
    return 0 if ports is None else parse_own_ports(ports).count
