"""How the hosts of networks are known, as the operator says."""

from __future__ import annotations

from typing import Protocol

from cascan.model.identity import StoredNetworks


class NetworkIdentities(Protocol):
    """The networks whose hosts are known by an identity, of which only the newest version is stored."""

    def network_identities(self) -> StoredNetworks | None:
        """The networks, read consistently. None: none were ever stored."""

    def put_network_identities(self, stored: StoredNetworks) -> bool:
        """Store the networks over version `stored.version - 1`. False: another version is stored."""
