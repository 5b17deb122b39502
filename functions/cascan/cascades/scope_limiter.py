"""Whether a finding may be followed: secureCodeBox's scope limiter over the scan's scope
annotations. Fails closed.

allOf, anyOf and noneOf must all hold; an absent or empty one holds. Three things differ from
secureCodeBox: an address of the other family is not inside a network; NotInCIDR and NotSubdomainOf
mean that no value is inside; and a finding is out of scope where a value of noneOf cannot be
rendered, wholly or in part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Network,
    ip_interface,
    ip_network,
    summarize_address_range,
)
from typing import Any
from urllib.parse import urlsplit

from cascan.errors import Rejected
from cascan.forms.cascades import (
    ALIASES,
    SCOPE_PREFIX,
    ScopeLimiter,
    ScopeOperator,
    ScopeRequirement,
)
from cascan.nmap.special_addresses import IPV4, IPV6, to_effective_number
from cascan.templates.render import TemplateError, compile_values, render_values

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
MAX_DOMAIN_CHARS = 253
MAX_SHOWN_CHARS = 120
MISSING_RENDER = "renders to nothing here"


class ScopeUndecidable(Rejected):
    """A requirement that cannot be decided: no such annotation, or a value that is not an address
    or a domain.
    """


def explain_refusal(
    limiter: ScopeLimiter | None,
    annotations: Mapping[str, str],
    finding: Mapping[str, Any],
    aliases: Mapping[str, str] = ALIASES,
) -> str | None:
    """Why the finding is out of scope, in one sentence with the values compared.

    None: it is in scope.

    Raises: ScopeUndecidable: a requirement cannot be decided, so the finding must not be followed.
    """
    if limiter is None:
        return None

    def check(requirement: ScopeRequirement, *, on_missing: bool) -> tuple[bool, str]:
        return _check(requirement, annotations, finding, aliases, on_missing=on_missing)

    lenient = limiter.valid_on_missing_render
    for requirement in limiter.all_of:
        holds, comparison = check(requirement, on_missing=lenient)
        if not holds:
            return f"allOf: {comparison}"
    if limiter.any_of:
        comparisons: list[str] = []
        for requirement in limiter.any_of:
            holds, comparison = check(requirement, on_missing=lenient)
            if holds:
                break
            comparisons.append(comparison)
        else:
            return f"anyOf: {'; '.join(comparisons)}"
    for requirement in limiter.none_of:
        holds, comparison = check(requirement, on_missing=True)
        if holds:
            return f"noneOf: {comparison}"
    return None


def _check(
    requirement: ScopeRequirement,
    annotations: Mapping[str, str],
    finding: Mapping[str, Any],
    aliases: Mapping[str, str],
    *,
    on_missing: bool,
) -> tuple[bool, str]:
    """Whether the requirement holds, and a sentence with the values compared.

    `on_missing`: whether it holds where a value renders to nothing.
    """
    key, operator = requirement.key, requirement.operator
    if not key.startswith(SCOPE_PREFIX):
        raise ScopeUndecidable(f"key {key!r} does not start with {SCOPE_PREFIX}")
    values: list[str] = []
    try:
        for value in requirement.values:
            rendered = render_values(compile_values(value), finding, aliases)
            if rendered is None:
                return on_missing, f"{key} {operator} {value}: it {MISSING_RENDER}"
            values += rendered
    except TemplateError as exc:
        raise ScopeUndecidable(f"{key}: {exc}") from exc
    annotation = annotations.get(key)
    if annotation is None:
        raise ScopeUndecidable(f"using operator {operator}: the scan has no annotation {key}")
    try:
        holds = OPERATORS[operator](annotation, values)
    except ValueError as exc:
        raise ScopeUndecidable(f"using operator {operator} on {key}: {exc}") from exc
    verb = "holds" if holds else "does not hold"
    comparison = f"{_shown(annotation)} against {_shown(', '.join(values))}"
    return holds, f"{key} {operator} {verb}: {comparison}"


def _in(annotation: str, values: Sequence[str]) -> bool:
    return annotation.strip() in values


def _contains(annotation: str, values: Sequence[str]) -> bool:
    listed = {entry.strip() for entry in annotation.split(",")}
    return all(value.strip() in listed for value in values)


def _in_cidr(annotation: str, values: Sequence[str]) -> bool:
    scope, networks = _parse_networks(annotation, values)
    return all(any(_is_inside(network, allowed) for allowed in scope) for network in networks)


def _not_in_cidr(annotation: str, values: Sequence[str]) -> bool:
    """No value has an address inside."""
    scope, networks = _parse_networks(annotation, values)
    return not any(_overlap(network, allowed) for network in networks for allowed in scope)


def _is_inside(network: Any, outer: Any) -> bool:
    if network.version != outer.version:
        return False
    return bool(outer[0] <= network[0] and network[-1] <= outer[-1])


def _overlap(network: Any, other: Any) -> bool:
    return bool(network.version == other.version and network.overlaps(other))


def _parse_networks(annotation: str, values: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """The networks of the scope, and each value as a network, mostly of a single address.

    Commas separate the networks of a scope, so that it may have networks of both families.

    Raises: ValueError: one of the scope or of the values is not a network. Every value is read, so
        none goes unnoticed.
    """
    scope = [ip_network(text.strip(), strict=False) for text in annotation.split(",")]
    return scope, [_parse_network(value.strip()) for value in values]


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    """The network. IPv6 addresses that all embed IPv4 addresses become these.

    Raises: ValueError: not a network, or only some of its addresses embed IPv4 addresses.
    """
    network = ip_interface(text).network
    if network.version == IPV4:
        return network
    low = to_effective_number(IPV6, int(network[0]))
    high = to_effective_number(IPV6, int(network[-1]))
    if low.family != high.family:
        raise ValueError(f"{_shown(text)} holds embedded IPv4 addresses beside others")
    if low.family == IPV4 and low.embedded_in:
        return next(summarize_address_range(IPv4Address(low.number), IPv4Address(high.number)))
    return network


def _below(annotation: str, values: Sequence[str]) -> list[bool]:
    """For each value, whether it is the domain of the annotation or below it.

    Raises: ValueError: the annotation or a value is not a domain.
    """
    parent = _parse_domain(annotation)
    if len(parent) < 2:  # noqa: PLR2004  `com` alone would be half of the Internet
        raise ValueError(f"{_shown(annotation)} is no domain below a top level")
    return [_parse_domain(value)[-len(parent) :] == parent for value in values]


def _subdomain_of(annotation: str, values: Sequence[str]) -> bool:
    return all(_below(annotation, values))


def _not_subdomain_of(annotation: str, values: Sequence[str]) -> bool:
    return not any(_below(annotation, values))


def _parse_domain(text: str) -> list[str]:
    """The labels of a domain name, or of the host in a URL. Raises: ValueError: neither."""
    place = text.strip()
    host = (urlsplit(place).hostname or "") if "://" in place else place.partition(":")[0]
    labels = host.removesuffix(".").lower().split(".")
    is_domain = len(host) <= MAX_DOMAIN_CHARS and all(LABEL.fullmatch(label) for label in labels)
    if not is_domain or labels[-1].isdigit():
        raise ValueError(f"{_shown(text)} is an invalid domain name")
    return labels


def _not(operator: Callable[[str, Sequence[str]], bool]) -> Callable[[str, Sequence[str]], bool]:
    return lambda annotation, values: not operator(annotation, values)


OPERATORS: Mapping[ScopeOperator, Callable[[str, Sequence[str]], bool]] = {
    ScopeOperator.IN: _in,
    ScopeOperator.NOT_IN: _not(_in),
    ScopeOperator.CONTAINS: _contains,
    ScopeOperator.DOES_NOT_CONTAIN: _not(_contains),
    ScopeOperator.IN_CIDR: _in_cidr,
    ScopeOperator.NOT_IN_CIDR: _not_in_cidr,
    ScopeOperator.SUBDOMAIN_OF: _subdomain_of,
    ScopeOperator.NOT_SUBDOMAIN_OF: _not_subdomain_of,
}


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "...")
