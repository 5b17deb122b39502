"""What may be scanned, and why the rest may not.

Nothing is allowed until it is named, and a denial wins.

The scope is checked three times: the targets of a request, the addresses of a name at launch, and
the hosts that answered, in the report.
"""

from __future__ import annotations

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
from cascan.nmap.targets.kinds import IPV4, IPV6, Name, Network6, Target
from cascan.patterns import compile_pattern
from cascan.settings import SettingsError

DOMAIN = r"(?i)(\*?\.)?(?P<suffix>[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)"
ENDS_IN_NUMBER = r"(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?$"
UNNAMED_LOOPBACK = "is the worker itself; AllowedTargets has to name it"
NOT_GLOBAL = "is not a public address, and its name alone allows public ones only"


Network = tuple[int, Interval, str]  # family, addresses, as written or its purpose


def _parse_interval(text: str) -> Interval:
    return _to_interval(ip_network(text))


def _to_interval(network: IPv4Network | IPv6Network) -> Interval:
    return int(network.network_address), int(network.broadcast_address)


def _list_blocks(*uses: Use) -> tuple[Network, ...]:
    blocks = find_blocks(*uses)
    return tuple((block.family, (block.low, block.high), block.purpose) for block in blocks)


NEVER = _list_blocks(Use.NEVER, Use.HIDES)
LOOPBACK = ((4, _parse_interval("127.0.0.0/8")), (6, _parse_interval("::1/128")))
MAPPED = 0xFFFF << 32  # ::ffff:0:0
ALLOWED, DENIED = "AllowedTargets", "DeniedTargets"
LOOPBACK6 = _parse_interval("::1/128")
HOLDING_IPV4 = _list_blocks(Use.EMBEDS, Use.HIDES)


class Scope(msgspec.Struct, frozen=True):
    """Allowed minus denied, as intervals by family, and the domains whose names may be scanned."""

    permitted4: tuple[Interval, ...] = ()
    permitted6: tuple[Interval, ...] = ()
    denied: tuple[Network, ...] = ()  # the text is empty for loopback that is not named
    domains: tuple[str, ...] = ()
    denied_domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, allowed: Sequence[str], denied: Sequence[str] = ()) -> Scope:
        """The scope of two lists of networks, addresses and domains.

        `example.org` includes every name below it.

        Raises: SettingsError: names every entry that is neither a network nor a domain.
        """
        problems: list[str] = []
        networks, domains = _parse_entries(ALLOWED, allowed, problems)
        denied_networks, denied_domains = _parse_entries(DENIED, denied, problems)
        if problems:
            raise SettingsError("; ".join(problems))
        denied_networks += _find_unnamed_loopback(networks)
        holes = [*denied_networks, *NEVER, *HOLDING_IPV4]
        permitted4 = subtract_intervals(_filter_family(networks, 4), _filter_family(holes, 4))
        permitted6 = subtract_intervals(_filter_family(networks, 6), _filter_family(holes, 6))
        loopback6 = _permit_loopback6(networks, denied_networks)
        return cls(
            permitted4=permitted4,
            permitted6=merge_intervals((*permitted6, *loopback6)),
            denied=tuple(denied_networks),
            domains=tuple(domains),
            denied_domains=tuple(denied_domains),
        )

    def find_refusal(self, target: Target) -> str | None:
        """Why the target may not be scanned: a sentence that names its first address outside.

        None: it may.
        """
        if isinstance(target, Name):
            return self._find_name_refusal(target)
        if isinstance(target, Network6):
            return self._find_network6_refusal(target)
        outside = find_first_outside(target, self.permitted4)
        return None if outside is None else self._write_refusal(IPV4, outside, target.expression)

    def _find_network6_refusal(self, target: Network6) -> str | None:
        if target.count == 1:
            address = str(IPv6Address(target.first))
            return self.find_address_refusal(address, written=target.expression)
        low, high = target.bounds
        meets_ipv4 = any(start <= high and low <= end for _, (start, end), _ in HOLDING_IPV4)
        is_in_isatap = low >> 32 == high >> 32 and is_isatap(IPV6, low)  # no wider network can be scanned
        if meets_ipv4 or is_in_isatap:
            embedding = f"{target.expression} holds embedded IPv4 addresses"
            return f"{embedding}; name the IPv4 addresses themselves"
        outside = find_gap(self.permitted6, low, high)
        return None if outside is None else self._write_refusal(IPV6, outside, target.expression)

    def find_address_refusal(self, address: str, name: str = "", *, written: str = "") -> str | None:
        """Why the address may not be scanned.

        None: it may. An address that cannot be parsed is refused.

        With the `name` that resolved to it, an allowed domain permits any public address. `written`
        is the target's expression, for the sentence.
        """
        try:
            value = parse_address(address.partition("%")[0])
            judged = to_effective_number(value.version, int(value))
        except HiddenIPv4 as exc:
            return f"{address} cannot be judged, so it is not scanned: {exc}"
        except ValueError:
            return f"{address!r} is not a valid address, so it is not scanned"
        denied_domain = _find_domain(name, self.denied_domains) if name else ""
        if denied_domain:
            return f"{name} is in DeniedTargets ({denied_domain})"
        label = written or name or address
        embedding = self._find_embedding_refusal(value.version, int(value), judged, label)
        return embedding or self._find_number_refusal(judged, address, name, label)

    def find_address_denial(self, address: str) -> str:
        """Why packets may not carry the address, even if it is allowed: a sentence.

        Empty: they may.
        """
        try:
            value = parse_address(address.partition("%")[0])
            judged = to_effective_number(value.version, int(value))
        except ValueError:
            return f"{address!r} is not a valid address, so it is not scanned"
        denial = self._find_denial(value.version, int(value))
        denial = denial or self._find_denial(judged.family, judged.number)
        return f"{address} {denial}" if denial else ""

    def _find_embedding_refusal(self, family: int, number: int, judged: EffectiveAddress, written: str) -> str:
        """Why an IPv6 address is refused, whatever IPv4 address it embeds. Empty: it is not."""
        if not judged.embedded_in:
            return ""
        if self._find_denial(family, number):
            return self._write_refusal(family, number, written)
        if is_loopback(judged.text):
            worker = f"{judged.text} ({written}) is the worker itself"
            return f"{worker}; an embedded address may not name it"
        is_outside = find_gap(self.permitted6, number, number) is not None
        if is_outside and judged.embedded_in is ISATAP_BLOCK:
            return self._write_refusal(family, number, written)
        return ""

    def _find_number_refusal(self, judged: EffectiveAddress, address: str, name: str, written: str) -> str | None:
        """Why the address that packets would go to is refused. None: it is not."""
        family, number = judged.family, judged.number
        permitted = self.permitted4 if family == IPV4 else self.permitted6
        if find_gap(permitted, number, number) is None:
            return None
        if not name or not _find_domain(name, self.domains) or self._find_denial(family, number):
            return self._write_refusal(family, number, written)
        if not is_public(family, number):
            return f"{address} of {name} {NOT_GLOBAL}; add {address} to AllowedTargets"
        return None

    def _find_name_refusal(self, target: Name) -> str | None:
        denied_domain = _find_domain(target.name, self.denied_domains)
        if denied_domain:
            return f"{target.name} is in DeniedTargets ({denied_domain})"
        networks = self.permitted4 if target.family == IPV4 else self.permitted6
        if networks or (target.count == 1 and _find_domain(target.name, self.domains)):
            return None  # its addresses are judged when they are known
        return f"{target.expression} is outside AllowedTargets"

    def _write_refusal(self, family: int, number: int, written: str) -> str:
        address = str(IPv4Address(number) if family == IPV4 else IPv6Address(number))
        origin = "" if written in ("", address) else f" ({written})"
        reason = self._find_denial(family, number) or "is outside AllowedTargets"
        return f"{address}{origin} {reason}"

    def _find_denial(self, family: int, number: int) -> str:
        """Why an address is denied, as the end of a sentence. Empty: it is not denied."""
        purpose = find_never_scanned_purpose(family, number)
        if purpose:
            return f"is never scanned: {purpose}"
        for denied_family, (low, high), text in self.denied:
            if denied_family == family and low <= number <= high:
                return f"is in DeniedTargets ({text})" if text else UNNAMED_LOOPBACK
        return ""


def _parse_entries(parameter: str, entries: Sequence[str], problems: list[str]) -> tuple[list[Network], list[str]]:
    """The networks and the domains of a list.

    Adds a sentence to `problems` for each entry that is neither.
    """
    networks: list[Network] = []
    domains: list[str] = []
    for entry in entries:
        try:
            network = ip_network(entry)
        except ValueError as exc:
            match = compile_pattern(DOMAIN).fullmatch(entry)
            if match and not compile_pattern(ENDS_IN_NUMBER).search(entry):
                domains.append(match["suffix"].rstrip(".").lower())
            else:
                problems.append(f"{parameter}: {entry!r} is neither a network nor a domain ({exc})")
            continue
        problem = _find_embedding(network, is_denied=parameter == DENIED)
        if problem:
            problems.append(f"{parameter}: {entry!r} {problem}")
        networks.append((network.version, _to_interval(network), entry))
    return networks, domains


def _find_embedding(network: IPv4Network | IPv6Network, *, is_denied: bool) -> str:
    """Why a network may not be in a list. Empty: it may.

    Embedded IPv4 addresses are judged as IPv4, so they cannot be allowed here. A denial of them
    holds as written. Only mapped addresses certainly mean IPv4, so they cannot be denied here
    either.
    """
    low, high = _to_interval(network)
    if network.version != IPV6 or low <= LOOPBACK6[1]:
        return ""
    for _, (start, end), purpose in HOLDING_IPV4:
        means_ipv4 = not is_denied or start == MAPPED
        if means_ipv4 and start <= low and high <= end:
            embedding = f"holds embedded IPv4 addresses ({purpose}), which are judged as IPv4"
            return f"{embedding}: name the IPv4 network"
    return ""


def _filter_family(networks: Iterable[Network], family: int) -> tuple[Interval, ...]:
    return merge_intervals(interval for version, interval, _ in networks if version == family)


def _find_unnamed_loopback(networks: Sequence[Network]) -> list[Network]:
    """Loopback addresses that are allowed only as a part of wider networks.

    Those do not mean the worker itself.
    """
    unnamed: list[Network] = []
    for family, (low, high) in LOOPBACK:
        intervals = [interval for version, interval, _ in networks if version == family]
        if any(start <= low and high <= end for start, end in intervals):
            inside = [(start, end) for start, end in intervals if low <= start and end <= high]
            remaining = subtract_intervals(((low, high),), merge_intervals(inside))
            unnamed += ((family, interval, "") for interval in remaining)
    return unnamed


def _permit_loopback6(networks: Sequence[Network], denied: Sequence[Network]) -> tuple[Interval, ...]:
    """::1, if it is allowed and not denied.

    It lies in a block that embeds IPv4, but embeds no address itself.
    """
    not_allowed = subtract_intervals((LOOPBACK6,), _filter_family(networks, 6))
    allowed = subtract_intervals((LOOPBACK6,), not_allowed)
    return subtract_intervals(allowed, _filter_family(denied, 6))


def _find_domain(name: str, domains: Iterable[str]) -> str:
    """The domain in the list that is the name or a parent of it. Empty: there is none."""
    name = name.rstrip(".").lower()
    for domain in domains:
        if name == domain or name.endswith(f".{domain}"):
            return domain
    return ""
