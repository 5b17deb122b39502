"""What IAM policies allow, judged as AWS judges them, for the parts of the policy language that the templates use.

The emulator does not judge `dynamodb:LeadingKeys`, and refuses correct calls under `events:source` and `ecs:RunTask`.
So tests judge the policies of the templates themselves. Whatever this judge does not know fails loudly: an unknown
element, operator, condition key or policy variable raises `UnknownInPolicy`, it never allows or refuses by accident.

Statements come with their references resolved to text. Their names may be symbolic ("Storage/ScanTable.Arn").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

Statement = Mapping[str, Any]
Condition = tuple[str, str, tuple[str, ...]]  # operator, key, values

ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"}
# Each key that the judge knows, in lower case. A call that does not have it leaves it out of its context.
CONDITION_KEYS = {
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "dynamodb:select",
    "ecs:cluster",
    "ecs:createaction",
    "events:detail-type",
    "events:source",
    "iam:passedtoservice",
    "lambda:sourcefunctionarn",
}
MULTIVALUED_KEYS = {
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
}  # AWS compares them only under ForAllValues or ForAnyValue
ARN_COMPONENTS = 6


class UnknownInPolicy(Exception):
    """The policy, or the call, has something that this judge does not know."""


class Verdict(Enum):
    ALLOWED = "allowed"
    NOT_GRANTED = "not granted"
    DENIED = "denied"


@dataclass(frozen=True)
class Permission:
    """What one call needs: an action on a resource. `context` has the values of condition keys, in lower case."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = self.context.keys() - CONDITION_KEYS
        if unknown:
            raise UnknownInPolicy(f"condition keys of a call: {sorted(unknown)}")

    def __str__(self) -> str:
        keys = [f"{key}={','.join(values)}" for key, values in sorted(self.context.items())]
        return " ".join([self.action, self.resource, *keys])


def judge(statements: Iterable[Statement], permission: Permission) -> Verdict:
    """Whether the policies of a principal allow what a call needs.

    Raises: UnknownInPolicy: a statement cannot be judged, whether or not it would decide.
    """
    effects = {statement["Effect"] for statement in statements if applies(statement, permission)}
    if "Deny" in effects:
        return Verdict.DENIED
    return Verdict.ALLOWED if "Allow" in effects else Verdict.NOT_GRANTED


def find_refusals(statements: Sequence[Statement], permissions: Iterable[Permission]) -> list[str]:
    """The permissions that the statements do not allow, each as a sentence."""
    judged = ((permission, judge(statements, permission)) for permission in permissions)
    return [f"{verdict.value}: {permission}" for permission, verdict in judged if verdict != Verdict.ALLOWED]


def applies(statement: Statement, permission: Permission) -> bool:
    """Whether the statement is about this action, on this resource, under these conditions."""
    if unknown := statement.keys() - ELEMENTS:
        raise UnknownInPolicy(f"elements of a statement: {sorted(unknown)}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise UnknownInPolicy(f"Effect {statement['Effect']}")
    about_action = _is_about(statement, "Action", permission.action.lower(), str.lower)
    about_resource = _is_about(statement, "Resource", permission.resource, str)
    # Every condition is judged, so that an unknown one is found even where another decides.
    met = [_is_met(*condition, permission.context) for condition in conditions(statement)]
    return about_action and about_resource and all(met)


def conditions(statement: Statement) -> Iterator[Condition]:
    """Each condition of a statement, its key in lower case."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield operator, key.lower(), tuple(as_list(values))


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def matches(pattern: str, text: str) -> bool:
    """Whether the text matches a pattern with `*` and `?`, as IAM has them."""
    return _compile(pattern).fullmatch(text) is not None


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise UnknownInPolicy(f"a policy variable: {pattern}")
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(char, re.escape(char)) for char in pattern), re.DOTALL)


def _is_about(statement: Statement, element: str, text: str, fold: Callable[[str], str]) -> bool:
    negated = f"Not{element}"
    if (element in statement) == (negated in statement):
        raise UnknownInPolicy(f"a statement has either {element} or {negated}")
    patterns = as_list(statement[element if element in statement else negated])
    found = any([matches(fold(pattern), text) for pattern in patterns])  # noqa: C419 - each pattern is read
    return found == (element in statement)


def _equals(pattern: str, value: str) -> bool:
    if "${" in pattern:
        raise UnknownInPolicy(f"a policy variable: {pattern}")
    return pattern == value


def _equals_ignoring_case(pattern: str, value: str) -> bool:
    return _equals(pattern.lower(), value.lower())


def _is_like_arn(pattern: str, value: str) -> bool:
    """Component by component: a wildcard ends at the colon, but in the last component."""
    patterns, values = (text.split(":", ARN_COMPONENTS - 1) for text in (pattern, value))
    same_length = len(patterns) == len(values)
    return same_length and all(matches(*pair) for pair in zip(patterns, values, strict=True))


# Operator → how one value is compared, and whether the result is negated.
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringLike": (matches, False),
    "StringNotLike": (matches, True),
    "ArnEquals": (_is_like_arn, False),  # AWS: ArnEquals and ArnLike behave identically
    "ArnLike": (_is_like_arn, False),
    "ArnNotEquals": (_is_like_arn, True),
    "ArnNotLike": (_is_like_arn, True),
    "Bool": (_equals_ignoring_case, False),
}


def _is_met(operator: str, key: str, patterns: tuple[str, ...], context: Mapping[str, tuple[str, ...]]) -> bool:
    if key not in CONDITION_KEYS:
        raise UnknownInPolicy(f"condition key {key}")
    if operator == "Null":
        return any(str(pattern).lower() == str(not context.get(key)).lower() for pattern in patterns)
    prefix, _, plain = operator.rpartition(":")
    if_exists = plain.endswith("IfExists")
    plain = plain.removesuffix("IfExists")
    if plain not in OPERATORS or prefix not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownInPolicy(f"operator {operator}")
    values = context.get(key, ())
    if not prefix and (key in MULTIVALUED_KEYS or len(values) > 1):
        raise UnknownInPolicy(f"{operator} of {key}, which has several values: it needs ForAllValues or ForAnyValue")
    compare, is_negated = OPERATORS[plain]

    def is_match(value: str) -> bool:
        return any([compare(str(pattern), value) for pattern in patterns]) != is_negated  # noqa: C419 - each is read

    if not values:
        # ForAllValues over nothing is true; ForAnyValue over nothing is false.
        return if_exists or {"ForAllValues": True, "ForAnyValue": False, "": is_negated}[prefix]
    return (any if prefix == "ForAnyValue" else all)([is_match(value) for value in values])
