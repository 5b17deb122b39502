"""What a child takes from its parent, and what from its rule.

Entries of the rule win over the parent's of the same key; lists are joined, affinity is replaced.
What the parent took from the rule that started it is removed before anything is inherited. Scope
annotations are always copied unchanged, and no rule can change them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cascan.cascades.rule import CascadingRule, ScanSpec
from cascan.forms.cascades import SCOPE_PREFIX, Cascades
from cascan.model.request import ScanRequest

CASCADE_PREFIX = "cascading.securecodebox.io/"
PARENT = f"{CASCADE_PREFIX}parent-scan"
FINDING = f"{CASCADE_PREFIX}matched-finding"
CHAIN = f"{CASCADE_PREFIX}chain"
HOOK = "securecodebox.io/hook"
COUNT = "cascan/matched-findings"  # how many findings led to the child, where there were several
KEPT_WHEN_EMPTY = ("affinity", "tolerations")  # an empty one overrides that of the scan type
IDEMPOTENCY_KEY = "cascan/idempotency-key"  # identifies one request, so a child must not have it


def read_chain(annotations: Mapping[str, str]) -> list[str]:
    """The rules that led to a scan, first to last."""
    return [name for name in annotations.get(CHAIN, "").split(",") if name]


def inherit_labels(
    parent: ScanRequest,
    cascades: Cascades,
    rule_labels: Mapping[str, str],
) -> dict[str, str]:
    inherited = dict(parent.labels) if cascades.inherit_labels else {}
    return inherited | dict(rule_labels)


def inherit_annotations(
    parent: ScanRequest,
    parent_name: str,
    cascades: Cascades,
    rule: CascadingRule,
    rule_annotations: Mapping[str, str],
) -> dict[str, str]:
    """All annotations but FINDING and COUNT, which are known last.

    A cascade's own annotations win over all others.
    """
    inherited = dict(parent.annotations) if cascades.inherit_annotations else {}
    inherited.pop(IDEMPOTENCY_KEY, None)
    annotations = parent.annotations.items()
    scope = {key: value for key, value in annotations if key.startswith(SCOPE_PREFIX)}
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
    """The fields of a manifest's spec that only Kubernetes uses, for a child that another scanner
    runs.

    `started_by`: the rule that the parent came from.
    """
    parents_rule = started_by.scan_spec if started_by else ScanSpec(scan_type="")
    carried = parent.carried
    inherited_env = []
    if cascades.inherit_env:
        inherited_env = _remove_entries(carried.get("env"), parents_rule.env)
    affinity = rule.affinity
    if affinity is None:
        affinity = _inherit_affinity(carried, parents_rule, cascades)
    fields = {
        "env": _join_by_name(inherited_env, rule.env),
        "volumes": _join(
            carried.get("volumes"),
            parents_rule.volumes,
            rule.volumes,
            inherit=cascades.inherit_volumes,
        ),
        "volumeMounts": _join(
            carried.get("volumeMounts"),
            parents_rule.volume_mounts,
            rule.volume_mounts,
            inherit=cascades.inherit_volumes,
        ),
        "initContainers": _join(
            carried.get("initContainers"),
            parents_rule.init_containers,
            rule.init_containers,
            inherit=cascades.inherit_init_containers,
        ),
        "hookSelector": _inherit_selector(
            carried.get("hookSelector") or {},
            parents_rule.hook_selector,
            rule.hook_selector,
            cascades,
        ),
        "affinity": affinity,
        "tolerations": _inherit_tolerations(carried, parents_rule, rule, cascades),
        "nodeSelector": rule.node_selector,
        "resources": rule.resources,
        "imagePullSecrets": list(rule.image_pull_secrets),
        "resourceMode": carried.get("resourceMode") or rule.resource_mode,
    }
    return {name: value for name, value in fields.items() if value or _is_kept(name, value)}


def _is_kept(name: str, empty_value: Any) -> bool:
    return name in KEPT_WHEN_EMPTY and empty_value is not None


def _remove_entries(entries: Any, from_rule: Sequence[Any]) -> list[Any]:
    """The parent's entries without those that its own rule gave it."""
    return [entry for entry in entries or [] if not any(_came_from(entry, rule_entry) for rule_entry in from_rule)]


def _came_from(entry: Any, rule_entry: Any) -> bool:
    """Whether the parent has the entry from its rule: they are equal, or a template gave an entry
    of the same name.
    """
    if entry == rule_entry or not (isinstance(entry, dict) and isinstance(rule_entry, dict)):
        return bool(entry == rule_entry)
    is_template = "{{" in str(rule_entry)
    return "name" in rule_entry and entry.get("name") == rule_entry["name"] and is_template


def _join(
    entries: Any,
    from_rule: Sequence[Any],
    added: Sequence[Any],
    *,
    inherit: bool,
) -> list[Any]:
    """The parent's entries without those from its own rule, and the rule's new entries."""
    inherited = _remove_entries(entries, from_rule) if inherit else []
    return inherited + [entry for entry in added if entry not in inherited]


def _join_by_name(
    inherited: Sequence[dict[str, Any]],
    added: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Of two variables of the same name, the rule's."""
    names = {entry.get("name") for entry in added}
    return [entry for entry in inherited if entry.get("name") not in names] + list(added)


def _inherit_affinity(
    carried: Mapping[str, Any],
    parents_rule: ScanSpec,
    cascades: Cascades,
) -> dict[str, Any] | None:
    """The parent's affinity, unless it came from the parent's rule. None: there is none."""
    affinity: dict[str, Any] | None = carried.get("affinity") if cascades.inherit_affinity else None
    return None if affinity and affinity == parents_rule.affinity else affinity


def _inherit_tolerations(
    carried: Mapping[str, Any], parents_rule: ScanSpec, rule: ScanSpec, cascades: Cascades
) -> list[dict[str, Any]] | None:
    """None: neither the parent nor the rule has any.

    An empty list: one of them has an empty one.
    """
    inherited = carried.get("tolerations") if cascades.inherit_tolerations else None
    if inherited is None and rule.tolerations is None:
        return None
    return _join(inherited, parents_rule.tolerations or (), rule.tolerations or (), inherit=True)


def _inherit_selector(
    carried: Mapping[str, Any],
    from_rule: Mapping[str, Any],
    added: Mapping[str, Any],
    cascades: Cascades,
) -> dict[str, Any]:
    inherited: Mapping[str, Any] = carried if cascades.inherit_hook_selector else {}
    labels = dict(inherited.get("matchLabels") or {})
    for key in from_rule.get("matchLabels") or {}:
        labels.pop(key, None)
    labels |= added.get("matchLabels") or {}
    expressions = _join(
        inherited.get("matchExpressions"),
        from_rule.get("matchExpressions") or (),
        added.get("matchExpressions") or (),
        inherit=True,
    )
    selector = {"matchLabels": labels, "matchExpressions": expressions}
    return {name: value for name, value in selector.items() if value}
