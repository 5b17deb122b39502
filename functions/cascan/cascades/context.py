"""The context of a rule: the scan, the operator's limits, and one finding at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cascan.cascades.caps import Caps
from cascan.cascades.decision import DecisionKind
from cascan.cascades.rule import CascadingRule
from cascan.cascades.scan_proposal import build_template_data
from cascan.cascades.scope_limiter import ScopeUndecidable, explain_refusal
from cascan.errors import RequestRefused
from cascan.findings.to_json import scan_fields
from cascan.forms.cascades import ALIASES, Cascades
from cascan.model.cascade import BudgetUse, ChildIdentity
from cascan.model.inventory import Change, ChangeKind
from cascan.model.request import ScanRequest, ScanType
from cascan.model.scan import Scan
from cascan.nmap.targets.own_ports import find_family, parse_target_with_ports
from cascan.nmap.targets.target_set import Exclusion, Name
from cascan.permissions.permissions import Permissions

NEW = (ChangeKind.HOST_APPEARED, ChangeKind.PORT_OPENED, ChangeKind.SERVICE_CHANGED)
IPV6 = 6
# the attribute of a finding that a severity rule of the operator suppresses
SUPPRESSED = "suppressed"
Place = tuple[str, str, int | None]  # address, protocol, port; for a host itself "" and None


@dataclass(frozen=True)
class NewPlaces:
    """Where the scan found something new: hosts that appeared, ports that opened, services that
    changed.
    """

    places: frozenset[Place]

    @classmethod
    def from_changes(cls, changes: Iterable[Change]) -> NewPlaces:
        """Closed ports and hosts that are gone are left out: there is nothing to scan."""
        new = (change for change in changes if change.kind in NEW)
        return cls(frozenset((change.address, change.protocol, change.port) for change in new))

    def includes(self, finding: Mapping[str, Any]) -> bool:
        """Whether the finding is about one of these places."""
        attributes = finding.get("attributes") or {}
        port, protocol = attributes.get("port"), attributes.get("protocol") or ""
        port_place = ("", None) if port is None else (protocol, port)
        addresses = attributes.get("ip_addresses") or ()
        return any((address, *port_place) in self.places for address in addresses)


@dataclass(frozen=True)
class CascadeContext:
    """What decisions depend on beside the scan, its findings and the rules."""

    permit: Permissions
    caps: Caps = field(default_factory=Caps)
    spent: BudgetUse = field(default_factory=BudgetUse)  # below the root scan, until now
    requested: tuple[ChildIdentity, ...] = ()  # by other scans of the cascade
    # None: earlier scans are not known, and every finding counts as new
    new_places: NewPlaces | None = None
    started_by: CascadingRule | None = None  # the rule that the scan itself came from
    scan_type: str = ""  # of a scan by another scanner; empty: as the request says

    def find_requested(self, rule: str) -> dict[str, dict[str, set[int]]]:
        """What the rule requested already: ports by target, by the digest of the merge key."""
        requested: dict[str, dict[str, set[int]]] = {}
        for child in self.requested:
            if child.rule == rule:
                by_target = requested.setdefault(child.base, {})
                for target in child.targets:
                    by_target.setdefault(target, set()).update(child.ports)
        return requested


class ParentScan:
    """The scan that the findings belong to, and what was decided about targets so far."""

    def __init__(
        self,
        scan: Scan,
        request: ScanRequest,
        cascades: Cascades,
        context: CascadeContext,
    ) -> None:
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
        self.addresses: dict[str, int] = {}  # how many each target has, of those without a problem

    def find_problem(self, target: str) -> tuple[DecisionKind, str] | None:
        """Why a target from a finding is not scanned. None: it may be scanned."""
        if target not in self.problems:
            self.problems[target] = self._check_target(target)
        return self.problems[target]

    def _check_target(self, text: str) -> tuple[DecisionKind, str] | None:
        family = find_family(text)
        try:
            target, _ = parse_target_with_ports(text, family)
        except RequestRefused as exc:
            return DecisionKind.REFUSED, str(exc)
        permit = self.context.permit
        reason = permit.scope.find_refusal(target)
        if not reason and permit.reach:
            reason = permit.reach.find_refusal(target)
        if reason:
            return DecisionKind.OUT_OF_SCOPE, reason
        exclusion = self._exclusion(family)
        is_address = not isinstance(target, Name) and target.count == 1
        if exclusion and is_address and exclusion.contains(target.expression):
            return DecisionKind.OUT_OF_SCOPE, f"{text} is excluded by the scan itself"
        self.addresses[text] = target.count
        return None

    def _exclusion(self, family: int) -> Exclusion | None:
        """What the request excludes of this address family. None: nothing."""
        if family not in self.exclusions:
            entries = ",".join(self.request.exclude).split(",")
            of_family = [entry for entry in entries if entry and (":" in entry) == (family == IPV6)]
            self.exclusions[family] = Exclusion.parse(of_family, family) if of_family else None
        return self.exclusions[family]


class FindingView:
    """A finding as rules see it. What several rules need is computed once."""

    def __init__(self, finding: dict[str, Any], parent: ParentScan) -> None:
        """`finding`: as JSON, with its id."""
        self.json, self.parent = finding, parent
        self._data: dict[str, Any] | None = None
        self._scope: tuple[str | None] | None = None

    @property
    def id(self) -> str:
        return str(self.json["id"])

    @property
    def is_suppressed(self) -> bool:
        return SUPPRESSED in self.json["attributes"]

    @property
    def with_scan(self) -> dict[str, Any]:
        """The finding, with its scan under `scan`."""
        return {"scan": self.parent.data["scan"], **self.json}

    @property
    def data(self) -> dict[str, Any]:
        """What templates may name."""
        if self._data is None:
            self._data = build_template_data(self.json, self.parent.data)
        return self._data

    @property
    def out_of_scope(self) -> str | None:
        """Why the scope limiter keeps the finding from being followed. None: it does not."""
        if self._scope is None:
            parent = self.parent
            limiter, annotations = parent.cascades.scope_limiter, parent.request.annotations
            try:
                reason = explain_refusal(limiter, annotations, self.data, parent.aliases)
            except ScopeUndecidable as exc:
                reason = f"the scope cannot be judged: {exc}"
            self._scope = (reason,)
        return self._scope[0]
