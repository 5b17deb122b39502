"""Which hosts of a report are recorded: those that the shard scanned and that the scope allows now.

The scope is checked for the third time here, after the request and the launch: a script may have
added targets, a report may be forged, the operator may have narrowed the scope since. What is kept
out stays in the XML, and is announced.
"""

from __future__ import annotations

from collections.abc import Sequence

from cascan.inventory.scanned_addresses import ReassignedHosts, ScannedAddresses
from cascan.limits import MAX_ADDRESS_CHARS
from cascan.model.host import Host
from cascan.model.shard import Shard
from cascan.permissions.scope import Scope


class ScopeFilter:
    """Tells the hosts that a shard may report from those that it may not."""

    def __init__(self, shard: Shard, scope: Scope, remainders: Sequence[Shard] = ()) -> None:
        """`remainders`: the shards that were cut off from it since, and from those."""
        self.scanned = ScannedAddresses.from_shard(shard)
        self._reassigned = ReassignedHosts(shard, remainders, self.scanned)
        self._scope = scope

    def is_reassigned(self, host: Host) -> bool:
        """A remainder of the shard scans the host again, and records it."""
        return any(address in self._reassigned for address in _network_addresses(host))

    def find_refusal(self, host: Host) -> str:
        """Why the host is not recorded: one sentence. Empty: it is."""
        refusals = map(self.find_address_refusal, _network_addresses(host) or [""])
        return next(filter(None, refusals), "")

    def find_address_refusal(self, address: str) -> str:
        """Why nothing is recorded of the address: one sentence. Empty: it is."""
        shown = address[:MAX_ADDRESS_CHARS]
        try:
            names = self.scanned.names_for(address)
        except ValueError:
            return f"{shown!r} is no address that can be judged"
        if not names:
            return self._scope.find_address_refusal(shown) or f"{shown} was not asked for"
        refusals = [self._scope.find_address_refusal(address, name) or "" for name in sorted(names)]
        return "" if "" in refusals else refusals[0]


def _network_addresses(host: Host) -> list[str]:
    """The host's addresses, without its MAC address."""
    return [address.addr for address in host.addresses if address.kind != "mac"]
