"""Which hosts of a report are recorded: those that the shard asked for and that the scope, as it stands now, allows.

The third time that the scope is asked, after the request and the launch: a script may have added targets, a report may
be forged, the operator may have narrowed the scope since. What is kept out stays in the XML, and is announced.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cascan.inventory.scanned_addresses import ReassignedHosts, ScannedAddresses
from cascan.limits import MAX_QUARANTINED_ADDRESSES
from cascan.model.host import Host
from cascan.model.shard import Shard
from cascan.permissions.scope import Scope

MAX_ADDRESS_CHARS = 64  # an IPv6 address has 39; a forged report may say anything
NAMELESS = "(no address)"


class Quarantine(Struct):
    """The hosts that were kept out of the table."""

    count: int = 0  # host elements
    addresses: dict[str, None] = {}  # the first of them, in report order, without repeats
    reason: str = ""  # of the first

    def take(self, host: Host, reason: str) -> None:
        self.count += 1
        self.reason = self.reason or reason
        if len(self.addresses) < MAX_QUARANTINED_ADDRESSES:
            self.addresses[host.address[:MAX_ADDRESS_CHARS] or NAMELESS] = None


class ScopeFilter:
    """Tells the hosts that a shard may report from those that it may not."""

    def __init__(self, shard: Shard, scope: Scope, remainders: Sequence[Shard] = ()) -> None:
        """`remainders`: the shards that were cut off from it since, and from those."""
        self.asked = ScannedAddresses.from_shard(shard)
        self._left = ReassignedHosts(shard, remainders, self.asked)
        self._scope = scope

    def is_left_to_others(self, host: Host) -> bool:
        """A remainder of the shard asks for the host again, and records it."""
        return any(address.addr in self._left for address in host.addresses if address.kind != "mac")

    def find_refusal(self, host: Host) -> str:
        """Why the host is not recorded: one sentence. Empty: it is."""
        addresses = [address.addr for address in host.addresses if address.kind != "mac"] or [""]
        return next((refusal for address in addresses if (refusal := self.find_address_refusal(address))), "")

    def find_address_refusal(self, address: str) -> str:
        """Why nothing is recorded of the address: one sentence. Empty: it is."""
        shown = address[:MAX_ADDRESS_CHARS]
        try:
            names = self.asked.names_for(address)
        except ValueError:
            return f"{shown!r} is no address that can be judged"
        if not names:
            return self._scope.find_address_refusal(shown) or f"{shown} was not asked for"
        refusals = [self._scope.find_address_refusal(address, name) or "" for name in sorted(names)]
        return "" if "" in refusals else refusals[0]
