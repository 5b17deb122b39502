"""Names → addresses: from /etc/hosts, then from DNS, side by side, and again where DNS failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from on_shard_queued.hosts_file import read_hosts_file

HOSTS_FILE, RESOLV_CONF = Path("/etc/hosts"), Path("/etc/resolv.conf")


class Client(Protocol):
    def look_up(self, name: str, family: int, within_s: float) -> Lookup:
        """One name, once."""


def dns_client() -> Client:
    """DNS as resolv.conf describes it."""
    from on_shard_queued.dns_client import DnsClient  # noqa: PLC0415 - few shards have names, and it takes a while

    return DnsClient(RESOLV_CONF)


class DnsResolver:
    """Resolver. ADR 35 says why the system's own is not asked."""

    def __init__(
        self,
        hosts_file: Path = HOSTS_FILE,
        connect: Callable[[], Client] = dns_client,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._hosts_file, self._connect, self._sleep = hosts_file, connect, sleep

    def look_up(self, names: Iterable[str], family: int, give_up: Callable[[], object] = bool) -> Mapping[str, Lookup]:
        wanted = {name: name.removesuffix(".") for name in names}
        known = read_hosts_file(self._hosts_file, frozenset(wanted.values()), family) if wanted else {}
        lookups = {name: Lookup(asked=stem, addresses=known[stem]) for name, stem in wanted.items() if stem in known}
        unknown = [name for name in wanted if name not in lookups]
        if unknown:
            lookups |= self._by_dns(unknown, family, give_up)
        return lookups

    def _by_dns(self, names: Sequence[str], family: int, give_up: Callable[[], object]) -> dict[str, Lookup]:
        """Every name once; those that DNS failed for again, after a pause, as often as there are pauses."""
        client, ends_at = self._connect(), time.monotonic() + MAX_LOOKUP_TOTAL_S
        lookups: dict[str, Lookup] = {}

        def one(name: str, within_s: float) -> Lookup:
            left_s = ends_at - time.monotonic()
            if give_up():
                return lookups.get(name) or _not_asked(name, "the worker was stopped before it was looked up")
            if left_s <= 0:
                why = f"looking up all the names took more than {MAX_LOOKUP_TOTAL_S:g} s"
                return lookups.get(name) or _not_asked(name, why)
            return client.look_up(name, family, min(within_s, left_s))

        asking, within_s = list(names), FIRST_LOOKUP_TIMEOUT_S
        for pause_s in (*LOOKUP_PAUSES_S, None):
            with ThreadPoolExecutor(min(MAX_LOOKUPS_AT_ONCE, len(asking)), "lookup") as pool:
                # the threads end here: nmap is started by a process that has none
                lookups |= zip(asking, pool.map(one, asking, [within_s] * len(asking)), strict=True)
            asking, within_s = [name for name in asking if lookups[name].may_succeed_later], LOOKUP_TIMEOUT_S
            if not asking or pause_s is None or give_up() or time.monotonic() >= ends_at:
                break
            self._sleep(pause_s)
        return lookups


def _not_asked(name: str, why: str) -> Lookup:
    return Lookup(asked=name.removesuffix("."), failure=ReasonCode.LOOKUP_FAILED, why=why)
