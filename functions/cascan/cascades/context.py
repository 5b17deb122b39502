"""What a rule looks at beside itself: the scan, the operator's limits, and one finding after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cascan.cascades import scope_limiter
from cascan.cascades.caps import Caps
from cascan.cascades.decision import DecisionKind
from cascan.cascades.rule import CascadingRule
from cascan.cascades.scan_proposal import build_template_data
from cascan.errors import RequestRefused
from cascan.findings.to_json import scan_fields
from cascan.forms.cascades import ALIASES, Cascades
from cascan.model.cascade import BudgetUse, ChildIdentity
from cascan.model.inventory import Change, ChangeKind
from cascan.model.request import ScanRequest, ScanType
from cascan.model.scan import Scan
from cascan.nmap.targets.target_set import Exclusion, Name, parse_target
from cascan.permissions.permissions import Permissions

NEW = (ChangeKind.HOST_APPEARED, ChangeKind.PORT_OPENED, ChangeKind.SERVICE_CHANGED)
Place = tuple[str, str, int | None]  # address, protocol, port; of a host itself "" and None


@dataclass(frozen=True)
class NewPlaces:
    """Where the scan found something new: hosts that appeared, ports that opened, services that changed."""

    places: frozenset[Place]

    @classmethod
    def by(cls, changes: Iterable[Change]) -> NewPlaces:
        """What is gone is nothing to look at again."""
        return cls(frozenset((one.address, one.protocol, one.port) for one in changes if one.kind in NEW))

    def includes(self, finding: Mapping[str, Any]) -> bool:
        """Whether the finding is about one of these places."""
        attributes = finding.get("attributes") or {}
        port, protocol = attributes.get("port"), attributes.get("protocol") or ""
        where = ("", None) if port is None else (protocol, port)
        return any((address, *where) in self.places for address in attributes.get("ip_addresses") or ())


@dataclass(frozen=True)
class CascadeContext:
    """What decides beside the scan, its findings and the rules."""

    permit: Permissions
    caps: Caps = field(default_factory=Caps)
    spent: BudgetUse = field(default_factory=BudgetUse)  # below the root scan already
    asked: tuple[ChildIdentity, ...] = ()  # by other scans of the cascade
    changed: NewPlaces | None = None  # None: nothing is known of earlier scans, and every finding counts as new
    started_by: CascadingRule | None = None  # the rule that the scan itself came from
    scan_type: str = ""  # of a scan that another scanner did; empty: the request's own

    def find_requested_by(self, rule: str) -> dict[str, dict[str, set[int]]]:
        """What was asked for by the rule: ports by target, by what they have in common."""
        found: dict[str, dict[str, set[int]]] = {}
        for asked in self.asked:
            if asked.rule == rule:
                for target in asked.targets:
                    found.setdefault(asked.base, {}).setdefault(target, set()).update(asked.ports)
        return found


class ParentScan:
    """The scan that the findings are of, and what has been found out about it."""

    def __init__(self, scan: Scan, request: ScanRequest, cascades: Cascades, context: CascadeContext) -> None:
        self.scan, self.request, self.cascades, self.context = scan, request, cascades, context
        self.scan_type = context.scan_type or str(request.scan_type or ScanType.NMAP)
        self.data = {
            "metadata": {"name": scan.name, "uid": scan.scan_id, "labels": request.labels,
                         "annotations": request.annotations},
            "spec": {"scanType": self.scan_type, "parameters": [*request.parameters, *request.targets]},
            "status": {"findings": {"count": scan.findings.count}},
            "scan": scan_fields(scan, self.scan_type),
        }  # fmt: skip
        self.aliases = {**ALIASES, **cascades.scope_limiter_aliases}
        self.exclusions: dict[int, Exclusion | None] = {}
        self.problems: dict[str, tuple[DecisionKind, str] | None] = {}
        self.addresses: dict[str, int] = {}  # behind each target without a problem

    def find_problem(self, target: str) -> tuple[DecisionKind, str] | None:
        """Why a target that a finding gave is not scanned; None: it is."""
        if target not in self.problems:
            self.problems[target] = self._judged(target)
        return self.problems[target]

    def _judged(self, text: str) -> tuple[DecisionKind, str] | None:
        family = 6 if ":" in text else 4
        try:
            target = parse_target(text, family)
        except RequestRefused as exc:
            return DecisionKind.REFUSED, str(exc)
        permit = self.context.permit
        if reason := permit.scope.find_refusal(target) or (permit.reach and permit.reach.find_refusal(target)):
            return DecisionKind.OUT_OF_SCOPE, reason
        exclusion = self._exclusion(family)
        if exclusion and not isinstance(target, Name) and target.count == 1 and exclusion.contains(text):
            return DecisionKind.OUT_OF_SCOPE, f"{text} is excluded by the scan itself"
        self.addresses[text] = target.count
        return None

    def _exclusion(self, family: int) -> Exclusion | None:
        """What the scan leaves out, of the family; None: an exclude is of the other one."""
        if family not in self.exclusions:
            entries = ",".join(self.request.exclude).split(",")
            own = [entry for entry in entries if entry and (":" in entry) == (family == 6)]  # noqa: PLR2004  IPv6
            self.exclusions[family] = Exclusion.parse(own, family) if own else None
        return self.exclusions[family]


class FindingView:
    """A finding as rules see it; what several of them need is made once."""

    def __init__(self, finding: dict[str, Any], parent: ParentScan) -> None:
        self.finding, self.parent = finding, parent
        self._data: dict[str, Any] | None = None
        self._scope: tuple[str | None] | None = None

    @property
    def with_scan(self) -> dict[str, Any]:
        """The finding, with the scan that it is of."""
        return {"scan": self.parent.data["scan"], **self.finding}

    @property
    def data(self) -> dict[str, Any]:
        if self._data is None:
            self._data = build_template_data(self.finding, self.parent.data)
        return self._data

    @property
    def out_of_scope(self) -> str | None:
        if self._scope is None:
            limiter, annotations = self.parent.cascades.scope_limiter, self.parent.request.annotations
            try:
                reason = scope_limiter.explain_refusal(limiter, annotations, self.data, self.parent.aliases)
            except scope_limiter.ScopeUndecidable as exc:
                reason = f"the scope cannot be judged: {exc}"
            self._scope = (reason,)
        return self._scope[0]
