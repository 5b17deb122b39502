"""What a child has from its parent, and what from its rule.

The rule's entries win over the parent's of the same key; lists are joined, affinity is replaced. What the parent
itself had from the rule that started it is taken out before anything is inherited. The scope annotations are copied
as they are, whatever is inherited, and no rule can change them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cascan.cascades.rule import CascadingRule, ScanSpec
from cascan.forms.cascades import SCOPE_PREFIX, Cascades
from cascan.model.request import ScanRequest

CASCADE_PREFIX = "cascading.securecodebox.io/"
PARENT, FINDING, CHAIN = (f"{CASCADE_PREFIX}{name}" for name in ("parent-scan", "matched-finding", "chain"))
HOOK = "securecodebox.io/hook"
COUNT = "cascan/matched-findings"  # ours: how many findings asked for the child, where several did
KEPT_WHEN_EMPTY = ("affinity", "tolerations")  # an empty one says: none, whatever the scan type's own
IDEMPOTENCY_KEY = "cascan/idempotency-key"  # of one request, and so no child's


def read_chain(annotations: Mapping[str, str]) -> list[str]:
    """The rules that led to a scan, first to last."""
    return [name for name in annotations.get(CHAIN, "").split(",") if name]


def inherit_labels(parent: ScanRequest, cascades: Cascades, rule_labels: Mapping[str, str]) -> dict[str, str]:
    return (dict(parent.labels) if cascades.inherit_labels else {}) | dict(rule_labels)


def inherit_annotations(
    parent: ScanRequest, parent_name: str, cascades: Cascades, rule: CascadingRule, rule_annotations: Mapping[str, str]
) -> dict[str, str]:
    """All but the matched findings', which are known last. A cascade's own annotations win over all others."""
    inherited = {k: v for k, v in parent.annotations.items() if cascades.inherit_annotations and k != IDEMPOTENCY_KEY}
    scope = {key: value for key, value in parent.annotations.items() if key.startswith(SCOPE_PREFIX)}
    return {
        **inherited,
        **rule_annotations,
        **scope,
        HOOK: "cascading-scans",
        PARENT: parent_name,
        CHAIN: ",".join([*read_chain(parent.annotations), rule.name]),
    }


def inherit_carried(
    parent: ScanRequest, cascades: Cascades, rule: ScanSpec, started_by: CascadingRule | None
) -> dict[str, Any]:
    """The fields of a manifest's spec that mean something to Kubernetes alone, for a child that others run."""
    old = started_by.scan_spec if started_by else ScanSpec(scan_type="")
    own = parent.carried
    fields = {
        "env": _by_name(
            _purged(own.get("env"), old.env) if cascades.inherit_env else [],
            rule.env,
        ),
        "volumes": _joined(own.get("volumes"), old.volumes, rule.volumes, inherit=cascades.inherit_volumes),
        "volumeMounts": _joined(
            own.get("volumeMounts"), old.volume_mounts, rule.volume_mounts, inherit=cascades.inherit_volumes
        ),
        "initContainers": _joined(
            own.get("initContainers"),
            old.init_containers,
            rule.init_containers,
            inherit=cascades.inherit_init_containers,
        ),
        "hookSelector": _selector(own.get("hookSelector") or {}, old.hook_selector, rule.hook_selector, cascades),
        "affinity": _affinity(own, old, cascades) if rule.affinity is None else rule.affinity,
        "tolerations": _tolerations(own, old, rule, cascades),
        "nodeSelector": rule.node_selector,
        "resources": rule.resources,
        "imagePullSecrets": list(rule.image_pull_secrets),
        "resourceMode": own.get("resourceMode") or rule.resource_mode,
    }
    return {name: value for name, value in fields.items() if value or (name in KEPT_WHEN_EMPTY and value is not None)}


def _purged(own: Any, old: Sequence[Any]) -> list[Any]:
    return [entry for entry in own or [] if not any(_is_of(entry, one) for one in old)]


def _is_of(entry: Any, one: Any) -> bool:
    """Whether an entry of the parent is its rule's: equal, or of the same name where the rule's is a template."""
    if entry == one or not (isinstance(entry, dict) and isinstance(one, dict)):
        return bool(entry == one)
    return "name" in one and entry.get("name") == one["name"] and "{{" in str(one)


def _joined(own: Any, old: Sequence[Any], new: Sequence[Any], *, inherit: bool) -> list[Any]:
    """The parent's entries, without what its own rule gave it, and the rule's that are not among them."""
    kept = _purged(own, old) if inherit else []
    return kept + [entry for entry in new if entry not in kept]


def _by_name(parents: Sequence[dict[str, Any]], rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of two variables of one name the rule's."""
    ours = {entry.get("name") for entry in rules}
    return [entry for entry in parents if entry.get("name") not in ours] + list(rules)


def _affinity(own: Mapping[str, Any], old: ScanSpec, cascades: Cascades) -> dict[str, Any] | None:
    """The parent's, unless it had it from its own rule. None: it has none."""
    affinity: dict[str, Any] | None = own.get("affinity") if cascades.inherit_affinity else None
    return None if affinity and affinity == old.affinity else affinity


def _tolerations(
    own: Mapping[str, Any], old: ScanSpec, rule: ScanSpec, cascades: Cascades
) -> list[dict[str, Any]] | None:
    """None: neither has any; an empty list stands where one of them has one."""
    theirs = own.get("tolerations") if cascades.inherit_tolerations else None
    if theirs is None and rule.tolerations is None:
        return None
    return _joined(theirs, old.tolerations or (), rule.tolerations or (), inherit=True)


def _selector(
    own: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any], cascades: Cascades
) -> dict[str, Any]:
    kept: Mapping[str, Any] = own if cascades.inherit_hook_selector else {}
    labels = dict(kept.get("matchLabels") or {})
    for key in old.get("matchLabels") or {}:
        labels.pop(key, None)
    labels |= new.get("matchLabels") or {}
    expressions = _joined(
        kept.get("matchExpressions"), old.get("matchExpressions") or (), new.get("matchExpressions") or (), inherit=True
    )
    return {name: value for name, value in (("matchLabels", labels), ("matchExpressions", expressions)) if value}
