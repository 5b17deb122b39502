"""By what a host is known from one scan to the next: its address, or something that moves with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class IdentityKind(StrEnum):
    """What identifies a host."""

    ADDRESS = "address"
    MAC = "mac"  # seen in the same layer 2 network alone, and with raw sockets
    NAME = "name"  # that the request used, else of reverse DNS
    INSTANCE = "instance"  # of a cloud; nothing tells it so far


NO_INSTANCES = "instance is not supported: no report says which instance has an address; use mac or name"


class NetworkIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """How the hosts of a network are known, unless a request says otherwise."""

    network: str  # `10.0.3.0/24`
    identity: IdentityKind


class StoredNetworks(msgspec.Struct, frozen=True, kw_only=True):
    """How the hosts of all networks are known. `version` counts from 1."""

    version: int
    stored_at: datetime
    networks: tuple[NetworkIdentity, ...] = ()
