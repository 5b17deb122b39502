"""The cascade part of a request: shape and operators are checked here, its meaning where cascades are decided.

Source: secureCodeBox's CascadeSpec.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from cascan.cascades.template import TemplateError, compile_values
from cascan.errors import RequestRefused
from cascan.forms.fields import read_struct, refused

SCOPE_PREFIX = "scope.cascading.securecodebox.io/"
R = TypeVar("R", bound="Requirement | ScopeRequirement")


class SelectorOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class ScopeOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    CONTAINS = "Contains"
    DOES_NOT_CONTAIN = "DoesNotContain"
    IN_CIDR = "InCIDR"
    NOT_IN_CIDR = "NotInCIDR"
    SUBDOMAIN_OF = "SubdomainOf"
    NOT_SUBDOMAIN_OF = "NotSubdomainOf"


class Requirement(msgspec.Struct, frozen=True):
    """One of matchExpressions."""

    key: str
    operator: SelectorOperator
    values: tuple[str, ...] = ()


class ScopeRequirement(msgspec.Struct, frozen=True):
    """One of a scope limiter's: what the annotation `key` says, against what `values` render to."""

    key: str
    operator: ScopeOperator
    values: tuple[str, ...]


class ScopeLimiter(msgspec.Struct, frozen=True):
    all_of: tuple[ScopeRequirement, ...] = ()
    any_of: tuple[ScopeRequirement, ...] = ()
    none_of: tuple[ScopeRequirement, ...] = ()
    valid_on_missing_render: bool = False


class _LimiterFields(msgspec.Struct, frozen=True, rename="camel"):
    valid_on_missing_render: bool = False
    any_of: tuple[dict[str, Any], ...] = ()
    all_of: tuple[dict[str, Any], ...] = ()
    none_of: tuple[dict[str, Any], ...] = ()


class _Plain(msgspec.Struct, frozen=True, rename="camel"):
    """What is taken as it is written."""

    match_labels: dict[str, str] = {}
    inherit_labels: bool = True
    inherit_annotations: bool = True
    inherit_env: bool = False
    inherit_volumes: bool = False
    inherit_init_containers: bool = False
    inherit_hook_selector: bool = False
    inherit_affinity: bool = True
    inherit_tolerations: bool = True


class _Fields(_Plain, frozen=True):
    match_expressions: tuple[dict[str, Any], ...] = ()
    scope_limiter: dict[str, Any] | None = None


class Cascades(_Plain, frozen=True):
    """Which rules follow a scan, where they may lead, and what their scans inherit."""

    match_expressions: tuple[Requirement, ...] = ()
    scope_limiter: ScopeLimiter | None = None


def check_cascades(cascades: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each problem, by its path; none when there are no cascades."""
    try:
        if cascades is not None:
            read_cascades(cascades)
    except RequestRefused as exc:
        return list(exc.reasons)
    return []


def read_cascades(cascades: Mapping[str, Any]) -> Cascades:
    """Raises: RequestRefused: a sentence for each problem, by its path."""
    path = "cascades."
    read = read_struct(_Fields, cascades, path)
    problems: list[str] = []
    fields = msgspec.structs.asdict(read)
    expressions = _entries(Requirement, read.match_expressions, f"{path}matchExpressions", problems)
    fields |= {"match_expressions": expressions}
    if read.scope_limiter is not None:
        fields |= {"scope_limiter": _limiter(read.scope_limiter, f"{path}scopeLimiter.", problems)}
    if problems:
        raise refused(problems)
    return Cascades(**fields)


def _limiter(fields: Mapping[str, Any], path: str, problems: list[str]) -> ScopeLimiter:
    read = read_struct(_LimiterFields, fields, path)
    return ScopeLimiter(
        all_of=_entries(ScopeRequirement, read.all_of, f"{path}allOf", problems),
        any_of=_entries(ScopeRequirement, read.any_of, f"{path}anyOf", problems),
        none_of=_entries(ScopeRequirement, read.none_of, f"{path}noneOf", problems),
        valid_on_missing_render=read.valid_on_missing_render,
    )


def _entries(kind: type[R], entries: tuple[dict[str, Any], ...], path: str, problems: list[str]) -> tuple[R, ...]:
    """What can be read of the entries; what cannot is told in `problems`."""
    read: list[R] = []
    for index, entry in enumerate(entries):
        try:
            read.append(read_struct(kind, entry, f"{path}[{index}]."))
        except RequestRefused as exc:
            problems += exc.reasons
            continue
        if isinstance(read[-1], ScopeRequirement):
            problems += _scope_problems(read[-1], f"{path}[{index}].")
    return tuple(read)


def _scope_problems(requirement: ScopeRequirement, path: str) -> list[str]:
    problems = []
    if not requirement.key.startswith(SCOPE_PREFIX):
        problems.append(f"{path}key: {requirement.key[:80]!r} does not start with {SCOPE_PREFIX}")
    for value in requirement.values:
        try:
            compile_values(value)
        except TemplateError as exc:
            problems.append(f"{path}values: {exc}")
    return problems
