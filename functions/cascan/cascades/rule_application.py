"""One rule on its way through a scan's findings: what it wishes, what is refused, and what comes of it in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cascan.cascades.argument_positions import ArgumentPositions, find_argument_positions
from cascan.cascades.caps import estimate_budget_use
from cascan.cascades.child_documents import build_child_name, build_child_request
from cascan.cascades.context import FindingView, ParentScan
from cascan.cascades.decision import Child, Decision, DecisionKind
from cascan.cascades.inheritance import COUNT, FINDING, inherit_annotations, inherit_carried, inherit_labels
from cascan.cascades.matcher import compile_matcher
from cascan.cascades.proposal_merger import ChildRequest, MatchedFindings, ProposalMerger, compute_digest
from cascan.cascades.rule import CascadingRule
from cascan.cascades.scan_proposal import NMAP_SCAN_TYPES, NoProposal, ProposalRenderer, ScanProposal, extract_host
from cascan.errors import CascanError, RequestRefused
from cascan.limits import MAX_DECISIONS_KEPT, MAX_PROPOSALS
from cascan.model.cascade import BudgetUse, ChildIdentity
from cascan.planning.plan import plan

AND_OTHERS = "as others of this rule, of which there are too many to tell apart"


class RuleApplication:
    """One rule on its way through the findings."""

    def __init__(self, rule: CascadingRule, parent: ParentScan) -> None:
        self.rule, self.parent = rule, parent
        self.fits = compile_matcher(rule.matches)
        self.filler = ProposalRenderer(rule)
        self.asked = parent.context.find_requested_by(rule.name)
        self.joined = ProposalMerger(self.asked)
        self.elsewhere: dict[ScanProposal, MatchedFindings] = {}
        self.refused: dict[tuple[DecisionKind, str], MatchedFindings] = {}
        self.unchanged = MatchedFindings()
        self.layouts: dict[tuple[str | None, ...], ArgumentPositions] = {}
        self.failure = ""

    def take(self, about: FindingView) -> None:
        """Look at one finding; the rule has no expression."""
        if not self.failure and self.fits(about.finding):
            self.follow(about)

    def take_answer(self, about: FindingView, answer: bool | str) -> None:
        """Look at a finding that fits, with its expression's answer. Where it has none, it is the finding that is
        passed over: no host can say something that keeps a rule from all others."""
        if isinstance(answer, str):
            self._refuse(DecisionKind.FAILED, answer, about.finding["id"])
        elif answer and not self.failure:
            self.follow(about)

    def follow(self, about: FindingView) -> None:
        """A finding that matches. What goes wrong stays with the rule."""
        try:
            self._follow(about)
        except CascanError as exc:
            self.failure = str(exc)

    def _follow(self, about: FindingView) -> None:
        finding_id: str = about.finding["id"]
        changed = self.parent.context.changed
        if self.rule.only_new_or_changed and changed is not None and not changed.includes(about.finding):
            self.unchanged.add(finding_id)
        elif reason := about.out_of_scope:
            self._refuse(DecisionKind.OUT_OF_SCOPE, reason, finding_id)
        else:
            try:
                wish = self.filler.fill(about.data)
            except NoProposal as exc:
                self._refuse(DecisionKind.REFUSED, str(exc), finding_id)
                return
            self._wish(wish, finding_id, about.data["$"]["hostOrIP"])

    def _wish(self, wish: ScanProposal, finding_id: str, host: str) -> None:
        if wish.scan_type not in NMAP_SCAN_TYPES:
            self._wish_elsewhere(wish, finding_id, host)
            return
        layout = self._layout(wish.words)
        if not layout.targets:
            self._refuse(DecisionKind.REFUSED, "the rule's parameters name no target", finding_id)
        for position in layout.targets:
            target = wish.words[position]
            problem = self.parent.find_problem(target)
            if problem:
                self._refuse(*problem, finding_id)
            else:
                self.joined.add(wish, layout, target, finding_id)

    def _wish_elsewhere(self, wish: ScanProposal, finding_id: str, host: str) -> None:
        """What another scanner's words mean is not known here: the finding's own host has to be in the scope."""
        bare = extract_host(host)
        problem = self.parent.find_problem(bare) if bare else None
        if bare and not problem and self.parent.addresses[bare] != 1:
            problem = DecisionKind.REFUSED, f"{bare[:60]!r} would be more than the one host that was found"
        if problem:
            self._refuse(*problem, finding_id)
            return
        if compute_digest(repr(wish)) in self.asked:
            self.joined.duplicates.add(finding_id)
            return
        if wish in self.elsewhere:
            self.joined.duplicates.add(finding_id)
        elif len(self.elsewhere) >= MAX_PROPOSALS:
            self._refuse(
                DecisionKind.REFUSED, f"the rule asks for more than {MAX_PROPOSALS} different scans", finding_id
            )
            return
        self.elsewhere.setdefault(wish, MatchedFindings()).add(finding_id)

    def _refuse(self, kind: DecisionKind, reason: str, finding_id: str) -> None:
        if (kind, reason) not in self.refused and len(self.refused) >= MAX_DECISIONS_KEPT:
            reason = AND_OTHERS
        self.refused.setdefault((kind, reason), MatchedFindings()).add(finding_id)

    def _layout(self, words: tuple[str, ...]) -> ArgumentPositions:
        """What a parameter of one variable alone renders to never begins with a dash: where words stand is the same."""
        shape = tuple(
            None if template.is_one_value else word
            for template, word in zip(self.filler.parameters, words, strict=True)
        )
        if shape not in self.layouts:
            self.layouts[shape] = find_argument_positions(words)
        return self.layouts[shape]

    def decisions(self) -> Iterator[Decision]:
        if self.failure:
            yield Decision(kind=DecisionKind.FAILED, rule=self.rule.name, reason=self.failure)
            return
        for request in self.joined.requests():
            yield from self._start(request)
        for wish, told in sorted(self.elsewhere.items(), key=lambda item: repr(item[0])):
            reason = f"{wish.scan_type} is another scanner's: CascadeRequested says what to run"
            asked = ChildIdentity(self.rule.name, compute_digest(repr(wish)), (), ("",))
            yield self._decision(
                DecisionKind.REQUEST, reason, told, child=self._child(wish, wish.words, (), told, asked)
            )
        duplicates = self.joined.duplicates
        if duplicates.count:
            reason = "the same scan of the same target is asked for already, by a finding or a scan of this cascade"
            yield self._decision(DecisionKind.DUPLICATE, reason, duplicates)
        if self.unchanged.count:
            yield self._decision(
                DecisionKind.UNCHANGED, "neither new nor changed, which the rule asks for", self.unchanged
            )
        for (kind, reason), told in self.refused.items():
            yield self._decision(kind, reason, told)

    def _start(self, request: ChildRequest) -> Iterator[Decision]:
        """Every target was judged on its own; what they have in common is planned with the first of them.

        One that is large beside the root scan's budget is asked for in parts: what fits of it starts.
        """
        parent, told = self.parent, MatchedFindings.of(request.told)
        try:
            asked = build_child_request(self._asking(request, told), parent.scan, parent.scan.scan_id, "")
            first = msgspec.structs.replace(asked, targets=asked.targets[:1])
            arguments = plan(first, parent.context.permit).arguments
        except RequestRefused as exc:
            yield self._decision(DecisionKind.REFUSED, str(exc), told)
            return
        for part in request.parts(parent.addresses, parent.context.caps.max_child_addresses(arguments)):
            told = MatchedFindings.of(part.told)
            child = self._asking(part, told)
            addresses = sum(parent.addresses[target] for target in part.targets)
            reason = f"{addresses} {'address' if addresses == 1 else 'addresses'}: {' '.join(child.parameters)}"
            weighed = msgspec.structs.replace(child, weight=estimate_budget_use(arguments, addresses))
            yield self._decision(DecisionKind.START, reason, told, child=weighed)

    def _asking(self, request: ChildRequest, told: MatchedFindings) -> Child:
        asked_for = ChildIdentity(self.rule.name, request.base, request.ports, request.targets)
        return self._child(request.wish, request.words, request.targets, told, asked_for)

    def _child(
        self,
        wish: ScanProposal,
        words: Sequence[str],
        targets: tuple[str, ...],
        told: MatchedFindings,
        asked: ChildIdentity,
    ) -> Child:
        rule, parent = self.rule, self.parent
        annotations = inherit_annotations(
            parent.request, parent.scan.name, parent.cascades, rule, dict(wish.annotations)
        ) | {FINDING: told.ids[0]}
        if told.count > 1:
            annotations[COUNT] = str(told.count)
        else:
            annotations.pop(COUNT, None)
        spec = rule.scan_spec
        if wish.spec:
            filled = msgspec.json.decode(wish.spec)
            spec = msgspec.structs.replace(
                spec, env=tuple(filled["env"]), init_containers=tuple(filled["initContainers"])
            )
        return Child(
            key=f"{rule.name}/{compute_digest(repr((wish, tuple(words), targets)))}",
            name=build_child_name(parent.scan.name, parent.scan_type, wish.scan_type, rule.name),
            scan_type=wish.scan_type,
            parameters=tuple(words),
            targets=targets,
            labels=inherit_labels(parent.request, parent.cascades, dict(wish.labels)),
            annotations=annotations,
            carried=inherit_carried(parent.request, parent.cascades, spec, parent.context.started_by),
            ttl_seconds_after_finished=spec.ttl_seconds_after_finished,
            suspend=spec.suspend,
            weight=BudgetUse(scans=1),
            asked=asked,
        )

    def _decision(
        self, kind: DecisionKind, reason: str, told: MatchedFindings, *, child: Child | None = None
    ) -> Decision:
        return Decision(
            kind=kind, rule=self.rule.name, reason=reason, count=told.count, findings=tuple(told.ids), child=child
        )
