"""The open ports of the inventory → the text of a first file, which expects just these.

The same inventory gives the same text. Hosts with the same ports become one entry, for a group. A
host that was scanned under a name is written by that name, if all of its addresses agree.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_address
from itertools import pairwise

import msgspec

from cascan.exposure.expectations import normalize_name
from cascan.limits import MAX_GROUP_HOSTS
from cascan.model.inventory import PortKey

MIN_FOLDED = 3  # neighbours become a range from this many on
MAX_COMMENT_NAMES = 8
MAX_LINE = 100
HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
SERVICE = re.compile(r"[!-~]{1,80}")
PLAIN_SERVICE = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
YAML_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "none"})
LAST_OCTET = 255
HEADER = """\
# Expected exposure: which ports should be reachable, and from where.
#
# Written from the inventory: {hosts}, {ports}. Everything that was
# open is expected here. Remove what should not be open, and say why of what should.
#
#   cascan exposure check FILE     what differs from it
#   cascan exposure plan FILE      what a change would mean
#
# An entry without `from` holds for every vantage, also for those that are added later.

"""


class OpenHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that is up, with its open ports as one vantage sees them."""

    address: str
    vantage: str
    ports: dict[PortKey, str]  # with the service, if it was probed
    asked_name: str = ""  # under which it was scanned
    hostname: str = ""  # for the comment: it may come from reverse DNS


class _Rule(msgspec.Struct, frozen=True, order=True):
    """Ports that have the same vantages and service."""

    vantages: tuple[str, ...]  # empty: all
    service: str
    ports: tuple[PortKey, ...]


_Rules = tuple[_Rule, ...]


class _Member(msgspec.Struct, frozen=True):
    text: str  # an address or a name
    order: tuple[int, int, str]
    comment: str = ""


def render_initial_file(hosts: Iterable[OpenHost], vantages: Sequence[str]) -> str:
    """`vantages`: all that have looks. An entry names its vantages where it does not hold for all."""
    seen = [host for host in hosts if host.ports]
    rules = _collect_rules(seen, vantages)
    by_rules: defaultdict[_Rules, list[_Member]] = defaultdict(list)
    for member, of_member in _list_members(seen, rules):
        by_rules[of_member].append(member)
    sections = sorted(by_rules.items(), key=lambda section: min(member.order for member in section[1]))
    groups: list[str] = []
    entries: list[str] = []
    used_names: set[str] = set()
    for of_members, members in sections:
        for chunk in _split(sorted(members, key=lambda member: member.order)):
            entries += _render_section(of_members, chunk, used_names, groups)
    ports = sum(len(rule.ports) for of_host in rules.values() for rule in of_host)
    header = HEADER.format(hosts=_count(len(rules), "host"), ports=_count(ports, "open port"))
    body = ["groups:", *groups, ""] if groups else []
    body += ["expected:", *entries] if entries else ["expected: []"]
    return header + "\n".join(body) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _collect_rules(hosts: Sequence[OpenHost], vantages: Sequence[str]) -> dict[str, _Rules]:
    """By address, what is open from where."""
    seen_from: defaultdict[str, defaultdict[tuple[PortKey, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for host in hosts:
        for key, service in host.ports.items():
            written = service.lower() if SERVICE.fullmatch(service) else ""
            seen_from[host.address][key, written].add(host.vantage)
    every = set(vantages)
    rules = {}
    for address, ports in seen_from.items():
        grouped: defaultdict[tuple[tuple[str, ...], str], list[PortKey]] = defaultdict(list)
        for (key, service), places in ports.items():
            names = () if places >= every else tuple(sorted(places))
            grouped[names, service].append(key)
        of_address = (_Rule(names, service, tuple(sorted(keys))) for (names, service), keys in grouped.items())
        rules[address] = tuple(sorted(of_address, key=lambda rule: (rule.ports, rule.vantages, rule.service)))
    return rules


def _list_members(hosts: Sequence[OpenHost], rules: Mapping[str, _Rules]) -> Iterator[tuple[_Member, _Rules]]:
    """The names and addresses to write, each once."""
    addresses_by_name: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[str]] = defaultdict(set)
    hostnames: dict[str, str] = {}
    for host in hosts:
        if HOST_NAME.fullmatch(host.hostname):
            hostnames.setdefault(host.address, host.hostname)
        if _is_full_name(host.asked_name):
            name = normalize_name(host.asked_name)
            addresses_by_name[name].add(host.address)
            names[host.address].add(name)
    written = set()
    for name, addresses in sorted(addresses_by_name.items()):
        agree = len({rules[address] for address in addresses}) == 1
        if not agree or any(len(names[address]) > 1 for address in addresses):
            continue
        ordered = sorted(addresses, key=_to_order)
        yield _Member(name, _to_order(ordered[0]), ", ".join(ordered[:MAX_COMMENT_NAMES])), rules[ordered[0]]
        written |= addresses
    for address in rules.keys() - written:
        yield _Member(address, _to_order(address), hostnames.get(address, "")), rules[address]


def _is_full_name(name: str) -> bool:
    return "." in name and HOST_NAME.fullmatch(name) is not None and any(c.isalpha() for c in name)


def _to_order(address: str) -> tuple[int, int, str]:
    number = ip_address(address)
    return number.version, int(number), ""


def _split(members: Sequence[_Member]) -> Iterator[Sequence[_Member]]:
    for start in range(0, len(members), MAX_GROUP_HOSTS):
        yield members[start : start + MAX_GROUP_HOSTS]


def _render_section(
    rules: _Rules, members: Sequence[_Member], used_names: set[str], groups: list[str]
) -> Iterator[str]:
    """The entries of hosts that have the same ports. Several hosts become a group."""
    who, is_folded = members[0].text, False
    if len(members) > 1:
        who = _choose_group_name(rules, used_names)
        hosts = list(_fold_addresses([member.text for member in members]))
        is_folded = len(hosts) < len(members)
        groups += _render_group(who, hosts, [member.comment for member in members if member.comment])
    for rule in rules:
        if len(members) == 1 and members[0].comment:
            yield f"  # {members[0].comment}"
        yield f"  - who: {_quote(who)}"
        yield f"    ports: [{', '.join(_fold_ports(rule.ports))}]"
        if rule.service:
            yield f"    service: {_quote(rule.service)}"
        if rule.vantages:
            yield f"    from: [{', '.join(map(_quote, rule.vantages))}]"
        if is_folded:
            yield "    required: true"


def _choose_group_name(rules: _Rules, used_names: set[str]) -> str:
    """`https`, `tcp-22-443`: after the only service, or after the first ports."""
    services = {rule.service for rule in rules}
    (service, *others) = services
    if service and not others and PLAIN_SERVICE.fullmatch(service):
        base = service
    else:
        keys = [key for rule in rules for key in rule.ports]
        protocol = keys[0][0]
        base = "-".join([protocol, *(str(number) for _, number in keys[:3])])
    name, count = base, 1
    while name in used_names:
        count += 1
        name = f"{base}_{count}"
    used_names.add(name)
    return name


def _render_group(name: str, hosts: Sequence[str], comments: Sequence[str]) -> Iterator[str]:
    if comments:
        shown = ", ".join(comments[:MAX_COMMENT_NAMES])
        others = f" and {len(comments) - MAX_COMMENT_NAMES} more" if len(comments) > MAX_COMMENT_NAMES else ""
        yield f"  # {shown}{others}"
    quoted = [_quote(host) for host in hosts]
    line = f"  {_quote(name)}: {{hosts: [{', '.join(quoted)}]}}"
    if len(line) <= MAX_LINE:
        yield line
        return
    yield f"  {_quote(name)}:"
    yield "    hosts:"
    yield from (f"      - {host}" for host in quoted)


def _fold_addresses(texts: Sequence[str]) -> Iterator[str]:
    """The addresses in the same order, neighbours in one /24 as `10.0.0.1-4`."""
    for run in _split_runs(texts):
        if len(run) < MIN_FOLDED:
            yield from run
        else:
            yield f"{run[0]}-{run[-1].rpartition('.')[2]}"


def _split_runs(texts: Sequence[str]) -> Iterator[list[str]]:
    run = [texts[0]]
    for before, after in pairwise(texts):
        if not _are_neighbours(before, after):
            yield run
            run = []
        run.append(after)
    yield run


def _are_neighbours(before: str, after: str) -> bool:
    try:
        first, second = IPv4Address(before), IPv4Address(after)
    except ValueError:
        return False
    return int(second) == int(first) + 1 and int(first) & LAST_OCTET != LAST_OCTET


def _fold_ports(keys: Sequence[PortKey]) -> Iterator[str]:
    """`22, 8000-8010, 53/udp`: neighbours of one protocol as ranges."""
    run: list[PortKey] = []
    for key in [*sorted(keys, key=lambda key: (key[0] != "tcp", key)), None]:
        if run and key and key[0] == run[-1][0] and key[1] == run[-1][1] + 1:
            run.append(key)
            continue
        if run:
            yield from _render_run(run)
        run = [key] if key else []


def _render_run(run: Sequence[PortKey]) -> Iterator[str]:
    suffix = "" if run[0][0] == "tcp" else f"/{run[0][0]}"
    if len(run) >= MIN_FOLDED:
        yield f"{run[0][1]}-{run[-1][1]}{suffix}"
    else:
        yield from (f"{number}{suffix}" for _, number in run)


def _quote(text: str) -> str:
    """The text as YAML: in quotes where YAML would read it as something else."""
    if PLAIN_SERVICE.fullmatch(text) and text not in YAML_WORDS:
        return text
    is_address_or_name = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(-[0-9]{1,3})?|[a-z][a-z0-9.-]*", text)
    return text if is_address_or_name and text not in YAML_WORDS else json.dumps(text)
