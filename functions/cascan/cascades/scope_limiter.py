"""Whether a finding may be followed: secureCodeBox's scope limiter over the scan's scope annotations. Fails closed.

allOf, anyOf and noneOf are ANDed; one that is absent or empty holds. Unlike secureCodeBox an address of the other
family is not inside a network, NotInCIDR and NotSubdomainOf mean that none is inside, and what cannot be rendered,
wholly or in part, never holds in noneOf.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_interface, ip_network, summarize_address_range
from typing import Any
from urllib.parse import urlsplit

from cascan.errors import Rejected
from cascan.forms.cascades import ALIASES, SCOPE_PREFIX, ScopeLimiter, ScopeOperator, ScopeRequirement
from cascan.nmap.special_addresses import IPV4, IPV6, to_effective_number
from cascan.templates.render import TemplateError, compile_values, render_values

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
MAX_DOMAIN_CHARS = 253
MISSING_RENDER = "renders to nothing here"


class ScopeUndecidable(Rejected):
    """A requirement that has no answer: no such annotation, no address, no domain."""


def explain_refusal(
    limiter: ScopeLimiter | None,
    annotations: Mapping[str, str],
    finding: Mapping[str, Any],
    aliases: Mapping[str, str] = ALIASES,
) -> str | None:
    """Why the finding is out of scope, in one sentence with what was compared; None: it is in scope.

    Raises: ScopeUnjudgeable: a requirement has no answer, which is no scope either.
    """
    if limiter is None:
        return None

    def verdict(requirement: ScopeRequirement, *, on_missing: bool) -> tuple[bool, str]:
        return _verdict(requirement, annotations, finding, aliases, on_missing=on_missing)

    lenient = limiter.valid_on_missing_render
    for requirement in limiter.all_of:
        holds, said = verdict(requirement, on_missing=lenient)
        if not holds:
            return f"allOf: {said}"
    if limiter.any_of:
        verdicts: list[str] = []
        for requirement in limiter.any_of:
            holds, said = verdict(requirement, on_missing=lenient)
            if holds:
                break
            verdicts.append(said)
        else:
            return f"anyOf: {'; '.join(verdicts)}"
    for requirement in limiter.none_of:
        holds, said = verdict(requirement, on_missing=True)
        if holds:
            return f"noneOf: {said}"
    return None


def _verdict(
    requirement: ScopeRequirement,
    annotations: Mapping[str, str],
    finding: Mapping[str, Any],
    aliases: Mapping[str, str],
    *,
    on_missing: bool,
) -> tuple[bool, str]:
    """Whether it holds, and the comparison in words."""
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
    return holds, f"{key} {operator} {verb}: {_shown(annotation)} against {_shown(', '.join(values))}"


def _in(annotation: str, values: Sequence[str]) -> bool:
    return annotation.strip() in values


def _contains(annotation: str, values: Sequence[str]) -> bool:
    listed = {entry.strip() for entry in annotation.split(",")}
    return all(value.strip() in listed for value in values)


def _in_cidr(annotation: str, values: Sequence[str]) -> bool:
    networks, found = _networks(annotation, values)
    return all(any(_is_inside(one, network) for network in networks) for one in found)


def _not_in_cidr(annotation: str, values: Sequence[str]) -> bool:
    """None of them has an address inside."""
    networks, found = _networks(annotation, values)
    return not any(one.version == network.version and network.overlaps(one) for one in found for network in networks)


def _is_inside(one: Any, network: Any) -> bool:
    return bool(one.version == network.version and network[0] <= one[0] and one[-1] <= network[-1])


def _networks(annotation: str, values: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """The scope's networks, and each value as one: of a single address, as a rule. Every value is read.

    Several networks are parted by commas, so that a scope may have one of each family.
    """
    scope = [ip_network(part.strip(), strict=False) for part in annotation.split(",")]
    return scope, [_network(value.strip()) for value in values]


def _network(text: str) -> IPv4Network | IPv6Network:
    """An embedded IPv4 address is the IPv4 address that it is; of a network as well, where all of it is one.

    Raises: ValueError: no network, or IPv4 addresses hide in it.
    """
    network = ip_interface(text).network
    if network.version == IPV4:
        return network
    low, high = to_effective_number(IPV6, int(network[0])), to_effective_number(IPV6, int(network[-1]))
    if low.family != high.family:
        raise ValueError(f"{_shown(text)} holds embedded IPv4 addresses beside others")
    if low.family == IPV4 and low.embedded_in:
        return next(summarize_address_range(IPv4Address(low.number), IPv4Address(high.number)))
    return network


def _below(annotation: str, values: Sequence[str]) -> list[bool]:
    """For each value whether it is the domain or lies below; each is read, so that an invalid one is told."""
    parent = _labels(annotation)
    if len(parent) < 2:  # noqa: PLR2004  `com` alone would let half of the world in
        raise ValueError(f"{_shown(annotation)} is no domain below a top level")
    return [_labels(value)[-len(parent) :] == parent for value in values]


def _subdomain_of(annotation: str, values: Sequence[str]) -> bool:
    return all(_below(annotation, values))


def _not_subdomain_of(annotation: str, values: Sequence[str]) -> bool:
    return not any(_below(annotation, values))


def _labels(text: str) -> list[str]:
    """Of a domain name, or of the host in a URL. Raises: ValueError: neither."""
    host = (urlsplit(text.strip()).hostname or "") if "://" in text else text.strip().partition(":")[0]
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
    return repr(text if len(text) <= 120 else text[:120] + "...")  # noqa: PLR2004  enough of it to judge
