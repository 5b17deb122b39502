"""The cascade part of a request: shape and operators are checked here, its meaning where cascades are decided.

Source: secureCodeBox's CascadeSpec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from cascan.errors import RequestRefused
from cascan.forms.fields import read_struct


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


class _Requirement(msgspec.Struct, frozen=True):
    key: str
    operator: SelectorOperator
    values: tuple[str, ...] = ()


class _ScopeRequirement(msgspec.Struct, frozen=True):
    key: str
    operator: ScopeOperator
    values: tuple[str, ...]


class _ScopeLimiter(msgspec.Struct, frozen=True, rename="camel"):
    valid_on_missing_render: bool = False
    any_of: tuple[dict[str, Any], ...] = ()
    all_of: tuple[dict[str, Any], ...] = ()
    none_of: tuple[dict[str, Any], ...] = ()


class _Cascades(msgspec.Struct, frozen=True, rename="camel"):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[dict[str, Any], ...] = ()
    scope_limiter: dict[str, Any] = {}
    inherit_labels: bool = True
    inherit_annotations: bool = True
    inherit_env: bool = False
    inherit_volumes: bool = False
    inherit_init_containers: bool = False
    inherit_hook_selector: bool = False
    inherit_affinity: bool = True
    inherit_tolerations: bool = True


def check_cascades(cascades: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each problem, by its path; none when there are no cascades."""
    return list(_problems(cascades, "cascades.")) if cascades is not None else []


def _problems(cascades: Mapping[str, Any], path: str) -> Iterator[str]:
    try:
        read = read_struct(_Cascades, cascades, path)
        limiter = read_struct(_ScopeLimiter, read.scope_limiter, f"{path}scopeLimiter.")
    except RequestRefused as refused:
        yield from refused.reasons
        return
    lists: list[tuple[str, type[msgspec.Struct], tuple[dict[str, Any], ...]]] = [
        ("matchExpressions", _Requirement, read.match_expressions),
        ("scopeLimiter.anyOf", _ScopeRequirement, limiter.any_of),
        ("scopeLimiter.allOf", _ScopeRequirement, limiter.all_of),
        ("scopeLimiter.noneOf", _ScopeRequirement, limiter.none_of),
    ]
    for name, kind, entries in lists:
        for index, entry in enumerate(entries):
            try:
                read_struct(kind, entry, f"{path}{name}[{index}].")
            except RequestRefused as refused:
                yield from refused.reasons
