"""Which rules a scan selects: secureCodeBox's label selector.

All of matchLabels and matchExpressions must hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from cascan.forms.cascades import Cascades, Requirement, SelectorOperator


def is_selected(cascades: Cascades | None, labels: Mapping[str, str]) -> bool:
    """Whether a rule with these labels is selected.

    Without cascades none is; an empty selector selects every rule.
    """
    if cascades is None:
        return False
    if any(labels.get(key) != value for key, value in cascades.match_labels.items()):
        return False
    return all(_holds(requirement, labels) for requirement in cascades.match_expressions)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """As in Kubernetes: NotIn also holds where the label is absent."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case SelectorOperator.IN:
            return value in requirement.values
        case SelectorOperator.NOT_IN:
            return value not in requirement.values
        case SelectorOperator.EXISTS:
            return value is not None
        case SelectorOperator.DOES_NOT_EXIST:
            return value is None
