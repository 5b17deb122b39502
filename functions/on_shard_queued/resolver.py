"""Look names up in /etc/hosts, then in DNS: several names at a time, and again where DNS failed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from cascan.gateways import Lookup
from cascan.limits import (
    FIRST_LOOKUP_TIMEOUT_S,
    LOOKUP_PAUSES_S,
    LOOKUP_TIMEOUT_S,
    MAX_LOOKUP_TOTAL_S,
    MAX_LOOKUPS_AT_ONCE,
)
from cascan.model.reason import ReasonCode
from cascan.nmap.addresses import is_address
from cascan.nmap.targets.kinds import IPV6

HOSTS_FILE, RESOLV_CONF = Path("/etc/hosts"), Path("/etc/resolv.conf")
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


class Client(Protocol):
    def look_up(self, name: str, family: int, within_s: float) -> Lookup:
        """One name, once."""


def dns_client() -> Client:
    """DNS as resolv.conf describes it."""
    from on_shard_queued.dns_client import DnsClient  # noqa: PLC0415 - slow to import

    return DnsClient(RESOLV_CONF)


class DnsResolver:
    """Implements Resolver. ADR 35 says why it does not use the system's resolver."""

    def __init__(
        self,
        hosts_file: Path = HOSTS_FILE,
        connect: Callable[[], Client] = dns_client,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._hosts_file, self._connect, self._sleep = hosts_file, connect, sleep

    def look_up(
        self,
        names: Iterable[str],
        family: int,
        give_up: Callable[[], object] = bool,
    ) -> Mapping[str, Lookup]:
        without_dot = {name: name.removesuffix(".") for name in names}
        if not without_dot:
            return {}
        entries = read_hosts_file(self._hosts_file, frozenset(without_dot.values()), family)
        lookups = {
            name: Lookup(asked=stem, addresses=entries[stem]) for name, stem in without_dot.items() if stem in entries
        }
        for_dns = [name for name in without_dot if name not in lookups]
        if for_dns:
            lookups |= self._look_up_in_dns(for_dns, family, give_up)
        return lookups

    def _look_up_in_dns(
        self,
        names: Sequence[str],
        family: int,
        give_up: Callable[[], object],
    ) -> dict[str, Lookup]:
        """Look up every name. After each of LOOKUP_PAUSES_S, retry those that DNS failed for."""
        client, ends_at = self._connect(), time.monotonic() + MAX_LOOKUP_TOTAL_S
        lookups: dict[str, Lookup] = {}

        def look_up_one(name: str, within_s: float) -> Lookup:
            left_s = ends_at - time.monotonic()
            if give_up():
                why = "the worker was stopped before it was looked up"
                return lookups.get(name) or _not_looked_up(name, why)
            if left_s <= 0:
                why = f"looking up all the names took more than {MAX_LOOKUP_TOTAL_S:g} s"
                return lookups.get(name) or _not_looked_up(name, why)
            return client.look_up(name, family, min(within_s, left_s))

        pending, within_s = list(names), FIRST_LOOKUP_TIMEOUT_S
        for pause_s in (*LOOKUP_PAUSES_S, None):
            with ThreadPoolExecutor(min(MAX_LOOKUPS_AT_ONCE, len(pending)), "lookup") as pool:
                # The threads end with this block, because a process without other threads must start
                # nmap.
                lookups |= zip(
                    pending,
                    pool.map(look_up_one, pending, [within_s] * len(pending)),
                    strict=True,
                )
            pending = [name for name in pending if lookups[name].may_succeed_later]
            within_s = LOOKUP_TIMEOUT_S
            if not pending or pause_s is None or give_up() or time.monotonic() >= ends_at:
                break
            self._sleep(pause_s)
        return lookups


def read_hosts_file(path: Path, names: Collection[str], family: int) -> dict[str, tuple[str, ...]]:
    """The addresses that the file has for these names (lower case, no final dot).

    `localhost` and the names below it are loopback unless the file says otherwise; they are never
    looked up in DNS. Source: RFC 6761, section 6.3. Like the system's resolver, this ignores lines
    that it cannot read.
    """
    addresses: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for address, aliases in _read_entries(path):
        if (":" in address) is (family == IPV6):
            for alias in aliases:
                if alias in names:
                    addresses[alias][address] = None
    for name in names:
        if name not in addresses and (name == "localhost" or name.endswith(".localhost")):
            addresses[name][LOOPBACK[family]] = None
    return {name: tuple(of_name) for name, of_name in addresses.items()}


def _read_entries(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                address, *aliases = line.partition("#")[0].split() or [""]
                if is_address(address):
                    yield address, [alias.lower().removesuffix(".") for alias in aliases]
    except OSError:  # a container may have no such file
        return


def _not_looked_up(name: str, why: str) -> Lookup:
    return Lookup(asked=name.removesuffix("."), failure=ReasonCode.LOOKUP_FAILED, why=why)
