"""The `cascades` of a request.

Its shape and operators are checked here; cascan.cascades decides what follows.

Source: secureCodeBox's CascadeSpec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from cascan.errors import RequestRefused
from cascan.forms.fields import build_refusal, read_struct
from cascan.limits import MAX_LABELS, MAX_REQUIREMENT_VALUES, MAX_REQUIREMENTS
from cascan.templates.render import TemplateError, compile_values, find_unknown_aliases

SCOPE_PREFIX = "scope.cascading.securecodebox.io/"
# of the scope limiter; secureCodeBox's manual also writes it one level higher
LENIENT = "validOnMissingRender"
# in an example of its manual; accepted, since ignoring it would select more rules
SINGLE_EXPRESSION = "matchExpression"
# of `$` in a limiter's values, as in secureCodeBox's parse definition of nmap
ALIASES: Mapping[str, str] = {
    "domain": "{{attributes.hostname}}",
    "hostname": "{{attributes.hostname}}",
    "address": "{{#asList}}attributes.ip_addresses{{/asList}}",
}
S = TypeVar("S", bound=msgspec.Struct)


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
    """One of a scope limiter: the annotation `key`, compared with the rendered `values`."""

    key: str
    operator: ScopeOperator
    values: tuple[str, ...]


class ScopeLimiter(msgspec.Struct, frozen=True, rename="camel"):
    all_of: tuple[ScopeRequirement, ...] = ()
    any_of: tuple[ScopeRequirement, ...] = ()
    none_of: tuple[ScopeRequirement, ...] = ()
    valid_on_missing_render: bool = False


class Cascades(msgspec.Struct, frozen=True, rename="camel"):
    """Which rules follow a scan, where they may lead, and what their scans inherit."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()
    scope_limiter: ScopeLimiter | None = None
    # name in `{{$.name}}` → a template, as in a parse definition
    scope_limiter_aliases: dict[str, str] = {}
    inherit_labels: bool = True
    inherit_annotations: bool = True
    inherit_env: bool = False
    inherit_volumes: bool = False
    inherit_init_containers: bool = False
    inherit_hook_selector: bool = False
    inherit_affinity: bool = True
    inherit_tolerations: bool = True


def check_cascades(cascades: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each problem, beginning with its path."""
    try:
        if cascades is not None:
            read_cascades(cascades)
    except RequestRefused as exc:
        return list(exc.reasons)
    return []


def read_cascades(cascades: Mapping[str, Any]) -> Cascades:
    """Null is absent, as in Kubernetes.

    Raises: RequestRefused: a sentence for each problem, by its path.
    """
    path, problems = "cascades.", list[str]()
    fields = _without_nulls(cascades)
    if isinstance(fields.get(SINGLE_EXPRESSION), dict) and "matchExpressions" not in fields:
        fields["matchExpressions"] = [fields.pop(SINGLE_EXPRESSION)]
    fields |= _entries(Requirement, fields, ("matchExpressions",), path, problems)
    lenient = {LENIENT: fields.pop(LENIENT)} if LENIENT in fields else {}
    limiter = fields.get("scopeLimiter")
    if isinstance(limiter, dict):
        limiter_path = f"{path}scopeLimiter."
        limiter = lenient | _without_nulls(limiter)
        entries = _entries(
            ScopeRequirement,
            limiter,
            ("allOf", "anyOf", "noneOf"),
            limiter_path,
            problems,
        )
        fields["scopeLimiter"] = _read(ScopeLimiter, {**limiter, **entries}, limiter_path, problems)
    problems += _alias_problems(fields, path)
    read = _read(Cascades, fields, path, problems)
    if problems or read is None:
        raise build_refusal(problems)
    return read


def find_scope_notes(cascades: Mapping[str, Any]) -> Iterator[str]:
    """A note on each value of a scope limiter that can never render, by its path.

    The cascades were checked before.
    """
    read = read_cascades(cascades)
    aliases = {*ALIASES, *read.scope_limiter_aliases, "hostOrIP"}
    limiter = read.scope_limiter or ScopeLimiter()
    lists = (("allOf", limiter.all_of), ("anyOf", limiter.any_of), ("noneOf", limiter.none_of))
    for name, requirements in lists:
        for index, requirement in enumerate(requirements):
            for value in requirement.values:
                for unknown in find_unknown_aliases(compile_values(value), aliases):
                    yield (
                        f"cascades.scopeLimiter.{name}[{index}].values: {{{{{unknown}}}}} never renders "
                        f"to anything: of $ there are {', '.join(sorted(aliases))}; "
                        "cascades.scopeLimiterAliases takes others"
                    )


def _alias_problems(fields: Mapping[str, Any], path: str) -> Iterator[str]:
    aliases = fields.get("scopeLimiterAliases")
    if not isinstance(aliases, dict):
        return  # read_cascades reports it when it reads the whole
    if len(aliases) > MAX_LABELS:
        yield f"{path}scopeLimiterAliases: {len(aliases)} entries are more than {MAX_LABELS}"
    for name, text in list(aliases.items())[:MAX_LABELS]:
        try:
            compile_values(text) if isinstance(text, str) else None
        except TemplateError as exc:
            yield f"{path}scopeLimiterAliases.{name[:64]}: {exc}"


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _entries(
    kind: type[msgspec.Struct],
    fields: Mapping[str, Any],
    names: tuple[str, ...],
    path: str,
    problems: list[str],
) -> dict[str, list[Any]]:
    """By list name, the entries that can be read.

    Each other entry adds to `problems`, by its own path.
    """
    read: dict[str, list[Any]] = {}
    for name in names:
        if not isinstance(fields.get(name), list | tuple):
            continue
        read[name] = []
        if len(fields[name]) > MAX_REQUIREMENTS:
            count = len(fields[name])
            excess = f"{count} entries are more than {MAX_REQUIREMENTS}"
            problems.append(f"{path}{name}: {excess}; join some")
        for index, entry in enumerate(fields[name][:MAX_REQUIREMENTS]):
            place = f"{path}{name}[{index}]"
            if not isinstance(entry, dict):
                problems.append(f"{place}: expected a mapping, got {type(entry).__name__}")
            elif value := _read(kind, _without_nulls(entry), f"{place}.", problems):
                read[name].append(value)
                problems += _value_problems(value, f"{place}.")
    return read


def _read(kind: type[S], fields: Mapping[str, Any], path: str, problems: list[str]) -> S | None:
    """None: it cannot be read, and `problems` says why."""
    try:
        return read_struct(kind, fields, path)
    except RequestRefused as exc:
        problems += exc.reasons
        return None


def _value_problems(requirement: Any, path: str) -> list[str]:
    """The number of values is limited, since each is compared for every finding or every rule."""
    if len(requirement.values) > MAX_REQUIREMENT_VALUES:
        count = len(requirement.values)
        return [f"{path}values: {count} entries are more than {MAX_REQUIREMENT_VALUES}"]
    return _scope_problems(requirement, path) if isinstance(requirement, ScopeRequirement) else []


def _scope_problems(requirement: ScopeRequirement, path: str) -> list[str]:
    problems = []
    if not requirement.values:
        problems.append(f"{path}values: empty; name what {requirement.key[:80]} is compared with")
    if not requirement.key.startswith(SCOPE_PREFIX):
        problems.append(f"{path}key: {requirement.key[:80]!r} does not start with {SCOPE_PREFIX}")
    for value in requirement.values:
        try:
            compile_values(value)
        except TemplateError as exc:
            problems.append(f"{path}values: {exc}")
    return problems
