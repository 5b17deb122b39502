"""Which rules a scan lets follow: secureCodeBox's label selector, matchLabels and matchExpressions, all ANDed."""

from __future__ import annotations

from collections.abc import Mapping

from cascan.forms.cascades import Cascades, Requirement, SelectorOperator


def is_selected(cascades: Cascades | None, labels: Mapping[str, str]) -> bool:
    """Whether a rule with these labels follows. No cascades: none does; an empty selector: every rule does."""
    if cascades is None:
        return False
    if any(labels.get(key) != value for key, value in cascades.match_labels.items()):
        return False
    return all(_holds(requirement, labels) for requirement in cascades.match_expressions)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """As Kubernetes has it: a label that is not there is in no list, so NotIn holds."""
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
