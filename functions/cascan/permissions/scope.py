"""What may be scanned, and why not. Fails closed: nothing is allowed until it is named, and a denial wins.

Checked at the request (its targets), at launch (the addresses of a name), and on the report (the hosts that answered).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import msgspec

from cascan.nmap.addresses import is_loopback, parse_address
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from cascan.nmap.special_addresses import (
    ISATAP_BLOCK,
    EffectiveAddress,
    HiddenIPv4,
    Use,
    find_blocks,
    find_never_scanned_purpose,
    is_isatap,
    is_public,
    to_effective_number,
)
from cascan.nmap.targets.coverage import find_first_outside, find_gap
from cascan.nmap.targets.kinds import IPV4, IPV6, Name, Target
from cascan.nmap.targets.octets import Octets
from cascan.settings import SettingsError

DOMAIN = re.compile(r"(\*?\.)?(?P<suffix>[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)", re.IGNORECASE)
NOT_GLOBAL = "is not a public address, and its name alone allows public ones only"


def _parse_interval(text: str) -> Interval:
    network = ip_network(text)
    return int(network.network_address), int(network.broadcast_address)


def _list_spans(*uses: Use) -> tuple[tuple[int, Interval, str], ...]:
    return tuple((block.family, (block.low, block.high), block.purpose) for block in find_blocks(*uses))


NEVER = _list_spans(Use.NEVER, Use.HIDES)
LOOPBACK = ((4, _parse_interval("127.0.0.0/8")), (6, _parse_interval("::1/128")))
MAPPED = 0xFFFF << 32  # ::ffff:0:0
ALLOWED, DENIED = "AllowedTargets", "DeniedTargets"
LOOPBACK6 = _parse_interval("::1/128")
HOLDING_IPV4 = _list_spans(Use.EMBEDS, Use.HIDES)


class Scope(msgspec.Struct, frozen=True):
    """Allowed minus denied, as intervals by family, and the domains whose names may be scanned."""

    permitted4: tuple[Interval, ...] = ()
    permitted6: tuple[Interval, ...] = ()
    denied: tuple[tuple[int, Interval, str], ...] = ()  # family, interval, as written; empty for loopback
    domains: tuple[str, ...] = ()
    denied_domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, allowed: Sequence[str], denied: Sequence[str] = ()) -> Scope:
        """Entries are networks, single addresses and domains (`example.org` includes every name below it).

        Raises: SettingsError: names every entry that is neither.
        """
        problems: list[str] = []
        networks, domains = _parse_entries(ALLOWED, allowed, problems)
        denied_networks, denied_domains = _parse_entries(DENIED, denied, problems)
        if problems:
            raise SettingsError("; ".join(problems))
        denied_networks += _find_unnamed_loopback(networks)
        holes = [*denied_networks, *NEVER, *HOLDING_IPV4]
        return cls(
            subtract_intervals(_filter_family(networks, 4), _filter_family(holes, 4)),
            merge_intervals(
                (
                    *subtract_intervals(_filter_family(networks, 6), _filter_family(holes, 6)),
                    *_permit_loopback6(networks, denied_networks),
                )
            ),
            tuple(denied_networks),
            tuple(domains),
            tuple(denied_domains),
        )

    def find_refusal(self, target: Target) -> str | None:
        """Why the target may not be scanned: one sentence, naming its first address outside. None: it may."""
        if isinstance(target, Name):
            return self._find_name_refusal(target)
        if isinstance(target, Octets):
            outside = find_first_outside(target, self.permitted4)
            return None if outside is None else self._write_refusal(4, outside, target.expression)
        if target.count == 1:
            return self.find_address_refusal(str(IPv6Address(target.first)), written=target.expression)
        low, high = target.bounds
        meets_ipv4 = any(start <= high and low <= end for _, (start, end), _ in HOLDING_IPV4)
        if meets_ipv4 or (low >> 32 == high >> 32 and is_isatap(IPV6, low)):  # no scan has a network wider than that
            return f"{target.expression} holds embedded IPv4 addresses; name the IPv4 addresses themselves"
        outside6 = find_gap(self.permitted6, low, high)
        return None if outside6 is None else self._write_refusal(6, outside6, target.expression)

    def find_address_refusal(self, address: str, name: str = "", *, written: str = "") -> str | None:
        """Why the address may not be scanned; None: it may. With `name`, an allowed domain covers public addresses.

        An address that cannot be parsed is refused.
        """
        try:
            value = parse_address(address.partition("%")[0])
            judged = to_effective_number(value.version, int(value))
        except HiddenIPv4 as exc:
            return f"{address} cannot be judged, so it is not scanned: {exc}"
        except ValueError:
            return f"{address!r} is not a valid address, so it is not scanned"
        if name and (domain := _find_domain(name, self.denied_domains)):
            return f"{name} is in DeniedTargets ({domain})"
        embedding = self._find_embedding_refusal(value.version, int(value), judged, written or name or address)
        return embedding or self._find_number_refusal(judged.family, judged.number, address, name, written)

    def find_address_denial(self, address: str) -> str:
        """Why packets may not carry the address, whatever is allowed: one sentence. Empty: they may."""
        try:
            value = parse_address(address.partition("%")[0])
            judged = to_effective_number(value.version, int(value))
        except ValueError:
            return f"{address!r} is not a valid address, so it is not scanned"
        denial = self._find_denial(value.version, int(value)) or self._find_denial(judged.family, judged.number)
        return f"{address} {denial}" if denial else ""

    def _find_embedding_refusal(self, family: int, number: int, judged: EffectiveAddress, written: str) -> str:
        """Why an IPv6 address is refused before the IPv4 address that it embeds is judged. Empty: it is not."""
        if not judged.embedded_in:
            return ""
        if self._find_denial(family, number):
            return self._write_refusal(family, number, written)
        if is_loopback(judged.text):
            return f"{judged.text} ({written}) is the worker itself; an embedded address may not name it"
        if judged.embedded_in is ISATAP_BLOCK and find_gap(self.permitted6, number, number) is not None:
            return self._write_refusal(family, number, written)
        return ""

    def _find_number_refusal(self, family: int, number: int, address: str, name: str, written: str) -> str | None:
        permitted = self.permitted4 if family == IPV4 else self.permitted6
        if find_gap(permitted, number, number) is None:
            return None
        if not name or not _find_domain(name, self.domains) or self._find_denial(family, number):
            return self._write_refusal(family, number, written or name or address)
        if not is_public(family, number):
            return f"{address} of {name} {NOT_GLOBAL}; add {address} to AllowedTargets"
        return None

    def _find_name_refusal(self, target: Name) -> str | None:
        if domain := _find_domain(target.name, self.denied_domains):
            return f"{target.name} is in DeniedTargets ({domain})"
        networks = self.permitted4 if target.family == IPV4 else self.permitted6
        if networks or (target.count == 1 and _find_domain(target.name, self.domains)):
            return None  # its addresses are judged when they are known
        return f"{target.expression} is outside AllowedTargets"

    def _write_refusal(self, family: int, number: int, written: str) -> str:
        address = str(IPv4Address(number) if family == IPV4 else IPv6Address(number))
        origin = "" if written in ("", address) else f" ({written})"
        return f"{address}{origin} {self._find_denial(family, number) or 'is outside AllowedTargets'}"

    def _find_denial(self, family: int, number: int) -> str:
        if why := find_never_scanned_purpose(family, number):
            return f"is never scanned: {why}"
        for kind, (low, high), text in self.denied:
            if kind == family and low <= number <= high:
                return (
                    f"is in DeniedTargets ({text})" if text else "is the worker itself; AllowedTargets has to name it"
                )
        return ""


def _parse_entries(
    parameter: str, entries: Sequence[str], problems: list[str]
) -> tuple[list[tuple[int, Interval, str]], list[str]]:
    networks: list[tuple[int, Interval, str]] = []
    domains: list[str] = []
    for entry in entries:
        try:
            network = ip_network(entry)
        except ValueError as exc:
            match = DOMAIN.fullmatch(entry)
            if match and not re.search(r"(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?$", entry):
                domains.append(match["suffix"].rstrip(".").lower())
            else:
                problems.append(f"{parameter}: {entry!r} is neither a network nor a domain ({exc})")
            continue
        if problem := _find_embedding(network, is_denied=parameter == DENIED):
            problems.append(f"{parameter}: {entry!r} {problem}")
        networks.append((network.version, _to_span(network), entry))
    return networks, domains


def _find_embedding(network: IPv4Network | IPv6Network, *, is_denied: bool) -> str:
    """Why a network may not be in a list. Empty: it may. Embedded IPv4 addresses are judged as IPv4.

    A denial holds for the addresses as they are written: only of mapped ones it is certain that they mean IPv4.
    """
    low, high = _to_span(network)
    for family, (start, end), purpose in HOLDING_IPV4:
        means_ipv4 = not is_denied or start == MAPPED
        is_inside = network.version == family and start <= low and high <= end and low > LOOPBACK6[1]
        if is_inside and means_ipv4:
            return f"holds embedded IPv4 addresses ({purpose}), which are judged as IPv4: name the IPv4 network"
    return ""


def _to_span(network: IPv4Network | IPv6Network) -> Interval:
    return int(network.network_address), int(network.broadcast_address)


def _filter_family(entries: Iterable[tuple[int, Interval, str]], family: int) -> tuple[Interval, ...]:
    return merge_intervals(interval for kind, interval, _ in entries if kind == family)


def _find_unnamed_loopback(networks: Sequence[tuple[int, Interval, str]]) -> list[tuple[int, Interval, str]]:
    """Loopback that is allowed only as a part of wider networks: those do not mean the worker itself."""
    unnamed: list[tuple[int, Interval, str]] = []
    for family, (low, high) in LOOPBACK:
        of_family = [span for kind, span, _ in networks if kind == family]
        named = merge_intervals((start, end) for start, end in of_family if low <= start and end <= high)
        if any(start <= low and high <= end for start, end in of_family):
            unnamed += ((family, interval, "") for interval in subtract_intervals(((low, high),), named))
    return unnamed


def _permit_loopback6(
    networks: Sequence[tuple[int, Interval, str]], denied: Sequence[tuple[int, Interval, str]]
) -> tuple[Interval, ...]:
    """::1 lies in a block that embeds IPv4 but embeds none itself. It needs to be allowed, and not denied."""
    not_allowed = subtract_intervals((LOOPBACK6,), _filter_family(networks, 6))
    allowed = subtract_intervals((LOOPBACK6,), not_allowed)
    return subtract_intervals(allowed, _filter_family(denied, 6))


def _find_domain(name: str, domains: Iterable[str]) -> str:
    """The domain in the list that the name equals or lies below. Empty: there is none."""
    name = name.rstrip(".").lower()
    return next((domain for domain in domains if name == domain or name.endswith(f".{domain}")), "")
