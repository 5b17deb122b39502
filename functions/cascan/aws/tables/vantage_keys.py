"""The partition keys of the inventory, which is kept for each vantage by itself.

A network is named as inventory_items.py has it: `4.0a00`.
"""

from __future__ import annotations

from cascan.model.vantage import DEFAULT_VANTAGE


def host_partition(address: str, vantage: str = DEFAULT_VANTAGE) -> str:
    """The partition of an address's record and its pages."""
    return f"host/{vantage}/{address}"


def networks_partition(vantage: str = DEFAULT_VANTAGE) -> str:
    """The partition of the list of networks that have hosts."""
    return f"networks/{vantage}"


def network_partition(network: str, vantage: str = DEFAULT_VANTAGE) -> str:
    """The partition of the addresses of a network that were scanned."""
    return f"network/{vantage}/{network}"
