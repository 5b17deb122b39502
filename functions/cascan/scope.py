"""What may be scanned, and why not. Fails closed: nothing is allowed until it is named, and a denial wins.

Asked at the request (targets), at launch (the addresses of a name), and on the report (the hosts that answered).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import msgspec

from cascan.addresses import address_in
from cascan.nmap.coverage import first_outside, gap
from cascan.nmap.intervals import Interval, merged, without
from cascan.nmap.octets import Octets
from cascan.nmap.target_kinds import IPV4, Name, Target
from cascan.settings import SettingsError

NEVER = {  # whatever is allowed; source: the IANA special-purpose registries and the clouds' own documentation
    "0.0.0.0/8": "this host",  # a connect() to 0.0.0.0 reaches the worker itself
    "169.254.0.0/16": "link-local: cloud metadata and task credentials",
    "100.100.100.200/32": "cloud metadata",
    "168.63.129.16/32": "cloud metadata",
    "192.0.0.192/32": "cloud metadata",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved and broadcast",
    "::/128": "this host",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
    "fd00:ec2::/32": "cloud metadata and task credentials",
    "fd20:ce::254/128": "cloud metadata",
}
CLOTHED = {  # IPv6 prefix → how far right in it an IPv4 address stands; None: hidden, so always refused
    "::ffff:0:0/96": 0,  # mapped
    "::/96": 0,  # compatible, deprecated
    "64:ff9b::/96": 0,  # NAT64
    "2002::/16": 80,  # 6to4
    "64:ff9b:1::/48": None,  # NAT64 of one network's own layout
    "2001::/32": None,  # Teredo: two addresses, one of them inverted
}
LOOPBACK6 = 1
DOMAIN = re.compile(r"(\*?\.)?(?P<suffix>[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)", re.IGNORECASE)
NOT_GLOBAL = "is not a public address, and its name alone allows public ones only"


def _interval(text: str) -> Interval:
    network = ip_network(text)
    return int(network.network_address), int(network.broadcast_address)


NEVER_WHY = tuple((4 if "." in text else 6, _interval(text), why) for text, why in NEVER.items())
LOOPBACK = ((4, _interval("127.0.0.0/8")), (6, _interval("::1/128")))
CLOTHING = tuple((_interval(text), shift) for text, shift in CLOTHED.items())


class Scope(msgspec.Struct, frozen=True):
    """Allowed minus denied, as intervals by family; and the domains whose names may be asked for."""

    permitted4: tuple[Interval, ...] = ()
    permitted6: tuple[Interval, ...] = ()
    denied: tuple[tuple[int, Interval, str], ...] = ()  # family, interval, as written; loopback unwritten
    domains: tuple[str, ...] = ()
    denied_domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, allowed: Sequence[str], denied: Sequence[str] = ()) -> Scope:
        """Entries are networks, single addresses and domains (`example.org` stands for every name below it as well).

        Raises: SettingsError: names every entry that is none of them.
        """
        problems: list[str] = []
        networks, domains = _entries("AllowedTargets", allowed, problems)
        denied_networks, denied_domains = _entries("DeniedTargets", denied, problems)
        if problems:
            raise SettingsError("; ".join(problems))
        denied_networks += _unnamed_loopback(networks)
        holes = denied_networks + [(family, interval, why) for family, interval, why in NEVER_WHY]
        clothing = [interval for interval, _ in CLOTHING]
        return cls(
            without(_of_family(networks, 4), _of_family(holes, 4)),
            merged(
                (
                    *without(without(_of_family(networks, 6), _of_family(holes, 6)), merged(clothing)),
                    *_loopback6(networks, denied_networks),
                )
            ),
            tuple(denied_networks),
            tuple(domains),
            tuple(denied_domains),
        )

    def refusal_of(self, target: Target) -> str | None:
        """Why the target may not be scanned: one sentence, naming the first address outside. None: it may."""
        if isinstance(target, Name):
            return self._refusal_of_name(target)
        if isinstance(target, Octets):
            outside = first_outside(target, self.permitted4)
            return None if outside is None else self._sentence(4, outside, target.expression)
        if target.count == 1:
            return self.refusal_of_address(str(IPv6Address(target.first)), written=target.expression)
        low, high = target.bounds
        for interval, _ in CLOTHING:
            if interval[0] <= high and low <= interval[1]:
                return f"{target.expression} holds IPv4 addresses in IPv6 clothing; name the IPv4 addresses themselves"
        outside6 = gap(self.permitted6, low, high)
        return None if outside6 is None else self._sentence(6, outside6, target.expression)

    def refusal_of_address(self, address: str, name: str = "", *, written: str = "") -> str | None:
        """Why the address may not be scanned; None: it may. With `name`, an allowed domain covers public addresses.

        An address that cannot be read is refused.
        """
        try:
            family, number = _numbered(address)
        except ValueError:
            return f"{address!r} is no address that can be judged; it stays out"
        if name and (domain := _domain_of(name, self.denied_domains)):
            return f"{name} is in DeniedTargets ({domain})"
        permitted = self.permitted4 if family == IPV4 else self.permitted6
        if gap(permitted, number, number) is None:
            return None
        if not name or not _domain_of(name, self.domains) or self._denial(family, number):
            return self._sentence(family, number, written or name or address)
        if not _is_public(family, number):
            return f"{address} of {name} {NOT_GLOBAL}; add {address} to AllowedTargets"
        return None

    def _refusal_of_name(self, target: Name) -> str | None:
        if domain := _domain_of(target.name, self.denied_domains):
            return f"{target.name} is in DeniedTargets ({domain})"
        networks = self.permitted4 if target.family == IPV4 else self.permitted6
        if networks or (target.count == 1 and _domain_of(target.name, self.domains)):
            return None  # judged again when its addresses are known
        return f"{target.expression} is outside AllowedTargets"

    def _sentence(self, family: int, number: int, written: str) -> str:
        address = str(IPv4Address(number) if family == IPV4 else IPv6Address(number))
        of = "" if written in ("", address) else f" ({written})"
        return f"{address}{of} {self._denial(family, number) or 'is outside AllowedTargets'}"

    def _denial(self, family: int, number: int) -> str:
        for kind, (low, high), why in NEVER_WHY:
            if kind == family and low <= number <= high:
                return f"is never scanned: {why}"
        for kind, (low, high), text in self.denied:
            if kind == family and low <= number <= high:
                return (
                    f"is in DeniedTargets ({text})" if text else "is the worker itself; AllowedTargets has to name it"
                )
        return ""


def _entries(
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
        networks.append((network.version, _span(network), entry))
    return networks, domains


def _span(network: IPv4Network | IPv6Network) -> Interval:
    return int(network.network_address), int(network.broadcast_address)


def _of_family(entries: Iterable[tuple[int, Interval, str]], family: int) -> tuple[Interval, ...]:
    return merged(interval for kind, interval, _ in entries if kind == family)


def _unnamed_loopback(networks: Sequence[tuple[int, Interval, str]]) -> list[tuple[int, Interval, str]]:
    """Loopback that is only allowed along with wider networks: it is not what they are about."""
    unnamed: list[tuple[int, Interval, str]] = []
    for family, (low, high) in LOOPBACK:
        of_family = [span for kind, span, _ in networks if kind == family]
        named = merged((first, last) for first, last in of_family if low <= first and last <= high)
        if any(first <= low and high <= last for first, last in of_family):
            unnamed += ((family, interval, "") for interval in without(((low, high),), named))
    return unnamed


def _loopback6(
    networks: Sequence[tuple[int, Interval, str]], denied: Sequence[tuple[int, Interval, str]]
) -> tuple[Interval, ...]:
    """::1 lies in a prefix of IPv4 in IPv6 clothing, and is none: it counts when it is allowed and not denied."""
    spot = ((LOOPBACK6, LOOPBACK6),)
    outside = without(spot, _of_family(networks, 6))
    return without(without(spot, outside), _of_family(denied, 6))


def _numbered(address: str) -> tuple[int, int]:
    """Family and number; IPv4 in IPv6 clothing is judged as the IPv4 it is."""
    value = address_in(address.partition("%")[0])
    number = int(value)
    if value.version == IPV4:
        return 4, number
    for (low, high), shift in CLOTHING:
        if low <= number <= high and number > LOOPBACK6:
            if shift is None:
                raise ValueError("an IPv4 address hides in it")
            return 4, number >> shift & 0xFFFFFFFF
    return 6, number


def _is_public(family: int, number: int) -> bool:
    value = IPv4Address(number) if family == IPV4 else IPv6Address(number)
    return value.is_global and not value.is_multicast


def _domain_of(name: str, domains: Iterable[str]) -> str:
    """The domain in the list that the name is, or lies below; empty: none."""
    name = name.rstrip(".").lower()
    return next((domain for domain in domains if name == domain or name.endswith(f".{domain}")), "")
