"""The current rules, and those that a scan's cascade uses: pinned by version when its findings are
first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.rule import CascadingRule, read_rule
from cascan.errors import RequestRefused
from cascan.gateways import RuleTable
from cascan.model.cascade import StoredRule

BundledRules = Callable[[], Mapping[str, dict[str, Any]]]  # manifests by rule name


def load_current_rules(rules: RuleTable, bundled: BundledRules) -> dict[str, StoredRule]:
    """By name, in order. A stored rule replaces a bundled one of the same name."""
    documents = bundled().items()
    current = {name: StoredRule(name=name, version=0, document=text) for name, text in documents}
    current |= {rule.name: rule for rule in rules.rules()}
    return dict(sorted(current.items()))


def load_pinned_rules(
    current: Mapping[str, StoredRule],
    versions: Mapping[str, int],
    rules: RuleTable,
    bundled: BundledRules,
) -> Iterator[StoredRule]:
    """The rules of these versions, which are almost always the current ones.

    One that no longer exists is left out.
    """
    for name, version in versions.items():
        rule = current.get(name)
        if rule is None or rule.version != version:
            document = bundled().get(name)
            rule = rules.rule(name, version) if version else None
            if not version and document is not None:
                rule = StoredRule(name=name, version=0, document=document)
        if rule is not None:
            yield rule


def parse_rules(stored: Iterable[StoredRule]) -> tuple[list[CascadingRule], list[Decision]]:
    """The rules, and a decision for each one that cannot be read any more."""
    rules: list[CascadingRule] = []
    unreadable: list[Decision] = []
    for rule in stored:
        try:
            rules.append(read_rule(rule.document))
        except RequestRefused as exc:
            unreadable.append(Decision(kind=DecisionKind.FAILED, rule=rule.name, reason=str(exc)))
    return rules, unreadable
